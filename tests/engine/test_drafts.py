"""JPEGs that are decoded at a reduced size show no more false patterns than those of libvips."""

import io
import math
from collections.abc import Callable, Mapping
from functools import cache

import pytest
import pyvips
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat

from imgcdn.core.request.params import Params
from tests.support.variants import render_image

#: So large that half of it is not cheap to decode, and a quarter is.
EDGE = 2000

#: How much further from a full decode our pictures may be than those of libvips.
_MARGIN_DB = 1.0


def _zone_plate() -> Image.Image:
    """Draw rings that become finer outwards."""
    rings = pyvips.Image.zone(EDGE, EDGE, uchar=True)
    return Image.frombytes("L", (EDGE, EDGE), rings.write_to_memory()).convert("RGB")


def _brick() -> Image.Image:
    wall = Image.new("RGB", (EDGE, EDGE), (150, 70, 50))
    draw = ImageDraw.Draw(wall)
    for row, top in enumerate(range(0, EDGE, 9)):
        draw.line((0, top, EDGE, top), (215, 205, 195), width=2)
        for left in range(-11 * (row % 2), EDGE, 22):
            draw.line((left, top, left, top + 9), (215, 205, 195), width=2)
    return wall


def _fabric() -> Image.Image:
    """Draw threads of five pixels, slightly turned."""
    weave = Image.new("RGB", (10, 10), (40, 60, 110))
    weave.paste((190, 200, 220), (0, 0, 5, 5))
    weave.paste((150, 160, 190), (5, 5, 10, 10))
    cloth = Image.new("RGB", (2 * EDGE, 2 * EDGE))
    for left in range(0, 2 * EDGE, 10):
        cloth.paste(weave, (left, 0))
    row = cloth.crop((0, 0, 2 * EDGE, 10))
    for top in range(0, 2 * EDGE, 10):
        cloth.paste(row, (0, top))
    turned = cloth.rotate(7, Image.Resampling.BICUBIC)
    return turned.crop((EDGE // 2, EDGE // 2, EDGE // 2 + EDGE, EDGE // 2 + EDGE))


def _text() -> Image.Image:
    page = Image.new("RGB", (EDGE, EDGE), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(14)
    for top in range(8, EDGE, 19):
        draw.text((8, top), "The quick brown fox jumps over the lazy dog, iiillm 0123456789. " * 4, "black", font)
    return page


DRAWN: Mapping[str, Callable[[], Image.Image]] = {
    "zone plate": _zone_plate,
    "brick": _brick,
    "fabric": _fabric,
    "text": _text,
}


@cache
def _original(drawn: str) -> bytes:
    original = io.BytesIO()
    DRAWN[drawn]().save(original, "JPEG", quality=92)
    return original.getvalue()


@cache
def _decoded(drawn: str) -> Image.Image:
    whole = Image.open(io.BytesIO(_original(drawn)))
    whole.load()
    return whole


def _psnr(one: Image.Image, other: Image.Image) -> float:
    square = ImageStat.Stat(ImageChops.difference(one.convert("L"), other.convert("L"))).rms[0] ** 2
    return 10 * math.log10(255**2 / max(square, 1e-4))


def _render_with_vips(original: bytes, edge: int) -> Image.Image:
    small = pyvips.Image.thumbnail_buffer(original, edge, height=edge, size="force")
    return Image.frombytes("RGB", (small.width, small.height), small.write_to_memory())


@pytest.mark.parametrize("factor", [2.1, 2.5, 3.2, 4.1, 5, 6.5, 8.1, 11])
@pytest.mark.parametrize("drawn", DRAWN.keys())
def test_a_fine_pattern_is_as_near_to_a_full_decode_as_that_of_libvips(drawn: str, factor: float) -> None:
    original = _original(drawn)
    edge = round(EDGE / factor)
    full = _decoded(drawn).resize((edge, edge), Image.Resampling.LANCZOS)
    ours = _psnr(render_image(original, Params(width=edge, format="png")), full)
    assert ours >= _psnr(_render_with_vips(original, edge), full) - _MARGIN_DB
