"""
The chunks of a PNG that its pixels need, without those that are odd (PNG 3rd edition, sections 5, 11 and 13).

Section 13.1: errors in ancillary chunks should not stop a decoder. Pillow stops at a wrong checksum or length of any
chunk, and at more than 1 MiB of text.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from imgcdn.engine.pieces import Piece, Span, join
from imgcdn.engine.png_chunks import SIGNATURE, Chunk, packed, walk
from imgcdn.engine.png_rows import HEADER_BYTES, PngHeader
from imgcdn.engine.png_transparency import MOST_ALPHAS, declared_transparency

# Largest profile, unpacked. libpng allocates no more for a chunk.
_MOST_PROFILE_BYTES = 8_000_000

_MOST_COLOURS = 256

_PIXELS, _CONTROL, _FRAME, _FRAME_PIXELS = b"IDAT", b"acTL", b"fcTL", b"fdAT"

# What is kept of the ancillary chunks before the pixels: greatest length, and whether it is sound.
_KEPT: Mapping[bytes, tuple[int, Callable[[bytes], bool]]] = {
    b"cICP": (4, lambda data: len(data) == 4),
    b"sRGB": (1, lambda data: len(data) == 1),
    b"gAMA": (4, lambda data: len(data) == 4),
    b"cHRM": (32, lambda data: len(data) == 32),
    b"eXIf": (1 << 20, lambda data: data[:2] in (b"II", b"MM")),
    b"iCCP": (_MOST_PROFILE_BYTES, lambda data: True),
    b"tRNS": (MOST_ALPHAS, lambda data: len(data) > 0),
    _CONTROL: (8, lambda data: len(data) == 8 and data[:4] != bytes(4)),
}


@dataclass(frozen=True, slots=True)
class SoundPng:
    """
    A PNG without what does not belong to its pixels.

    Args:
        file: As a decoder can read it.
        profile: The ICC profile, unpacked and unchecked; None if there is none, or an odd one. It is not in `file`.
        ends_early: Whether the file ends before its last chunk.
    """

    file: BinaryIO
    profile: bytes | None
    ends_early: bool


def sound_png(file: BinaryIO) -> SoundPng | None:
    """
    Return a PNG with the chunks that its pixels need, and with those about its colours and orientation that are sound.

    Args:
        file: Seekable. The result reads from it.

    Returns:
        None if no browser shows it: its header or palette is damaged, a critical chunk is unknown, or it has no pixels.
    """
    chunks = _Chunks()
    for chunk in walk(file):
        if chunk.name == b"IEND" or not chunks.take(chunk):
            break
    else:
        chunks.ends_early = True
    if chunks.is_unreadable or not chunks.has_pixels:
        return None
    return SoundPng(join(file, chunks.pieces()), _profile(chunks.head.get(b"iCCP", b"")), chunks.ends_early)


@dataclass(slots=True)
class _Chunks:
    """What was kept so far: the chunks before the pixels by name, and pixels and frames in their order."""

    head: dict[bytes, bytes] = field(default_factory=dict)
    body: list[tuple[bytes, Piece]] = field(default_factory=list)
    has_pixels: bool = False
    is_unreadable: bool = False
    ends_early: bool = False
    has_cut_pixels: bool = False
    has_other_behind: bool = False

    def take(self, chunk: Chunk) -> bool:
        """Take a chunk. Return False if no chunk after it counts."""
        if chunk.name in (_PIXELS, _FRAME_PIXELS, _FRAME):
            return self._take_body(chunk)
        self.has_other_behind |= self.has_pixels
        if chunk.is_cut or (self.has_pixels and chunk.is_critical):
            self.ends_early = True
            return False
        if chunk.name in (b"IHDR", b"PLTE"):
            return self._take_critical(chunk)
        self.is_unreadable = chunk.is_critical or b"IHDR" not in self.head
        if chunk.name in _KEPT and not self.has_pixels and chunk.name not in self.head:
            self._take_ancillary(chunk)
        return not self.is_unreadable

    def pieces(self) -> Iterator[Piece]:
        """Yield the chunks to decode. The profile is not among them: Pillow refuses one of more than 1 MiB."""
        frames = self._whole_frames()
        yield SIGNATURE
        for name in (b"IHDR", *_KEPT, b"PLTE"):
            if name in self.head and name not in (b"iCCP", b"tRNS", _CONTROL):
                yield packed(name, self.head[name])
        if self.head.get(b"tRNS"):
            yield packed(b"tRNS", self.head[b"tRNS"])
        if frames > 1:
            yield packed(_CONTROL, struct.pack(">I", frames) + self.head[_CONTROL][4:])
        for name, piece in self._kept_body(frames):
            if frames > 1 or name == _PIXELS:
                yield piece
        # A file that ends within its pixels goes on doing so: it shows more rows than one that is damaged there.
        if not self.has_cut_pixels or frames > 1:
            yield packed(b"IEND", b"")

    def _take_ancillary(self, chunk: Chunk) -> None:
        longest, is_sound = _KEPT[chunk.name]
        data = chunk.data(longest)
        if data is None or not is_sound(data):
            return
        if chunk.name == b"tRNS":
            header = PngHeader.parse(self.head[b"IHDR"])
            data = declared_transparency(data, header, len(self.head.get(b"PLTE", b"")) // 3) if header else b""
        self.head[chunk.name] = data

    def _take_critical(self, chunk: Chunk) -> bool:
        is_first = not self.head and not self.has_pixels
        longest = HEADER_BYTES if chunk.name == b"IHDR" else 3 * _MOST_COLOURS
        data = chunk.data(longest)
        if chunk.name == b"IHDR":
            self.is_unreadable = not is_first or data is None or len(data) != HEADER_BYTES
        else:
            self.is_unreadable = data is None or b"IHDR" not in self.head
        if data is not None and not self.is_unreadable and not self.has_pixels:
            self.head.setdefault(chunk.name, data[: len(data) // 3 * 3] if chunk.name == b"PLTE" else data)
        return not self.is_unreadable

    def _take_body(self, chunk: Chunk) -> bool:
        if chunk.name == _PIXELS and self.has_other_behind:
            # The pixels of a picture come in chunks that follow each other (section 5.6).
            return True
        self.has_other_behind |= self.has_pixels and chunk.name != _PIXELS
        self.has_pixels |= chunk.name == _PIXELS
        if chunk.is_cut:
            self.ends_early = self.has_cut_pixels = True
            if chunk.name == _PIXELS:
                self.body.append((_PIXELS, Span(chunk.start, chunk.file_end)))
            return False
        start = chunk.start
        if self.body and chunk.name != _FRAME:
            name, last = self.body[-1]
            # Neighbours become one span, so that a picture in many chunks takes little memory.
            if name == chunk.name and isinstance(last, Span) and last.end == start:
                start = last.start
                self.body.pop()
        self.body.append((chunk.name, Span(start, chunk.end)))
        return True

    def _whole_frames(self) -> int:
        """Return how many frames are there of the animation; 0 if it is none, or has only its first frame."""
        if _CONTROL not in self.head:
            return 0
        declared: int = struct.unpack_from(">I", self.head[_CONTROL])[0]
        starts = sum(name == _FRAME for name, _ in self.body)
        whole = starts - 1 if self.has_cut_pixels and starts else starts
        return min(declared, whole)

    def _kept_body(self, frames: int) -> Iterator[tuple[bytes, Piece]]:
        """Yield pixels and frames up to the last whole frame."""
        count = 0
        for name, piece in self.body:
            count += name == _FRAME
            if frames > 1 and count > frames:
                return
            yield name, piece


def _profile(data: bytes) -> bytes | None:
    """Unpack iCCP (section 11.3.2.3): a name, a zero byte, the method 0, and the compressed profile."""
    name, _, packed = data.partition(b"\0")
    if not 1 <= len(name) <= 79 or packed[:1] != b"\0":
        return None
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(packed[1:], _MOST_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if inflater.eof else None
