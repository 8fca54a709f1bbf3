"""
The chunks of a WebP that its pixels need, in a file of the right length (RFC 9649, section 2).

libwebp decodes no file whose last chunk is cut, or whose length is wrong.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from imgcdn.engine.pieces import Piece, Span, join

_HEAD = struct.Struct("<4sI")
_FILE_HEAD_BYTES = 12
_PICTURES = (b"VP8 ", b"VP8L")
_FRAME = b"ANMF"
_KEPT = (*_PICTURES, _FRAME, b"VP8X", b"ANIM", b"ALPH", b"ICCP", b"EXIF")

# Limits against hostile files. An animation has a chunk for each frame; a cut picture is shorter than an original.
_MOST_CHUNKS = 100_000
_MOST_MISSING_BYTES = 1 << 25

# What the missing bytes of a picture may be. Pixels that do not depend on them are the original's. Not every filler
# decodes: a lossy picture may say that it ends before it does.
_FILLERS = (b"\0", b"\x80", b"\x55", b"\xaa")


@dataclass(frozen=True, slots=True)
class SoundWebP:
    """
    A WebP without what does not belong to its pixels.

    Args:
        file: As a decoder can read it.
        filled: The same with other bytes in the place of missing ones; empty if the picture is whole.
        ends_early: Whether the original ends within a picture, or a frame of it.
    """

    file: BinaryIO
    filled: tuple[BinaryIO, ...]
    ends_early: bool


def sound_webp(file: BinaryIO) -> SoundWebP | None:
    """
    Return a WebP with its pictures and frames, and its profile and orientation.

    The frame in which an animation ends is left out. A picture that ends early is filled.

    Args:
        file: Seekable. The result reads from it.

    Returns:
        None if there is no picture.
    """
    kept: list[Span] = []
    cut: tuple[Span, int] | None = None
    pictures = 0
    for name, span, end in _chunks(file):
        if end > span.end:
            cut = (span, end - span.end) if name in (*_PICTURES, _FRAME) else None
            break
        if name in _KEPT:
            kept.append(span)
            pictures += name in (*_PICTURES, _FRAME)
    ends_early = cut is not None
    if pictures:
        cut = None
    if not pictures and (cut is None or cut[1] > _MOST_MISSING_BYTES):
        return None
    whole, *filled = (_file(file, kept, cut, filler) for filler in _FILLERS)
    return SoundWebP(whole, tuple(filled) if cut else (), ends_early)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, Span, int]]:
    """Yield the name of each chunk, where it is, and where it should end."""
    file_end = file.seek(0, 2)
    at = _FILE_HEAD_BYTES
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        name, length = _HEAD.unpack(head)
        end = at + _HEAD.size + length + length % 2
        yield name, Span(at, min(end, file_end)), end
        if end > file_end:
            return
        at = end


def _file(file: BinaryIO, kept: list[Span], cut: tuple[Span, int] | None, filler: bytes) -> BinaryIO:
    pieces: list[Piece] = [*kept]
    if cut is not None:
        pieces += [cut[0], filler * cut[1]]
    length = sum(map(len, pieces)) + 4
    return join(file, [b"RIFF" + struct.pack("<I", length) + b"WEBP", *pieces])
