"""
The descriptions of an AVIF's items, in the form that libavif reads.

ISO/IEC 14496-12, section 8.11 (meta); ISO/IEC 23008-12, sections 6.5.3 (ispe) and 9.3 (ipco, ipma).
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

from imgcdn.engine.iso_boxes import boxes
from imgcdn.engine.pieces import Span, join

_HEAD = struct.Struct(">I4s")

# A limit against hostile files. The descriptions take a few hundred bytes; an embedded profile comes on top.
_MOST_META_BYTES = 1 << 22

_MOST_ITEMS = 10_000

# The kind of a box that readers skip.
_SKIPPED = b"free"


def sound_avif(file: BinaryIO) -> BinaryIO | None:
    """
    Return an AVIF whose items have one table of properties, and no groups.

    Some encoders write a table for each item, which the standard forbids, and browsers read. Groups, such as those of
    a pyramid of sizes, are not needed for the primary item. Nothing moves in the file, so the places of the coded
    pixels stay right.

    Args:
        file: Seekable. The result reads from it.

    Returns:
        None if there is nothing to change.
    """
    place = _meta(file)
    if place is None:
        return None
    file.seek(place.start)
    data = file.read(len(place))
    changed = bytearray(data)
    for kind, start, end in _children(data, 4):
        if kind == b"grpl":
            changed[start - 4 : start] = _SKIPPED
        elif kind == b"iprp":
            changed[start - _HEAD.size : end] = _with_one_table(data[start:end])
    if changed == data or len(changed) != len(data):
        return None
    return join(file, [Span(0, place.start), bytes(changed), Span(place.end, file.seek(0, io.SEEK_END))])


def most_pixels(file: BinaryIO) -> int:
    """Return the pixels of the largest item that an AVIF declares; 0 if it declares none."""
    place = _meta(file)
    if place is None:
        return 0
    file.seek(place.start)
    data = file.read(len(place))
    most = 0
    for kind, start, end in _children(data, 4):
        if kind != b"iprp":
            continue
        for inner, inner_start, inner_end in _children(data[:end], start):
            if inner == b"ipco":
                most = max(most, *_areas(data[:inner_end], inner_start))
    return most


def _meta(file: BinaryIO) -> Span | None:
    """Return where the contents of the meta box are."""
    for kind, start, end in boxes(file, 0, file.seek(0, io.SEEK_END)):
        if kind == b"meta":
            return Span(start, end) if end - start <= _MOST_META_BYTES else None
    return None


def _children(data: bytes, start: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind and the place of each box that has a head of 8 bytes."""
    for kind, content, end in boxes(io.BytesIO(data), start, len(data)):
        if int.from_bytes(data[content - _HEAD.size : content - 4]) == end - content + _HEAD.size:
            yield kind, content, end


def _areas(data: bytes, start: int) -> Iterator[int]:
    yield 0
    for kind, content, end in _children(data, start):
        if kind == b"ispe" and end - content >= 12:
            width, height = struct.unpack_from(">II", data, content + 4)
            yield width * height


def _with_one_table(data: bytes) -> bytes:
    """Return an iprp box with one ipma for each version and flags, and a box in the place of the others' bytes."""
    others = b""
    tables: dict[bytes, dict[int, bytes]] = {}
    found = 0
    for kind, start, end in _children(data, 0):
        if kind != b"ipma":
            others += data[start - _HEAD.size : end]
            continue
        found += 1
        # A repeated item counts in its first table alone.
        table = tables.setdefault(data[start : start + 4], {})
        for item, entry in _entries(data[start:end]):
            table.setdefault(item, entry)
    merged = b"".join(
        _box(b"ipma", kind + struct.pack(">I", len(table)) + b"".join(table[item] for item in sorted(table)))
        for kind, table in tables.items()
    )
    iprp = _box(b"iprp", others + merged)
    missing = _HEAD.size + len(data) - len(iprp)
    return iprp + (_box(_SKIPPED, bytes(missing - _HEAD.size)) if found > len(tables) else b"")


def _entries(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the items of an ipma box with their entries. It stops where the box ends early."""
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


def _box(kind: bytes, data: bytes) -> bytes:
    return _HEAD.pack(_HEAD.size + len(data), kind) + data
