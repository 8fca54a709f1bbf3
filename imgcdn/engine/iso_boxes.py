"""The boxes of ISO base media files, such as AVIF (ISO/IEC 14496-12, section 4.2)."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

_HEAD = struct.Struct(">I4s")
_LARGE_HEAD = struct.Struct(">I4sQ")


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """
    Yield each box's kind and where its content begins and ends, in the order of the file.

    It stops before a box that is damaged or does not end within the limits.

    Args:
        file: Seekable.
        start, end: The part of the file that consists of boxes.
    """
    while start + _HEAD.size <= end:
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
        yield kind, content, last
        start = last
