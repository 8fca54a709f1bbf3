"""
q=auto: pixels and a target -> the lowest q that reaches it.

A sample of the picture is encoded with the same encoder, at its quickest speed, and compared with the result. The
measure is a reduced SSIMULACRA2 that takes a few milliseconds: four of its 108 terms, those with the largest weight in
photographs, on blocks instead of Gaussian windows, and with simpler curves for light. `bench/fit/auto.py` fits their
weights to the real metric and measures the difference between the two.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from PIL import Image, ImageMath

from imgcdn.engine.codecs import READABLE
from imgcdn.engine.tiles import paste_tiles

#: The score of the typical photograph: SSIMULACRA2 at each q, the mean of jpeg, webp and aom (bench/fit/auto.py).
TYPICAL_Q = (20, 30, 40, 50, 60, 70, 80, 90, 95)
_TYPICAL_SCORES = (34.3, 46.1, 55.7, 61.4, 64.3, 70.0, 76.3, 83.9, 86.2)

#: Limit of the correction for a picture, in points of SSIMULACRA2. For flat pictures and noise the measure is
#: unreliable, so mistakes must stay small.
_MOST_SHIFT = 20.0

#: If the first try misses the target by more points, there is a second one: for about one picture in five at a
#: target of 75.
_NEAR = 4.0

# The sample: evenly spread tiles of this edge, a multiple of every encoder's blocks. Together they are this share of
# the picture, within these limits in pixels. More pixels cost more time and give a more exact result.
_TILE = 64
_SAMPLE_SHARE = 0.4
_SAMPLE_PIXELS = (24_576, 98_304)

#: Shorter edges leave too little to measure, and some encoders refuse them.
_LEAST_EDGE = 8

#: Edge of the blocks that replace Gaussian windows of sigma 1.5.
_BLOCK = 5

# The constant of SSIMULACRA2's ssim.
_C2 = 0.0009

# XYB's L, M and S as shares of red, green and blue light, and its Y, the mean of L and M.
_L = (0.3, 0.622, 0.078)
_M = (0.23, 0.692, 0.078)
_S = (0.243, 0.205, 0.552)
_Y = (0.265, 0.657, 0.078)

# Limits the weight of differences in dark pixels, as the bias in XYB does.
_DARKNESS = 0.006

#: The weights of Sample.distances, then the constant. Fitted by bench/fit/auto.py.
WEIGHTS = (8.93, 263.5, 8.28, 127.93, 0.19)

_Planes = dict[str, Image.Image]
_Light = tuple[Image.Image, ...]


def find_q(image: Image.Image, target: float, encode_at: Callable[[Image.Image, int], BinaryIO]) -> int:
    """
    Return the lowest q, on the scale of all formats, at which a picture reaches a target.

    Args:
        image: The picture to be encoded; mode L, LA, RGB or RGBA. Transparent pixels are ignored.
        target: SSIMULACRA2, 40 to 90.
        encode_at: Encodes a sample, mode RGB and at least 8 pixels either way, at a q.
    """
    sample = Sample(image)
    if min(sample.picture.size) < _LEAST_EDGE:
        return _typical_q(target)

    def score_at(q: int) -> float:
        return estimated_score(sample.distances(encode_at(sample.picture, q)))

    return search(target, score_at)


def search(target: float, score_at: Callable[[int], float]) -> int:
    """
    Return the q that reaches a target, after measuring at one q or two.

    For most pictures, the difference from the typical photograph is about the same at neighbouring q.
    """
    first = q = _typical_q(target)
    missed = target - score_at(q)
    wanted = _typical_score(q) + missed
    if abs(missed) > _NEAR and _bounded(wanted, target) != q:
        q = _bounded(wanted, target)
        still_missed = target - score_at(q)
        moved = missed - still_missed
        slope = (_typical_score(q) - _typical_score(first)) / moved if abs(moved) > 1 else 1.0
        wanted = _typical_score(q) + still_missed * min(max(slope, 0.5), 2.0)
    return _bounded(wanted, target)


def estimated_score(distances: tuple[float, ...]) -> float:
    """Return the SSIMULACRA2 that is estimated from `Sample.distances`."""
    *weights, constant = WEIGHTS
    distance = sum(weight * value for weight, value in zip(weights, distances, strict=True)) + constant
    return score(distance)


def score(distance: float) -> float:
    """Return the SSIMULACRA2 for the weighted sum of its terms (its MSSSIM::Score)."""
    d = max(0.0, distance)
    d = 2.326765642916932 * d - 0.020884521182843837 * d**2 + 6.248496625763138e-05 * d**3
    return 100.0 - 10.0 * float(d**0.6276336467831387)


class Sample:
    """
    A part of a picture, encoded instead of the whole to measure the quality.

    Attributes:
        picture: Mode RGB.
    """

    def __init__(self, image: Image.Image) -> None:
        self._visible: Image.Image | None = None
        if image.mode in ("LA", "RGBA"):
            box = image.getchannel("A").getbbox()
            # crop() copies, so it is avoided if it would copy the whole picture.
            shown = image.crop(box) if box and box != (0, 0, *image.size) else image
            tiles = _tiles(shown).convert("RGBA")
            self._visible = tiles.getchannel("A").convert("F")
            # Transparent pixels get the mean colour, so that they show no edges. Resizing weights colours by alpha.
            colour = tiles.resize((1, 1), Image.Resampling.BOX).convert("RGB").resize(tiles.size)
            colour.paste(tiles.convert("RGB"), mask=tiles.getchannel("A"))
            self.picture = colour
        else:
            self.picture = _tiles(image).convert("RGB")
        self._planes = _planes(self.picture)

    def distances(self, encoded: BinaryIO) -> tuple[float, ...]:
        """Return the distances between an encoded sample and this one, in the order of `WEIGHTS`."""
        encoded.seek(0)
        with Image.open(encoded, formats=READABLE) as image:
            planes = _planes(image.convert("RGB"))
        return tuple(
            self._mean(_unlikeness(self._planes[name], planes[name]), scale=scale, power=power)
            for name, scale, power in (("y1", 1, 4), ("y4", 4, 1), ("x4", 4, 4), ("b16", 16, 4))
        )

    def _mean(self, unlikeness: Image.Image, *, scale: int, power: int) -> float:
        """Average over what is visible; by the fourth power, the worst places count most."""
        values = _squared(_squared(unlikeness)) if power == 4 else unlikeness
        share = 1.0
        if self._visible is not None:
            weights = _reduced(_reduced(self._visible, scale), _BLOCK)
            values = _formula(lambda a: a["v"] * a["w"], v=values, w=weights)
            share = _plain_mean(weights)
        mean = max(0.0, _plain_mean(values) / share) if share else 0.0
        return float(mean ** (1 / power))


def _tiles(image: Image.Image) -> Image.Image:
    """Return tiles of a picture side by side; a small picture as it is."""
    width, height = image.size
    least, most = _SAMPLE_PIXELS
    pixels = min(max(least, width * height * _SAMPLE_SHARE), most)
    if pixels * 1.3 >= width * height:
        return image
    tile_width, tile_height = min(_TILE, width), min(_TILE, height)
    wanted = pixels / (tile_width * tile_height)
    ratio = (width * tile_height) / (height * tile_width)
    across = min(max(1, round((wanted * ratio) ** 0.5)), width // tile_width)
    down = min(max(1, round(wanted / across)), height // tile_height)
    across = min(max(1, round(wanted / down)), width // tile_width)
    lefts, tops = _spread(width, tile_width, across), _spread(height, tile_height, down)
    return paste_tiles(image, lefts, tops, (tile_width, tile_height))


def _spread(length: int, tile: int, count: int) -> list[int]:
    """Return the starts of `count` tiles that are spread evenly over an edge."""
    free = length - tile * count
    return [index * tile + round(free * (index + 0.5) / count) for index in range(count)]


def _planes(image: Image.Image) -> _Planes:
    """Return what is compared: XYB's Y as it is and at a quarter, its X at a quarter, its B-Y at a sixteenth."""
    half = _reduced(image, 2)
    quarter = tuple(_reduced(_squared(band.convert("F")), 2) for band in half.split())
    sixteenth = tuple(_reduced(band, 4) for band in quarter)
    return {
        # At full size sRGB's luma will do, and is many times cheaper.
        "y1": _formula(lambda a: a["y"] * (1.2 / 255 - a["y"] * (0.2 / 65_025)), y=image.convert("L").convert("F")),
        "y4": _response(quarter, _Y),
        "x4": _difference(_response(quarter, _L), _response(quarter, _M), 7.0),
        "b16": _difference(_response(sixteenth, _S), _response(sixteenth, _Y), 1.0),
    }


