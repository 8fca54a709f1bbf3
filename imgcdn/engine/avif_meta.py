"""
The descriptions of an AVIF's items: their sizes and colours, and the form that libavif reads.

ISO/IEC 14496-12, section 8.11 (meta); ISO/IEC 23008-12, sections 6.5.3 (ispe) and 9.3 (ipco, ipma).
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

from imgcdn.engine.iso_boxes import Box, box_of, boxes
from imgcdn.engine.kinds import AVIF_BRANDS
from imgcdn.engine.pieces import Piece, Span, join

# A limit against hostile files. The descriptions take a few hundred bytes; an embedded profile comes on top.
_MOST_META_BYTES = 1 << 22

_MOST_ITEMS = 10_000

# The kind of a box that readers skip.
_SKIPPED = b"free"

# Where the major brand of a file is. Pillow also opens files whose brand only means still images or sequences. With the
# first of them, as with an unknown one in Chromium, an AVIF that has a sequence is an animation.
_MAJOR_BRAND = Span(8, 12)
_NEUTRAL_BRANDS = (b"mif1", b"msf1")

# Bytes of a box's head, and of the version and flags with which the contents of a meta box begin.
_BOX_HEAD_BYTES, _FULL_HEAD_BYTES = 8, 4

# The code for unspecified colours.
_UNSPECIFIED = 2


def sound_avif(file: BinaryIO) -> BinaryIO | None:
    """
    Return an AVIF with a major brand that Pillow knows, whose items have one table of properties, and no groups.

    Some encoders write a table for each item, which the standard forbids, and browsers read. Groups, such as those of
    a pyramid of sizes, are not needed for the primary item. Nothing moves in the file, so the places of the coded
    pixels stay right.

    Args:
        file: Seekable. The result reads from it.

    Returns:
        None if there is nothing to change.
    """
    pieces: list[Piece] = []
    end = 0
    for place, new in (*_sound_brand(file), *_sound_meta(file)):
        pieces += Span(end, place.start), new
        end = place.end
    return join(file, [*pieces, Span(end, file.seek(0, io.SEEK_END))]) if pieces else None


def _sound_brand(file: BinaryIO) -> Iterator[tuple[Span, bytes]]:
    """Yield the place of a major brand that Pillow does not take for one of AVIF, and what to write there."""
    file.seek(_MAJOR_BRAND.start)
    brand = file.read(len(_MAJOR_BRAND))
    if len(brand) == len(_MAJOR_BRAND) and brand not in (*AVIF_BRANDS, *_NEUTRAL_BRANDS):
        yield _MAJOR_BRAND, _NEUTRAL_BRANDS[0]


def _sound_meta(file: BinaryIO) -> Iterator[tuple[Span, bytes]]:
    """Yield the place of the contents of a meta box that libavif refuses, and what to write there."""
    place = _meta(file)
    if place is None:
        return
    file.seek(place.start)
    data = file.read(len(place))
    changed = bytearray(data)
    for box in _boxes(data, _FULL_HEAD_BYTES):
        if box.kind == b"grpl":
            changed[box.start + 4 : box.start + 8] = _SKIPPED
        elif box.kind == b"iprp":
            changed[box.start : box.end] = _with_one_table(data[box.start : box.end], box.content - box.start)
    if changed != data and len(changed) == len(data):
        yield place, bytes(changed)


def most_pixels(file: BinaryIO) -> int:
    """Return the pixels of the largest item that an AVIF declares; 0 if it declares none."""
    sizes = (content for kind, content in _properties(_contents(file)) if kind == b"ispe" and len(content) >= 12)
    return max((width * height for width, height in (struct.unpack_from(">II", each, 4) for each in sizes)), default=0)


def colour_codes(file: BinaryIO) -> tuple[int, int]:
    """Return the code points of primaries and transfer (ITU-T H.273) of an AVIF's primary item; 2, 2 for none."""
    data = _contents(file)
    listed = _properties(data)
    for index in _indices(data):
        kind, content = listed[index - 1] if 0 < index <= len(listed) else (b"", b"")
        if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
            primaries, transfer = struct.unpack_from(">HH", content, 4)
            return primaries, transfer
    return _UNSPECIFIED, _UNSPECIFIED


