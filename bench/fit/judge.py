"""
SSIMULACRA2, several times faster than the package of that name, for many encodings of one picture.

Everything that depends on the reference alone is computed once, and the rest in single precision. `check` compares it
with the package, whose constants it uses; the scripts call it before they measure.
"""

import io
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from ssimulacra2 import compute_ssimulacra2
from ssimulacra2 import ssimulacra2 as package

Plane: TypeAlias = npt.NDArray[np.float32]

_SCALES = 6
_MIN_EDGE = 8

#: Pictures with a shorter edge have fewer scales, whose weights then are others': their scores are of another kind.
LEAST_EDGE = 256
_RADIUS = 5
_SIGMA = 1.5
_C2 = np.float32(package.kC2)

_taps = np.exp(-0.5 * (np.arange(_RADIUS + 1) / _SIGMA) ** 2)
_TAPS = (_taps / (_taps[0] + 2 * _taps[1:].sum())).astype(np.float32)
_LINEAR = package.srgb_to_linear(np.arange(256, dtype=np.float64)).astype(np.float32)
_MATRIX = package.kOpsinAbsorbanceMatrix.reshape(3, 3).astype(np.float32)
_BIAS = package.kOpsinAbsorbanceBias.astype(np.float32)
_TOLERANCE = 0.02


class Judge:
    """
    Scores encodings of one picture.

    Args:
        reference: Mode RGB.
    """

    def __init__(self, reference: Image.Image) -> None:
        self._scales = []
        for planes in _pyramid(reference):
            self._scales.append([(plane, _blur(plane), _blur(plane * plane)) for plane in planes])

    def __call__(self, image: Image.Image) -> float:
        """Return the score: 100 for identical pixels, about 70 where artefacts are hard to notice."""
        score = package.Msssim()
        for scale, planes in zip(self._scales, _pyramid(image), strict=True):
            found = package.MsssimScale()
            for band, ((x1, mean1, square1), x2) in enumerate(zip(scale, planes, strict=True)):
                mean2 = _blur(x2)
                lost = _structure_lost(mean1, mean2, square1, _blur(x2 * x2), _blur(x1 * x2))
                found.avg_ssim[2 * band : 2 * band + 2] = _norms(lost)
                edges = (1 + np.abs(x2 - mean2)) / (1 + np.abs(x1 - mean1)) - 1
                found.avg_edgediff[4 * band : 4 * band + 2] = _norms(np.maximum(edges, 0))
                found.avg_edgediff[4 * band + 2 : 4 * band + 4] = _norms(np.maximum(-edges, 0))
            score.scales.append(found)
        return float(score.score())

    def score(self, body: bytes) -> float:
        """Return the score of an encoded picture."""
        with Image.open(io.BytesIO(body)) as image:
            return self(image.convert("RGB"))


def check(image: Image.Image) -> float:
    """
    Compare with the package on one picture, and on itself.

    Returns:
        The largest difference found.

    Raises:
        SystemExit: It is not the same scale.
    """
    judge, reference = Judge(image), _file(image)
    assert judge(image) == compute_ssimulacra2(reference, reference) == 100
    differences = []
    for quality in (20, 60, 90):
        body = io.BytesIO()
        image.save(body, "JPEG", quality=quality)
        differences.append(abs(judge.score(body.getvalue()) - compute_ssimulacra2(reference, body)))
    if max(differences) > _TOLERANCE:
        raise SystemExit(f"bench.fit.judge is {max(differences):.3f} points away from ssimulacra2")
    largest: float = max(differences)
    return largest


def _file(image: Image.Image) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file


def _pyramid(image: Image.Image) -> list[list[Plane]]:
    """Return the planes of the picture's XYB at full, half, quarter ... size."""
    # On its side, as the package has it: the edges are treated differently.
    linear = [_LINEAR[np.ascontiguousarray(np.asarray(band).T)] for band in image.split()]
    scales = []
    for _ in range(_SCALES):
        if min(linear[0].shape) < _MIN_EDGE:
            break
        scales.append(_xyb(linear))
        linear = [_halved(plane) for plane in linear]
    return scales


def _xyb(linear: list[Plane]) -> list[Plane]:
    """As the package's `make_positive_xyb(linear_rgb_to_xyb(...))`."""
    mixed = []
    for row, bias in zip(_MATRIX, _BIAS, strict=True):
        sums = row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2] + bias
        mixed.append(np.cbrt(sums) - np.cbrt(bias))
    x, y, b = (mixed[0] - mixed[1]) / 2, (mixed[0] + mixed[1]) / 2, mixed[2]
    return [x * np.float32(14) + np.float32(0.42), y + np.float32(0.01), b - y + np.float32(0.55)]


def _halved(plane: Plane) -> Plane:
    """An odd last row or column is averaged with itself."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    quarter: Plane = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return quarter * np.float32(0.25)


def _blur(plane: Plane) -> Plane:
    """As the package's `blur_image`: beyond the upper and lower edge zeros, beyond the others the picture mirrored."""
    down: Plane = plane * _TAPS[0]
    for step in range(1, _RADIUS + 1):
        part = plane * _TAPS[step]
        down[step:] += part[:-step]
        down[:-step] += part[step:]
    wide = np.pad(down, ((0, 0), (_RADIUS, _RADIUS)), mode="symmetric")
    width = plane.shape[1]
    across: Plane = down * _TAPS[0]
    for step in range(1, _RADIUS + 1):
        pair = wide[:, _RADIUS - step : _RADIUS - step + width] + wide[:, _RADIUS + step : _RADIUS + step + width]
        across += pair * _TAPS[step]
    return across


def _structure_lost(mean1: Plane, mean2: Plane, square1: Plane, square2: Plane, product: Plane) -> Plane:
    alike = (1 - (mean1 - mean2) ** 2) * (2 * (product - mean1 * mean2) + _C2)
    # Grouped so that identical pictures give exactly 1 in single precision too.
    most = (square1 - mean1 * mean1) + (square2 - mean2 * mean2) + _C2
    lost: Plane = np.maximum(1 - alike / most, np.float32(0))
    return lost


def _norms(plane: Plane) -> tuple[float, float]:
    squares = plane * plane
    return float(plane.mean(dtype=np.float64)), float((squares * squares).mean(dtype=np.float64)) ** 0.25