def _response(light: _Light, shares: tuple[float, float, float]) -> Image.Image:
    """
    Return what a kind of cone sees, 0 to about 1.

    Light is approximated by the square of sRGB's values, and XYB's cube root by the power 0.4.
    """
    red, green, blue = (share / 65_025 for share in shares)
    return _formula(
        lambda a: (a["r"] * red + a["g"] * green + a["b"] * blue + _DARKNESS) ** 0.4,
        r=light[0],
        g=light[1],
        b=light[2],
    )


def _difference(one: Image.Image, other: Image.Image, factor: float) -> Image.Image:
    return _formula(lambda a: (a["x"] - a["y"]) * factor, x=one, y=other)


def _unlikeness(one: Image.Image, other: Image.Image) -> Image.Image:
    """
    Return 1 - ssim of each block; 0 where they are equal.

    SSIMULACRA2's ssim has no term for a brightness that both share.
    """
    off = _formula(lambda a: a["x"] - a["y"], x=one, y=other)
    product = _reduced(_formula(lambda a: a["x"] * a["y"], x=one, y=other), _BLOCK)
    squares = _reduced(_squared(off), _BLOCK)
    mean, mean_off = _reduced(one, _BLOCK), _reduced(off, _BLOCK)
    # covariance = E[xy] - E[x]E[y], and var(x) + var(y) = 2 covariance + var(x - y).
    return _formula(
        lambda a: _one_minus_ssim(a["p"] - a["m"] * (a["m"] - a["d"]), a["s"] - a["d"] * a["d"], a["d"] * a["d"]),
        p=product,
        m=mean,
        d=mean_off,
        s=squares,
    )


