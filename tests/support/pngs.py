"""PNGs packed by hand, sound or damaged in their coded pixels."""

import struct
import zlib
from collections.abc import Sequence

from PIL import Image

from tests.support.pictures import packed_chunk

# First column and row of each pass of an interlaced PNG, and the steps to the next.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

# Pillow's mode -> depth and colour type.
_TYPES = {"L": (8, 0), "RGB": (8, 2), "LA": (8, 4), "RGBA": (8, 6), "I;16B": (16, 0)}

Chunk = tuple[bytes, bytes]


def rows_of(image: Image.Image, *, interlaced: bool = False) -> list[bytes]:
    """Return the rows of a picture, pass by pass, each with filter 0."""
    size = len(image.tobytes()) // (image.width * image.height)
    rows = []
    for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        for y in range(top, image.height, down):
            row = image.crop((0, y, image.width, y + 1)).tobytes()
            pixels = [row[size * x : size * (x + 1)] for x in range(left, image.width, across)]
            rows.append(b"\0" + b"".join(pixels))
    return rows


def header_of(image: Image.Image, *, interlaced: bool = False) -> bytes:
    return struct.pack(">IIBBBBB", *image.size, *_TYPES[image.mode], 0, 0, interlaced)


def compressed(rows: Sequence[bytes]) -> bytes:
    """Return a stream of rows whose damage at a byte damages only what follows it."""
    return zlib.compress(b"".join(rows), 0)


def in_chunks(stream: bytes, size: int) -> list[Chunk]:
    """Return a stream as chunks of coded pixels of at most so many bytes."""
    return [(b"IDAT", stream[at : at + size]) for at in range(0, len(stream), size)]


def packed(header: bytes, chunks: Sequence[Chunk], *, wrong_sum: int | None = None) -> bytes:
    """Return a PNG of a header, these chunks and an end; the chunk of this index has a wrong checksum."""
    found = [packed_chunk(b"IHDR", header), *(packed_chunk(*chunk) for chunk in chunks), packed_chunk(b"IEND", b"")]
    if wrong_sum is not None:
        found[1 + wrong_sum] = found[1 + wrong_sum][:-1] + bytes([found[1 + wrong_sum][-1] ^ 1])
    return b"\x89PNG\r\n\x1a\n" + b"".join(found)
