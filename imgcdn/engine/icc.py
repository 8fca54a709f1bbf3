"""ICC profiles for pictures whose files name their colours in another way (ICC.1:2022)."""

import math
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache

#: x and y of red, green, blue and white in CIE 1931.
Chromaticities = tuple[float, float, float, float, float, float, float, float]

#: A curve as an ICC tag: coded values -> light, both from 0 to 1.
Curve = bytes

_Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

_D50 = (0.9642, 1.0, 0.8249)

# Bradford: XYZ -> the eye's three kinds of cone, sharpened (ICC.1:2022, annex E).
_CONES: _Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))

# With so many entries, linear interpolation is nowhere off by half an 8-bit step.
_SAMPLES = 1024

# Diffuse white of HDR pictures, and how bright they are taken to be, in cd/m2 (ITU-R BT.2408).
_WHITE_NITS, _PEAK_NITS = 203.0, 1000.0


@lru_cache(maxsize=64)
def matrix_profile(chromaticities: Chromaticities, curve: Curve) -> bytes:
    """
    Build the profile of an RGB display.

    Raises:
        ArithmeticError: The chromaticities span no colours.
    """
    white = _xyz(*chromaticities[6:])
    to_d50 = _adaptation(white)
    primaries = _transposed((_xyz(*chromaticities[0:2]), _xyz(*chromaticities[2:4]), _xyz(*chromaticities[4:6])))
    scales = _times(_inverse(primaries), white)
    columns = _transposed(primaries)
    red, green, blue = (
        _times(to_d50, (x * scale, y * scale, z * scale)) for scale, (x, y, z) in zip(scales, columns, strict=True)
    )
    adaptation = b"sf32" + bytes(4) + b"".join(_fixed(value) for row in to_d50 for value in row)
    tags = {b"rXYZ": _point(red), b"gXYZ": _point(green), b"bXYZ": _point(blue), b"chad": adaptation}
    return _profile(b"RGB ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


@lru_cache(maxsize=16)
def grey_profile(curve: Curve) -> bytes:
    """Build the profile of a grey display."""
    return _profile(b"GRAY", {b"kTRC": curve})


def srgb_curve() -> Curve:
    """Return the curve of IEC 61966-2-1."""
    return b"para" + bytes(4) + b"\0\3\0\0" + b"".join(map(_fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))


def power_curve(exponent: float) -> Curve:
    """Return the curve of a display with this gamma."""
    return b"para" + bytes(8) + _fixed(exponent)


@lru_cache(maxsize=1)
def pq_curve() -> Curve:
    """Return the curve of SMPTE ST 2084, brought into the range of an ordinary display."""
    return _sampled(lambda value: _shown(10_000 * _pq_light(value)))


@lru_cache(maxsize=1)
def hlg_curve() -> Curve:
    """Return the curve of ITU-R BT.2100's hybrid log-gamma, brought into that range too."""
    return _sampled(lambda value: _shown(_PEAK_NITS * _hlg_light(value) ** 1.2))


def _shown(nits: float) -> float:
    """
    Show HDR light as Chromium does where there is no HDR display.

    Light up to diffuse white is halved; from there to 1,000 cd/m2 it is rolled off. The formula was fitted to what
    Chromium paints, and differs from it by at most two 8-bit steps. Chromium rolls off all three colours by the
    brightest one. A curve treats each colour by itself, so brighter colours come out a little paler here.
    """
    light = nits / _WHITE_NITS
    if light <= 1:
        return light / 2
    left = max(0.0, 1 - math.log(light) / math.log(_PEAK_NITS / _WHITE_NITS))
    return 1 - math.pow(left, 1.2) / 2


def _pq_light(value: float) -> float:
    root = value ** (32 / 2523)
    return math.pow(max(0.0, root - 107 / 128) / (2413 / 128 - 2392 / 128 * root), 8192 / 1305)


def _hlg_light(value: float) -> float:
    return value * value / 3 if value <= 0.5 else (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12


def _sampled(light: Callable[[float], float]) -> Curve:
    values = [round(65535 * min(1.0, light(step / (_SAMPLES - 1)))) for step in range(_SAMPLES)]
    return b"curv" + bytes(4) + struct.pack(f">I{_SAMPLES}H", _SAMPLES, *values)


def _adaptation(white: tuple[float, float, float]) -> _Matrix:
    """Return the matrix that adapts this white to D50, the white of ICC profiles."""
    source, target = _times(_CONES, white), _times(_CONES, _D50)
    gains = [wanted / given for given, wanted in zip(source, target, strict=True)]
    scaled = tuple((gain * a, gain * b, gain * c) for gain, (a, b, c) in zip(gains, _CONES, strict=True))
    back = _inverse(_CONES)
    columns = [_times(back, column) for column in zip(*scaled, strict=True)]
    return _transposed((columns[0], columns[1], columns[2]))


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y


def _times(matrix: _Matrix, vector: tuple[float, float, float]) -> tuple[float, float, float]:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return first, second, third


def _transposed(matrix: _Matrix) -> _Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    return (a, d, g), (b, e, h), (c, f, i)


def _inverse(matrix: _Matrix) -> _Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    size = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return (
        ((e * i - f * h) / size, (c * h - b * i) / size, (b * f - c * e) / size),
        ((f * g - d * i) / size, (a * i - c * g) / size, (c * d - a * f) / size),
        ((d * h - e * g) / size, (b * g - a * h) / size, (a * e - b * d) / size),
    )


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _point(xyz: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, xyz))


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(data), 28) + data


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Pack a version 4 display profile (section 7). The date in it is fixed, so equal tags give equal bytes."""
    tags = {b"desc": _text("as coded"), b"cprt": _text("CC0"), b"wtpt": _point(_D50), **tags}
    table = struct.pack(">I", len(tags)) + b"".join(_entries(tags))
    body = b"".join(data + bytes(-len(data) % 4) for data in dict.fromkeys(tags.values()))
    length = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", length, bytes(4), 0x04300000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _point(_D50)[8:] + bytes(48)
    return head + table + body


def _entries(tags: dict[bytes, bytes]) -> Iterator[bytes]:
    """Yield the tag table's entries. Tags with equal data share it."""
    offset = 128 + 4 + 12 * len(tags)
    offsets: dict[bytes, int] = {}
    for name, data in tags.items():
        if data not in offsets:
            offsets[data] = offset
            offset += len(data) + -len(data) % 4
        yield struct.pack(">4sII", name, offsets[data], len(data))