def _meta(file: BinaryIO) -> Span | None:
    """Return where the contents of the meta box are."""
    for box in boxes(file, 0, file.seek(0, io.SEEK_END)):
        if box.kind == b"meta":
            return Span(box.content, box.end) if box.end - box.content <= _MOST_META_BYTES else None
    return None


def _contents(file: BinaryIO) -> bytes:
    """Return the contents of the meta box; empty for none."""
    place = _meta(file)
    if place is None:
        return b""
    file.seek(place.start)
    return file.read(len(place))


def _boxes(data: bytes, start: int = 0) -> Iterator[Box]:
    return boxes(io.BytesIO(data), start, len(data))


def _inside(data: bytes, start: int, kind: bytes) -> Iterator[bytes]:
    """Yield the contents of the boxes of a kind."""
    return (data[box.content : box.end] for box in _boxes(data, start) if box.kind == kind)


def _properties(meta: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and content of each property; tables count them from 1."""
    tables = (table for iprp in _inside(meta, _FULL_HEAD_BYTES, b"iprp") for table in _inside(iprp, 0, b"ipco"))
    return [(box.kind, table[box.content : box.end]) for table in tables for box in _boxes(table)]


def _indices(meta: bytes) -> list[int]:
    """Return the properties of the primary item. There may be a table for each version, and an item is in one."""
    primary = next(_inside(meta, _FULL_HEAD_BYTES, b"pitm"), b"")
    if len(primary) < 6:
        return []
    (wanted,) = struct.unpack_from(">I" if primary[0] and len(primary) >= 8 else ">H", primary, 4)
    for iprp in _inside(meta, _FULL_HEAD_BYTES, b"iprp"):
        for table in _inside(iprp, 0, b"ipma"):
            for item, entry in _entries(table):
                if item == wanted:
                    return _listed(entry, id_bytes=4 if table[0] else 2, is_wide=bool(table[3] & 1))
    return []


def _listed(entry: bytes, *, id_bytes: int, is_wide: bool) -> list[int]:
    """Return the indices of an entry, without the bit that says that a property is essential."""
    numbers = struct.unpack(f">{entry[id_bytes]}{'H' if is_wide else 'B'}", entry[id_bytes + 1 :])
    return [number & (0x7FFF if is_wide else 0x7F) for number in numbers]


def _with_one_table(iprp: bytes, head_bytes: int) -> bytes:
    """Return an iprp box with one ipma for each version and flags, and a box in the place of the others' bytes."""
    others: list[bytes] = []
    tables: dict[bytes, dict[int, bytes]] = {}
    found = 0
    for box in _boxes(iprp, head_bytes):
        content = iprp[box.content : box.end]
        if box.kind != b"ipma" or len(content) < 8:
            others.append(box_of(box.kind, content))
            continue
        found += 1
        # A repeated item counts in its first table alone.
        table = tables.setdefault(content[:4], {})
        for item, entry in _entries(content):
            table.setdefault(item, entry)
    if found == len(tables):
        return iprp
    merged = b"".join(
        box_of(b"ipma", kind + struct.pack(">I", len(table)) + b"".join(table[item] for item in sorted(table)))
        for kind, table in tables.items()
    )
    made = box_of(b"iprp", b"".join(others) + merged)
    return made + box_of(_SKIPPED, bytes(max(0, len(iprp) - len(made) - _BOX_HEAD_BYTES)))


def _entries(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the items of an ipma box with their entries. It stops where the box ends early."""
    if len(data) < 8:
        return
    id_format, wide = (">I" if data[0] else ">H"), 1 + (data[3] & 1)
    id_bytes = struct.calcsize(id_format)
    at = 8
    for _ in range(min(_MOST_ITEMS, int.from_bytes(data[4:8]))):
        end = at + id_bytes + 1
        if end > len(data):
            return
        end += data[end - 1] * wide
        if end > len(data):
            return
        yield struct.unpack_from(id_format, data, at)[0], data[at:end]
        at = end
