"""
Pixels -> BlurHash and ThumbHash: the first few cosines of a picture, rounded to a line of text.

Written here, because no package is maintained, fast and small at once (docs/why.md). The algorithms are those of
https://github.com/woltapp/blurhash/blob/master/Algorithm.md and
https://github.com/evanw/thumbhash/blob/main/js/thumbhash.js.
"""

import base64
import math
from collections.abc import Iterable, Sequence
from operator import mul

from imgcdn.core.output.geometry import Size

Channel = Sequence[float]

_BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def blurhash(pixels: bytes, size: Size, shape: Size) -> str:
    """
    Return the BlurHash: 28 characters, for 4 by 3 cosines in landscape and square, for 3 by 4 in portrait.

    Args:
        pixels: RGB, sRGB.
        size: Size of the pixels, at least 8 each way.
        shape: Size of the picture. Only the ratio has an effect; the pixels themselves may be scaled to a square.

    >>> blurhash(bytes((255, 255, 255) * 64), (8, 8), (3, 2))
    'L0TSUAfQfQfQfQfQfQfQfQfQfQfQ'
    """
    across, down = (4, 3) if shape[0] >= shape[1] else (3, 4)
    linear = [_LINEAR[value] for value in pixels]
    channels = [linear[band::3] for band in range(3)]
    cosines = [_cosines(length, count) for length, count in zip(size, (across, down), strict=True)]
    coefficients = zip(*(_coefficients(channel, *cosines) for channel in channels), strict=True)
    (mean, *rest) = [value for row in coefficients for value in zip(*row, strict=True)]
    rest = [(2 * red, 2 * green, 2 * blue) for red, green, blue in rest]
    steps = min(82, max(0, math.floor(max(abs(value) for colour in rest for value in colour) * 166 - 0.5)))
    most = (steps + 1) / 166
    digits = [_digits(across - 1 + 9 * (down - 1), 1), _digits(steps, 1), _digits(_packed(map(_srgb, mean), 256), 4)]
    digits += [_digits(_packed((_coarse(value / most) for value in colour), 19), 2) for colour in rest]
    return "".join(digits)


def thumbhash(pixels: bytes, size: Size, shape: Size) -> str:
    """
    Return the ThumbHash in base64.

    Args:
        pixels: RGBA, sRGB, not multiplied by alpha.
        size: As for `blurhash`.
        shape: As for `blurhash`. The decoder draws a picture of about this ratio.
    """
    luma, yellow, red, alpha = _lpqa(pixels)
    clear = min(pixels[3::4]) < 255
    limit, longest = 5 if clear else 7, max(shape)
    across, down = (max(1, _rounded(limit * edge / longest)) for edge in shape)
    landscape = shape[0] > shape[1]
    cosines = [_cosines(length, 7) for length in size]
    light = _Channel(luma, cosines, max(3, across), max(3, down))
    warmth, redness = (_Channel(channel, cosines, 3, 3) for channel in (yellow, red))
    head = (
        _rounded(63 * light.mean)
        | _rounded(31.5 + 31.5 * warmth.mean) << 6
        | _rounded(31.5 + 31.5 * redness.mean) << 12
        | _rounded(31 * light.scale) << 18
        | clear << 23
        | (down if landscape else across) << 24
        | _rounded(63 * warmth.scale) << 27
        | _rounded(63 * redness.scale) << 33
        | landscape << 39
    )
    data = head.to_bytes(5, "little")
    ac = light.ac + warmth.ac + redness.ac
    if clear:
        opacity = _Channel(alpha, cosines, 5, 5)
        data += bytes([_rounded(15 * opacity.mean) | _rounded(15 * opacity.scale) << 4])
        ac += opacity.ac
    pairs = zip(ac[::2], [*ac[1::2], 0], strict=False)
    return base64.b64encode(data + bytes(low | high << 4 for low, high in pairs)).decode("ascii")


class _Channel:
    """
    The coefficients that ThumbHash keeps of one channel: those in the corner of low frequencies.

    `ac` are the coefficients but the mean, in sixteenths of `scale`, the largest.
    """

    def __init__(self, channel: Channel, cosines: Sequence[Sequence[Channel]], across: int, down: int) -> None:
        coefficients = _coefficients(channel, cosines[0][:across], cosines[1][:down])
        kept = [
            coefficients[y][x]
            for y in range(down)
            for x in range(across)
            if x * down < across * (down - y) and (x or y)
        ]
        self.mean = coefficients[0][0]
        self.scale = max(map(abs, kept))
        self.ac = [_rounded(15 * (0.5 + value / (2 * self.scale) if self.scale else value)) for value in kept]


def _lpqa(pixels: bytes) -> tuple[Channel, Channel, Channel, Channel]:
    """
    Return luminance, yellow minus blue, red minus green, and alpha.

    Luminance and alpha are from 0 to 1, the differences from -1 to 1. Transparent pixels are laid on the average
    colour.
    """
    alpha = [value / 255 for value in pixels[3::4]]
    total = sum(alpha)
    bands = []
    for band in range(3):
        seen = [value / 255 * share for value, share in zip(pixels[band::4], alpha, strict=True)]
        mean = sum(seen) / total if total else 0.0
        bands.append([value + mean * (1 - share) for value, share in zip(seen, alpha, strict=True)])
    colours = list(zip(*bands, strict=True))
    luma = [(red + green + blue) / 3 for red, green, blue in colours]
    yellow = [(red + green) / 2 - blue for red, green, blue in colours]
    return luma, yellow, [red - green for red, green, _ in colours], alpha


def _cosines(length: int, count: int) -> list[Channel]:
    """
    Return the first cosines over an edge, each divided by its length, so that a product sums up to a mean.

    They are taken at the pixels' centres. BlurHash's own encoders take them at the pixels' left and upper edges, which
    gives a plain white picture of 32 pixels coefficients other than 0, and a lighter corner.
    """
    return [[math.cos(math.pi * k * (i + 0.5) / length) / length for i in range(length)] for k in range(count)]


def _coefficients(channel: Channel, across: Sequence[Channel], down: Sequence[Channel]) -> list[list[float]]:
    """Return the coefficient of each product of two cosines in a channel; the first index goes down."""
    width = len(across[0])
    rows = [channel[start : start + width] for start in range(0, len(channel), width)]
    columns = [[sum(map(mul, row, wave)) for row in rows] for wave in across]
    return [[sum(map(mul, column, wave)) for column in columns] for wave in down]


def _coarse(value: float) -> int:
    """Round a coefficient from -1 to 1 to one of 19 steps, finer about 0."""
    root = math.copysign(math.sqrt(abs(value)), value)
    return min(18, max(0, math.floor(root * 9 + 9.5)))


def _packed(values: Iterable[int], base: int) -> int:
    number = 0
    for value in values:
        number = number * base + value
    return number


def _digits(number: int, count: int) -> str:
    return "".join(_BASE83[number // 83**place % 83] for place in reversed(range(count)))


def _linear(value: int) -> float:
    """Undo sRGB's transfer curve (IEC 61966-2-1)."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def _srgb(value: float) -> int:
    share = min(1.0, max(0.0, value))
    return int((share * 12.92 if share <= 0.0031308 else 1.055 * share ** (1 / 2.4) - 0.055) * 255 + 0.5)


def _rounded(value: float) -> int:
    """Round halves up, as JavaScript does; Python's `round` takes them to the even number."""
    return math.floor(value + 0.5)


_LINEAR = [_linear(value) for value in range(256)]
