"""
Walking over the chunks of a PNG (3rd edition, section 5). Every reader of chunks uses this walk.

A chunk has a length, a name, its content and a checksum of name and content.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: Length and name of a chunk.
HEAD = struct.Struct(">I4s")

#: Bytes of a checksum.
SUM_BYTES = 4

# A file may have millions of empty chunks. A picture of 32 MB in chunks of 256 bytes has half as many as this, and the
# walk over them takes half a second.
_MOST_CHUNKS = 250_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """
    A chunk of a file, from its length to its checksum.

    Args:
        file: The file that it is part of; seekable.
        start: Where its length begins.
        end: Behind its checksum. It lies behind `file_end` if the file ends early.
        file_end: The length of the file.
    """

    file: BinaryIO
    name: bytes
    start: int
    end: int
    file_end: int

    @property
    def is_cut(self) -> bool:
        return self.end > self.file_end

    @property
    def is_critical(self) -> bool:
        """Whether a decoder that does not know the chunk cannot show the picture (section 5.4)."""
        return not self.name[0] & 0x20

    @property
    def content(self) -> slice:
        """Where its content is in the file."""
        return slice(self.start + HEAD.size, min(self.file_end, self.end - SUM_BYTES))

    def data(self, longest: int) -> bytes | None:
        """Return its content; None if that is longer than `longest` bytes, or its checksum is wrong."""
        length = self.end - self.start - HEAD.size - SUM_BYTES
        if length > longest:
            return None
        self.file.seek(self.start + HEAD.size)
        data = self.file.read(length)
        return data if self.file.read(SUM_BYTES) == checksum(self.name, data) else None


def walk(file: BinaryIO) -> Iterator[Chunk]:
    """
    Yield the chunks in the order of the file. The last one may be cut. After a limit of chunks, the rest is ignored.

    Args:
        file: Seekable, and it begins with a signature. Its position between two chunks does not matter.
    """
    file_end = file.seek(0, 2)
    at = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(HEAD.size)
        if len(head) < HEAD.size:
            return
        length, name = HEAD.unpack(head)
        chunk = Chunk(file, name, at, at + HEAD.size + length + SUM_BYTES, file_end)
        yield chunk
        if chunk.is_cut:
            return
        at = chunk.end


def packed(name: bytes, data: bytes | memoryview) -> bytes:
    """Return a chunk."""
    return b"".join((HEAD.pack(len(data), name), data, checksum(name, data)))


def checksum(name: bytes, data: bytes | memoryview) -> bytes:
    """Return the checksum of a chunk."""
    return struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))
