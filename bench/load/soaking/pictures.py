"""
Pictures that say what they are: 24 dark and light cells with the numbers of a source and of its version.

A render in any size and format keeps the cells apart, so that a picture of another source, or of an earlier version,
is recognised.
"""

import io
import random
from typing import NamedTuple

from PIL import Image, ImageStat

#: Of every original. All sizes that are requested keep this ratio exactly, or state both edges.
SIZE = (600, 400)

_COLUMNS, _ROWS = 6, 4
_BITS = _COLUMNS * _ROWS
_DARK, _LIGHT = 50, 205
_GRAIN = 24


class Code(NamedTuple):
    """
    What a picture shows.

    Args:
        source: Number of the source, 0 to 255.
        version: Number of the version, 0 to 255.
    """

    source: int
    version: int


def paint(code: Code) -> bytes:
    """Return a JPEG with a code, and with grain, so that it is treated as a photograph."""
    cells = Image.new("L", (_COLUMNS, _ROWS))
    cells.putdata([_LIGHT if _bits(code) >> place & 1 else _DARK for place in range(_BITS)])
    picture = cells.resize(SIZE, Image.Resampling.NEAREST)
    dice = random.Random(code.source * 256 + code.version)
    grain = Image.frombytes("L", (150, 100), dice.randbytes(15_000)).resize(SIZE, Image.Resampling.BICUBIC)
    tints = [dice.randint(-30, 30) for _ in range(3)]
    bands = [Image.blend(picture.point(lambda value, by=tint: value + by), grain, _GRAIN / 256) for tint in tints]
    out = io.BytesIO()
    Image.merge("RGB", bands).save(out, "JPEG", quality=88)
    return out.getvalue()


class Shown(NamedTuple):
    """
    What a response shows.

    Args:
        code: None if the cells make no valid code.
    """

    size: tuple[int, int]
    code: Code | None


def read(body: bytes) -> Shown:
    """
    Read a picture of a response.

    Raises:
        OSError: It does not decode.
    """
    with Image.open(io.BytesIO(body)) as opened:
        picture = opened.convert("L")
    number = sum((_mean(picture, place) > (_DARK + _LIGHT) / 2) << place for place in range(_BITS))
    code = Code(number & 255, number >> 8 & 255)
    return Shown(picture.size, code if _bits(code) == number else None)


def _mean(picture: Image.Image, place: int) -> float:
    """Return the mean of the middle of a cell."""
    width, height = picture.width / _COLUMNS, picture.height / _ROWS
    left, top = place % _COLUMNS * width, place // _COLUMNS * height
    box = (int(left + width / 3), int(top + height / 3), int(left + width * 2 / 3) + 1, int(top + height * 2 / 3) + 1)
    return float(ImageStat.Stat(picture.crop(box)).mean[0])


def _bits(code: Code) -> int:
    check = (code.source * 37 + code.version * 101 + 17) & 255
    return code.source | code.version << 8 | check << 16
