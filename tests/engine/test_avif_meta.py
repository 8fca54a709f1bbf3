"""AVIF that browsers show and libavif refuses, and what libavif only calls damaged."""

import io
import struct

import pytest
from PIL import Image

from imgcdn.core.request.params import Params
from imgcdn.engine.avif_meta import most_pixels, sound_avif
from imgcdn.engine.iso_boxes import boxes
from imgcdn.engine.probe import probe
from imgcdn.errors import CorruptImage, ImageTooLarge
from tests.support import pictures
from tests.support.variants import MAX_PIXELS, render_image

_PARENTS = {b"ipma": (b"meta", b"iprp"), b"grpl": (b"meta",)}


def _place(data: bytes, kind: bytes, start: int = 0, end: int | None = None) -> tuple[int, int]:
    """Return where the contents of the first box of a kind begin and end, at any depth."""
    for box in boxes(io.BytesIO(data), start, len(data) if end is None else end):
        if box.kind == kind:
            return box.content, box.end
        if box.kind in (b"meta", b"iprp", b"ipco"):
            inner = _place(data, kind, box.content + 4 * (box.kind == b"meta"), box.end)
            if inner != (0, 0):
                return inner
    return 0, 0


def _inserted(data: bytes, at: int, more: bytes, parents: tuple[bytes, ...]) -> bytes:
    """Insert bytes before the coded pixels: the boxes around them become longer, the pixels move."""
    out = bytearray(data)
    for kind in parents:
        first, last = _place(data, kind)
        struct.pack_into(">I", out, first - 8, last - first + 8 + len(more))
    first, _ = _place(data, b"iloc")
    assert data[first : first + 6] == b"\0\0\0\0\x44\0", "version 0, with offsets of 32 bits"
    (count,) = struct.unpack_from(">H", data, first + 6)
    for item in range(count):
        offset = first + 8 + 14 * item + 6
        struct.pack_into(">I", out, offset, struct.unpack_from(">I", data, offset)[0] + len(more))
    return bytes(out[:at]) + more + bytes(out[at:])


def _entries(table: bytes) -> list[bytes]:
    """Return the entries of an ipma box whose numbers are narrow."""
    found, at = [], 8
    while at < len(table):
        end = at + 3 + table[at + 2]
        found.append(table[at:end])
        at = end
    return found


def with_two_tables(data: bytes) -> bytes:
    """Give each item of an AVIF with alpha a table of its own, as cavif by Link-U did."""
    first, last = _place(data, b"ipma")
    one, other = _entries(data[first:last])
    tables = [struct.pack(">I4sII", 16 + len(entry), b"ipma", 0, 1) + entry for entry in (one, other)]
    longer = _inserted(data, last, bytes(16), (b"meta", b"iprp"))
    return longer[: first - 8] + b"".join(tables) + longer[last + 16 :]


def _with_long_head(data: bytes, kind: bytes, parents: tuple[bytes, ...]) -> bytes:
    """Give a box a length of 64 bits."""
    first, last = _place(data, kind)
    longer = _inserted(data, first, bytes(8), parents)
    return longer[: first - 8] + struct.pack(">I4sQ", 1, kind, last - first + 16) + longer[first + 8 :]


def _with_pyramid(data: bytes) -> bytes:
    pyramid = struct.pack(">IIIIHHHBB", 0, 1, 1, 1, 512, 512, 1, 0, 0)
    group = struct.pack(">I4sI4s", 16 + len(pyramid), b"grpl", 8 + len(pyramid), b"pymd") + pyramid
    return _inserted(data, _place(data, b"meta")[1], group, (b"meta",))


def _with_size(data: bytes, edge: int) -> bytes:
    first, last = _place(data, b"ispe")
    return data[: first + 4] + struct.pack(">II", edge, edge) + data[last:]


def test_an_avif_with_a_table_for_each_item_is_decoded_with_its_alpha() -> None:
    original = with_two_tables(pictures.avif_with_hole())
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(io.BytesIO(original), formats=["AVIF"])
    whole = render_image(pictures.avif_with_hole(), Params(format="png"))
    image = render_image(original, Params(format="png"))
    assert image.tobytes() == whole.tobytes()
    assert image.convert("RGBA").getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize(
    ("kind", "parents"),
    [(b"ipco", (b"meta", b"iprp")), (b"ispe", (b"meta", b"iprp", b"ipco")), (b"iprp", (b"meta",))],
)
def test_boxes_with_a_length_of_64_bits_are_kept(kind: bytes, parents: tuple[bytes, ...]) -> None:
    original = _with_long_head(with_two_tables(pictures.avif_with_hole()), kind, parents)
    whole = render_image(pictures.avif_with_hole(), Params(format="png"))
    assert render_image(original, Params(format="png")).tobytes() == whole.tobytes()


def test_a_table_whose_length_of_0_reaches_to_the_end_is_kept() -> None:
    original = with_two_tables(pictures.avif_with_hole())
    last = original.rindex(b"ipma") - 4
    _, end = _place(original, b"iprp")
    assert last + int.from_bytes(original[last : last + 4]) == end
    open_ended = original[:last] + bytes(4) + original[last + 4 :]
    whole = render_image(pictures.avif_with_hole(), Params(format="png"))
    assert render_image(open_ended, Params(format="png")).tobytes() == whole.tobytes()


def test_groups_of_items_are_left_out() -> None:
    original = _with_pyramid(pictures.avif())
    found = sound_avif(io.BytesIO(original))
    assert found is not None
    assert len(found.read()) == len(original)
    whole = render_image(pictures.avif(), Params(format="png"))
    assert render_image(original, Params(format="png")).tobytes() == whole.tobytes()


@pytest.mark.parametrize("brand", [b"xxxx", b"\0\0\0\0", b"heic", b"isom", b"AVIF"])
def test_a_damaged_major_brand_does_not_matter(brand: bytes) -> None:
    still = pictures.avif()
    image = render_image(still[:8] + brand + still[12:], Params(format="png"))
    assert image.tobytes() == render_image(still, Params(format="png")).tobytes()
    animated = pictures.animated_avif([pictures.chart(), pictures.photograph()], [100, 100])
    facts = probe(io.BytesIO(animated[:8] + brand + animated[12:]), max_pixels=MAX_PIXELS)
    assert (facts.format, facts.frames) == ("avif", 2)


@pytest.mark.parametrize("edge", [17_000, 2**32 - 1])
def test_an_avif_that_is_too_large_for_libavif_is_too_large_and_not_damaged(edge: int) -> None:
    original = _with_size(pictures.avif(), edge)
    assert most_pixels(io.BytesIO(original)) == edge * edge
    with pytest.raises(ImageTooLarge):
        probe(io.BytesIO(original), max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("data", [b"", pictures.avif()[:60], pictures.avif()], ids=["empty", "cut", "sound"])
def test_where_there_is_nothing_to_change_nothing_is_returned(data: bytes) -> None:
    assert sound_avif(io.BytesIO(data)) is None


def test_a_table_with_any_byte_changed_is_a_picture_or_corrupt() -> None:
    original = with_two_tables(pictures.avif_with_hole())
    first, last = _place(original, b"meta")
    for at in range(first, last):
        changed = original[:at] + bytes([original[at] ^ 0xFF]) + original[at + 1 :]
        try:
            probe(io.BytesIO(changed), max_pixels=MAX_PIXELS)
        except (CorruptImage, ImageTooLarge):
            continue
