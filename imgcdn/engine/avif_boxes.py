"""
The number of plays and the time of creation in an animated AVIF.

The AVIF plugin does not read the first. It writes "for ever", and the time of encoding.

ISO/IEC 14496-12 (boxes, version 1 of mvhd, tkhd, mdhd and elst), ISO/IEC 23000-22 (an edit list that repeats).
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

from imgcdn.engine.iso_boxes import Box, boxes

_CONTAINERS = frozenset([b"moov", b"trak", b"edts", b"mdia"])

#: The edit list is at the fourth level. No encoder nests boxes deeper.
_MOST_LEVELS = 4

_FOR_EVER = 2**64 - 1

#: Largest number of plays, as in WebP and GIF, which have 16 bits.
MOST_PLAYS = 65_535

# Offset of the duration in each header, after version, flags and two times.
_DURATION_AT = {b"mvhd": 24, b"tkhd": 28}
_TIMED = (b"mvhd", b"tkhd", b"mdhd")
_TIMES = slice(4, 20)


def plays_of(data: bytes) -> int:
    """
    Return the number of plays of an animation; 0 for endless, also if the file does not say.

    Args:
        data: A whole file, of any origin.
    """
    whole = 0
    for box in _nested_boxes(io.BytesIO(data), 0, len(data)):
        try:
            if box.kind == b"tkhd":
                whole = _number(data[box.content : box.end], _DURATION_AT[box.kind])
            elif box.kind == b"elst":
                return _plays(data[box.content : box.end], whole)
        except struct.error:  # a box that ends too early
            return 0
    return 0


def set_plays(data: bytes, plays: int) -> bytes:
    """
    Return an animation with its number of plays, and without the time at which it was encoded.

    Args:
        data: From libavif, which writes version 1 of these boxes and an edit list that repeats for ever.
        plays: Number of plays; 0 for endless.
    """
    made = bytearray(data)
    found = list(_nested_boxes(io.BytesIO(data), 0, len(data)))
    segment = next((_number(data[box.content : box.end], 8) for box in found if box.kind == b"elst"), 0)
    for box in found:
        if box.kind in _TIMED:
            content = memoryview(made)[box.content : box.end]
            content[_TIMES] = bytes(16)
            if box.kind in _DURATION_AT:
                struct.pack_into(">Q", content, _DURATION_AT[box.kind], plays * segment or _FOR_EVER)
    return bytes(made)


def _nested_boxes(file: BinaryIO, start: int, end: int, level: int = 1) -> Iterator[Box]:
    """Yield the boxes, and after each container those in it."""
    for box in boxes(file, start, end):
        yield box
        if box.kind in _CONTAINERS and level < _MOST_LEVELS:
            yield from _nested_boxes(file, box.content, box.end, level + 1)


def _number(box: bytes, offset: int) -> int:
    """Read a duration. `offset` is its place in version 1 of the box, where it has 64 bits."""
    if box[:1] == b"\x01":
        return int(struct.unpack_from(">Q", box, offset)[0])
    # Version 0 has 32 bits for it and for each of the two times before it; in an edit list it comes first.
    narrow = int(struct.unpack_from(">I", box, offset - 8 if offset > 8 else offset)[0])
    return _FOR_EVER if narrow == 2**32 - 1 else narrow


def _plays(edits: bytes, whole: int) -> int:
    flags, count = struct.unpack_from(">II", edits)
    segment = _number(edits, 8)
    if not flags & 1 or count != 1:
        return 1
    if whole == _FOR_EVER or not segment:
        return 0
    return min(max(1, -(-whole // segment)), MOST_PLAYS)