def _one_minus_ssim(covariance: Any, variance_off: Any, square_off: Any) -> Any:
    shared = covariance * 2 + _C2
    return 1 - (1 - square_off) * shared / (shared + variance_off)


def _squared(image: Image.Image) -> Image.Image:
    return _formula(lambda a: a["x"] * a["x"], x=image)


def _formula(expression: Callable[[dict[str, Any]], Any], **images: Image.Image) -> Image.Image:
    result = ImageMath.lambda_eval(expression, **images)
    assert isinstance(result, Image.Image)
    return result


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    return image.reduce((min(factor, image.width), min(factor, image.height)))


def _plain_mean(image: Image.Image) -> float:
    value = image.reduce(image.size).getpixel((0, 0))
    assert isinstance(value, float)
    return value


def _typical_score(q: int) -> float:
    return _interpolated(q, TYPICAL_Q, _TYPICAL_SCORES)


def _typical_q(wanted: float) -> int:
    return round(_interpolated(wanted, _TYPICAL_SCORES, TYPICAL_Q))


def _bounded(wanted: float, target: float) -> int:
    return _typical_q(min(max(wanted, target - _MOST_SHIFT), target + _MOST_SHIFT))


def _interpolated(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """Interpolate y at x. Outside `xs`, return the y of the nearer end."""
    right = min(max(1, bisect_left(xs, x)), len(xs) - 1)
    (x0, x1), (y0, y1) = xs[right - 1 : right + 1], ys[right - 1 : right + 1]
    return y0 + (y1 - y0) * min(max((x - x0) / (x1 - x0), 0.0), 1.0)
