"""
The blocks of a GIF, and a GIF up to its last whole frame.

Layout: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from imgcdn.engine.pieces import Piece, Span, join

#: Bytes that begin a block, and the label of the extension with disposal, duration and transparent entry.
EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
GRAPHIC_CONTROL = 0xF9

_SCREEN_BYTES = 13
_IMAGE_BYTES = 10
_CONTROL_BYTES = 4
_BLOCK = re.compile(rb"[\x21\x2c\x3b]")

# A limit against hostile files. A frame has two blocks, and no animation has a hundred thousand frames.
_MOST_BLOCKS = 400_000


@dataclass(frozen=True, slots=True)
class Block:
    """
    An extension, or an image with its colour table.

    Args:
        kind: `EXTENSION` or `IMAGE`.
        start, end: Where it is.
        last: Where its last data sub-block begins, or would begin if the file did not end before.
        is_whole: Whether the empty sub-block ends it. If not, it is the last block.
    """

    kind: int
    start: int
    end: int
    last: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class SoundGif:
    """
    A GIF that ends where it should.

    Args:
        file: Its whole frames; what is there of the first one if that is cut.
        lacks_frames: Whether frames are missing.
    """

    file: BinaryIO
    lacks_frames: bool


def blocks(data: bytes) -> Iterator[Block]:
    """
    Yield each extension and each image before the trailer, which is often missing.

    Stray bytes between them are skipped. A graphic control extension of an unknown length counts as cut: browsers show
    no frame after it.
    """
    at = _SCREEN_BYTES + (table_bytes(data[10]) if len(data) > _SCREEN_BYTES else 0)
    for _ in range(_MOST_BLOCKS):
        found = _BLOCK.search(data, at)
        if found is None or data[found.start()] == TRAILER:
            return
        block = _block(data, found.start())
        yield block
        if not block.is_whole:
            return
        at = block.end


def is_cut(file: BinaryIO) -> bool:
    """Tell whether a GIF ends within a block."""
    file.seek(0)
    return any(not block.is_whole for block in blocks(file.read()))


def sound_gif(file: BinaryIO) -> SoundGif | None:
    """
    Return the whole frames of a GIF; what is there of the first one if the file ends in it.

    Args:
        file: Seekable. The result reads from it.

    Returns:
        None if it has no pixels.
    """
    file.seek(0)
    data = file.read()
    whole = 0
    for block in blocks(data):
        if block.is_whole:
            whole = block.end if block.kind == IMAGE else whole
        elif whole:
            return SoundGif(join(file, [Span(0, whole), bytes([TRAILER])]), lacks_frames=True)
        elif block.kind == IMAGE and block.last <= len(data):
            return _cut_frame(file, block.last, len(data))
    return SoundGif(file, lacks_frames=False) if whole else None


def table_bytes(flags: int) -> int:
    """Return the length of the colour table that a screen's or an image's flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _block(data: bytes, start: int) -> Block:
    kind = data[start]
    at = start + 2
    if kind == IMAGE:
        # Between descriptor and sub-blocks stand the local colour table and one byte, the code size.
        flags = data[start + _IMAGE_BYTES - 1 : start + _IMAGE_BYTES]
        at = start + _IMAGE_BYTES + 1 + (table_bytes(flags[0]) if flags else 0)
    elif data[start + 1 : at] == bytes([GRAPHIC_CONTROL]) and data[at : at + 1] != bytes([_CONTROL_BYTES]):
        return Block(kind, start, len(data), at, is_whole=False)
    while at < len(data) and data[at]:
        if at + 1 + data[at] > len(data):
            return Block(kind, start, len(data), at, is_whole=False)
        at += 1 + data[at]
    return Block(kind, start, min(at + 1, len(data)), at, is_whole=at < len(data))


def _cut_frame(file: BinaryIO, last: int, end: int) -> SoundGif:
    """Return the first frame with the sub-blocks that are there. The last one, at `last`, may be cut."""
    pieces: list[Piece] = [Span(0, last)]
    if end > last + 1:
        pieces += [bytes([end - last - 1]), Span(last + 1, end)]
    return SoundGif(join(file, [*pieces, bytes([0, TRAILER])]), lacks_frames=False)
