"""The boxes of ISO base media files, such as AVIF (ISO/IEC 14496-12, section 4.2)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_HEAD = struct.Struct(">I4s")
_LARGE_HEAD = struct.Struct(">I4sQ")

# A limit against hostile files. An AVIF has some dozens.
_MOST_BOXES = 100_000


@dataclass(frozen=True, slots=True)
class Box:
    """
    A box of a file.

    Args:
        kind: Four bytes.
        start: Where its head begins, which has 8 bytes, or 16 with a length of 64 bits.
        content: Where its content begins.
        end: Where it ends.
    """

    kind: bytes
    start: int
    content: int
    end: int


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """
    Yield the boxes of a part of a file in their order. One whose length is 0 reaches to the end of the part.

    It stops before a box that is damaged or does not end within the limits.

    Args:
        file: Seekable.
        start, end: The part of the file that consists of boxes.
    """
    for _ in range(_MOST_BOXES):
        if start + _HEAD.size > end:
            return
        file.seek(start)
        head = file.read(_LARGE_HEAD.size)
        if len(head) < _HEAD.size:
            return
        length, kind = _HEAD.unpack_from(head)
        content = start + _HEAD.size
        if length == 1 and len(head) == _LARGE_HEAD.size:
            length, content = _LARGE_HEAD.unpack(head)[2], start + _LARGE_HEAD.size
        last = start + length if length else end
        if last < content or last > end:
            return
        yield Box(kind, start, content, last)
        start = last


def box_of(kind: bytes, content: bytes) -> bytes:
    """Return a box."""
    return _HEAD.pack(_HEAD.size + len(content), kind) + content
