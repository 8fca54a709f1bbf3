"""
The chunks of a WebP, and those that its pixels need in a file of the right length (RFC 9649, section 2).

libwebp decodes no file whose last chunk is cut, or whose length is wrong.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import BinaryIO

from imgcdn.engine.pieces import Piece, Span, join

#: Names of chunks, and the bytes of a frame (ANMF) before its own chunks.
EXTENDED, ANIMATION, FRAME = b"VP8X", b"ANIM", b"ANMF"
PIXELS = (b"ALPH", b"VP8 ", b"VP8L")
FRAME_HEAD_BYTES = 16

#: Flags, in the first byte of VP8X: transparent areas, and frames.
ALPHA_FLAG, ANIMATION_FLAG = 0x10, 0x02

#: Bytes before the first chunk.
FILE_HEAD_BYTES = 12

_HEAD = struct.Struct("<4sI")
_PICTURES = (b"VP8 ", b"VP8L", FRAME)
_KEPT = (*_PICTURES, EXTENDED, ANIMATION, b"ALPH", b"ICCP", b"EXIF")
_METADATA = (b"ICCP", b"EXIF", b"XMP ")

# Limits against hostile files. An animation has a chunk for each frame; a cut picture is shorter than an original.
_MOST_CHUNKS = 100_000
_MOST_MISSING_BYTES = 1 << 25

# What the missing bytes of a picture may be. Pixels that do not depend on them are the original's. Not every filler
# decodes: a lossy picture may say that it ends before it does.
_FILLERS = (b"\0", b"\x80", b"\x55", b"\xaa")

# Damage is looked for in so many parts of a chunk, from its end, and then so many times in half a part.
_PARTS, _HALVES = 16, 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """
    A chunk of a file.

    Args:
        name: Four bytes.
        start: Where its head begins.
        content: Where its content begins.
        end: Where its content should end.
        is_whole: Whether it ends within the file. If not, it is the last one.
    """

    name: bytes
    start: int
    content: int
    end: int
    is_whole: bool

    @property
    def following(self) -> int:
        """Where the next chunk begins: each has an even length."""
        return self.end + (self.end - self.content) % 2


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


def chunks(file: BinaryIO, start: int, end: int) -> Iterator[Chunk]:
    """
    Yield the chunks of a part of a file.

    Args:
        file: Seekable.
        start, end: The part that consists of chunks.
    """
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or start + _HEAD.size > end:
            return
        name, length = _HEAD.unpack(head)
        content = start + _HEAD.size
        chunk = Chunk(name, start, content, content + length, is_whole=content + length <= end)
        yield chunk
        if not chunk.is_whole:
            return
        start = chunk.following


def chunk_of(name: bytes, content: bytes) -> bytes:
    """Return a chunk."""
    return _HEAD.pack(name, len(content)) + content + bytes(len(content) % 2)


def sound_webp(file: BinaryIO) -> SoundWebP | None:
    """
    Return a WebP with its pictures and frames, and its profile and orientation.

    The frame in which an animation ends is left out. A picture that ends early is filled.

    Args:
        file: Seekable. The result reads from it.

    Returns:
        None if there is no picture.
    """
    file_end = file.seek(0, 2)
    kept: list[Piece] = []
    pictures = 0
    cut: Chunk | None = None
    for chunk in chunks(file, FILE_HEAD_BYTES, file_end):
        if not (chunk.is_whole and _is_name(chunk.name)):
            cut = None if chunk.name in _METADATA else chunk
            break
        if chunk.name in _KEPT:
            kept += _whole(chunk, file_end)
            pictures += chunk.name in _PICTURES
    if pictures:
        return SoundWebP(_file(file, kept), (), ends_early=cut is not None)
    if cut is None or cut.name not in _PICTURES or cut.end - file_end > _MOST_MISSING_BYTES:
        return None
    cut_chunk = [*kept, Span(cut.start, file_end)]
    files = (_file(file, [*cut_chunk, filler * (cut.following - file_end)]) for filler in _FILLERS)
    return SoundWebP(next(files), tuple(files), ends_early=True)


def before_damage(file: BinaryIO, decodes: Callable[[BinaryIO], bool]) -> SoundWebP | None:
    """
    Return the first picture of a WebP that has damage in its pixels, filled from there on.

    Args:
        file: A file of `sound_webp`. The result reads from it.
        decodes: Tells whether the first picture of a file decodes.

    Returns:
        None if no part of it decodes.
    """
    file_end = file.seek(0, 2)
    whole = [chunk for chunk in chunks(file, FILE_HEAD_BYTES, file_end) if chunk.is_whole]
    before = [*takewhile(lambda chunk: chunk.name not in (*PIXELS, FRAME), whole)]
    pixels = whole[len(before) :]
    frame: list[Piece] = []
    if pixels and pixels[0].name == FRAME:
        frame = [Span(pixels[0].content, pixels[0].content + FRAME_HEAD_BYTES)]
        inner = chunks(file, pixels[0].content + FRAME_HEAD_BYTES, pixels[0].end)
        pixels = [chunk for chunk in inner if chunk.is_whole and chunk.name in PIXELS]
    head = [piece for chunk in before for piece in _whole(chunk, file_end)]

    def filled(chunk: Chunk, end: int, filler: bytes) -> BinaryIO:
        """Return a file in which a chunk has the original's bytes up to `end`, and as many again of the filler."""
        body: list[Piece] = []
        for each in pixels:
            body += _whole(each, file_end) if each is not chunk else _filled(each, end, filler)
        return _file(file, [*head, *(_enclosed(FRAME, [*frame, *body]) if frame else body)])

    for chunk in pixels:
        end = _sound_until(chunk, lambda end, chunk=chunk: decodes(filled(chunk, end, _FILLERS[0])))  # type: ignore[misc]
        if end is not None:
            files = [filled(chunk, end, filler) for filler in _FILLERS]
            return SoundWebP(files[0], tuple(files[1:]), ends_early=True)
    return None


def _sound_until(chunk: Chunk, decodes: Callable[[int], bool]) -> int | None:
    """Return up to where a chunk decodes, about; None for nowhere. The bytes at its beginning are always needed."""
    length = chunk.end - chunk.content
    step = max(1, length // _PARTS)
    ends = range(chunk.end, chunk.content, -step)
    end = next((end for end in ends if decodes(end)), None)
    if end is None or end == chunk.end:
        return end
    for _ in range(_HALVES):
        step //= 2
        if decodes(end + step):
            end += step
    return end


def _is_name(name: bytes) -> bool:
    """Tell whether four bytes may be a chunk's name; if not, something before them had a wrong length."""
    return all(0x20 <= byte < 0x7F for byte in name)


def _whole(chunk: Chunk, file_end: int) -> list[Piece]:
    """Return a chunk; the byte that makes its length even may be missing at the end of a file."""
    return [Span(chunk.start, min(chunk.following, file_end)), bytes(max(0, chunk.following - file_end))]


def _filled(chunk: Chunk, end: int, filler: bytes) -> list[Piece]:
    return _enclosed(chunk.name, [Span(chunk.content, end), filler * (2 * (chunk.end - chunk.content))])


def _enclosed(name: bytes, pieces: Iterable[Piece]) -> list[Piece]:
    """Return a chunk of these pieces."""
    content = list(pieces)
    length = sum(map(len, content))
    return [_HEAD.pack(name, length), *content, bytes(length % 2)]


def _file(file: BinaryIO, pieces: list[Piece]) -> BinaryIO:
    length = sum(map(len, pieces)) + 4
    return join(file, [b"RIFF" + struct.pack("<I", length) + b"WEBP", *pieces])
