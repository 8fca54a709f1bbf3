"""Transparency that a file declares beside its pixels: a colour key, or the alphas of a palette."""

import io
import struct
import zlib

import pytest
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.engine.colour import expand
from imgcdn.engine.decode import decode
from imgcdn.engine.probe import probe
from tests.support import pictures
from tests.support.variants import MAX_PIXELS, colour_at, make_plan, render_image


def decoded(original: bytes, params: Params) -> Image.Image:
    """Decode an original, without a variant: Pillow, which reads it back, has the same faults as for originals."""
    plan = make_plan(original, params)
    return expand(decode(io.BytesIO(original), plan), plan).image


def test_a_16_bit_colour_key_is_transparent() -> None:
    image = render_image(pictures.keyed_wide_grey_png(), Params(format="png"))
    assert colour_at(image, 0, 0.5)[3] == 0
    assert colour_at(image, 0.5, 0.5)[3] == 255


def test_a_colour_key_is_transparent() -> None:
    image = render_image(pictures.keyed_png(), Params(format="png"))
    assert colour_at(image, 0.8, 0.2)[3] == 0
    assert colour_at(image, 0.2, 0.2) == (*pictures.RED, 255)


def test_the_alphas_of_a_palette_are_kept() -> None:
    image = render_image(pictures.palette_png_with_transparency(), Params(format="png"))
    assert [colour_at(image, across, down)[3] for across, down in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8))] == [255, 0, 128]


def _palette_png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a picture of a red, a green and a blue pixel, with a palette of these three colours in `chunks`."""
    found = [
        (b"IHDR", struct.pack(">IIBBBBB", 3, 1, 8, 3, 0, 0, 0)),
        *chunks,
        (b"IDAT", zlib.compress(b"\0\0\1\2")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(pictures.packed_chunk(name, data) for name, data in found)


_PALETTE = (b"PLTE", bytes([255, 0, 0, 0, 255, 0, 0, 0, 255]))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([_PALETTE, (b"tRNS", bytes([0, 128]))], [0, 128, 255], id="fewer than colours"),
        pytest.param([_PALETTE, (b"tRNS", bytes([0, 128, 10, 7, 9]))], [0, 128, 10], id="more than colours"),
        pytest.param([_PALETTE, (b"tRNS", bytes([255, 255, 255, 0]))], [255] * 3, id="one too many, transparent"),
        pytest.param([_PALETTE, (b"tRNS", bytes([0, 128, 10] * 100))], [255] * 3, id="more than a palette can have"),
        pytest.param([(b"tRNS", bytes([0, 128, 10])), _PALETTE], [255] * 3, id="before the palette"),
        pytest.param([_PALETTE, (b"tRNS", b"\0"), (b"tRNS", b"\xff\0")], [0, 255, 255], id="the first of two"),
        pytest.param([_PALETTE, (b"tRNS", b"\xff"), (b"tRNS", b"\xff\0")], [255] * 3, id="the first, opaque, of two"),
    ],
)
@pytest.mark.parametrize("odd", [[], [(b"gAMA", b"")]], ids=["sound", "beside an odd chunk"])
def test_the_alphas_of_a_palette_count_as_in_chromium(
    odd: list[tuple[bytes, bytes]], chunks: list[tuple[bytes, bytes]], expected: list[int]
) -> None:
    original = _palette_png(*odd, *chunks)
    image = decoded(original, Params(format="png")).convert("RGBA")
    assert list(image.getchannel("A").tobytes()) == expected
    assert probe(io.BytesIO(original), max_pixels=MAX_PIXELS).alpha == (expected != [255] * 3)
    assert list(render_image(original, Params(format="png")).convert("RGBA").getchannel("A").tobytes()) == expected


@pytest.mark.parametrize("odd", [b"", pictures.packed_chunk(b"gAMA", b"")], ids=["sound", "beside an odd chunk"])
def test_bytes_behind_a_colour_key_are_ignored(odd: bytes) -> None:
    original = _keyed(8, 0, b"\0\1\2\3", (3, 1), b"\0\2\0\3")
    image = decoded(original[:33] + odd + original[33:], Params(format="png"))
    assert [image.getpixel((x, 0))[-1] for x in range(3)] == [255, 0, 255]  # type: ignore[index]  # LA


def _keyed(depth: int, colour_type: int, rows: bytes, size: tuple[int, int], key: bytes) -> bytes:
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0)),
        (b"tRNS", key),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(pictures.packed_chunk(name, data) for name, data in chunks)


@pytest.mark.parametrize(
    ("depth", "surplus"),
    [(1, 0), (2, 0), (4, 0), (8, 0), *(pytest.param(depth, 256, id=f"{depth}, upper bits") for depth in (1, 2, 4, 8))],
)
def test_a_grey_key_is_compared_at_the_depth_of_the_file(depth: int, surplus: int) -> None:
    most = (1 << depth) - 1
    for value in {0, 1, most - 1, most} - {-1}:
        # Eight pixels of the value, then eight of another one.
        other = (value + 1) & most
        bits = "".join(f"{sample:0{depth}b}" for sample in [value] * 8 + [other] * 8)
        row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8)
        image = decoded(_keyed(depth, 0, row, (16, 1), struct.pack(">H", value + surplus)), Params(format="png"))
        assert [image.getpixel((x, 0))[-1] for x in (0, 7, 8, 15)] == [0, 0, 255, 255]  # type: ignore[index]  # LA


def test_a_16_bit_colour_key_is_compared_with_both_bytes() -> None:
    key, low, high = (0x1234, 0x5678, 0x9ABC), (0x1235, 0x5678, 0x9ABC), (0x1134, 0x5678, 0x9ABC)
    row = b"\0" + b"".join(struct.pack(">3H", *colour) for colour in (key, low, high))
    image = decoded(_keyed(16, 2, row, (3, 1), struct.pack(">3H", *key)), Params(format="png"))
    assert [image.getpixel((x, 0)) for x in range(3)] == [
        (0x12, 0x56, 0x9A, 0),
        (0x12, 0x56, 0x9A, 255),
        (0x11, 0x56, 0x9A, 255),
    ]


def test_an_8_bit_colour_key_counts_without_its_upper_bytes() -> None:
    row = b"\0" + bytes(pictures.RED) + bytes(pictures.GREEN)
    key = struct.pack(">3H", *(0x700 + sample for sample in pictures.RED))
    image = decoded(_keyed(8, 2, row, (2, 1), key), Params(format="png"))
    assert [image.getpixel((x, 0))[3] for x in range(2)] == [0, 255]  # type: ignore[index]  # RGBA


@pytest.mark.parametrize("alphas", [b"", b"\x80"], ids=["opaque", "with alphas"])
def test_an_index_behind_the_palette_has_its_last_colour(alphas: bytes) -> None:
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 4, 1, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes((*pictures.RED, *pictures.GREEN))),
        *([(b"tRNS", alphas)] if alphas else []),
        (b"IDAT", zlib.compress(b"\0" + bytes((0, 1, 2, 255)))),
        (b"IEND", b""),
    ]
    original = b"\x89PNG\r\n\x1a\n" + b"".join(pictures.packed_chunk(name, data) for name, data in chunks)
    image = decoded(original, Params(format="png")).convert("RGBA")
    green = (*pictures.GREEN, 255)
    assert [image.getpixel((x, 0)) for x in (1, 2, 3)] == [green, green, green]
    assert image.getpixel((0, 0)) == (*pictures.RED, 128 if alphas else 255)
