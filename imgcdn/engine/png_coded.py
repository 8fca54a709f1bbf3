"""
How much of a PNG's coded pixels can be decoded: their chunks, the stream that these hold, and the filters of its rows.

PNG 3rd edition, sections 7.3, 10 and 13.1. Where the standard leaves open what a viewer shows of a damaged picture, it
is what Chromium 156 shows.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from imgcdn.engine.png_chunks import SUM_BYTES, Chunk, walk
from imgcdn.engine.png_rows import PngHeader

# Chromium's decoder reads as many bytes of a file at once, and at most a chunk. It inflates them, but holds back the
# last bytes of the result, as many as later ones may refer to. An error loses both; the end of the file does not.
_READ_BYTES = 8192
_HELD_BACK = 32_768

# An error loses what its call has inflated. The call is repeated with smaller steps, to the byte before the error.
_STEPS = (65_536, 4096, 256, 16, 1)


@dataclass(frozen=True, slots=True)
class Measured:
    """
    What there is of the coded pixels.

    Args:
        count: Bytes of rows, with their filters, up to the damage.
        end: Where the compressed bytes end in the file from which these rows are made. Behind them is the damage, or
            the checksum of the stream, which browsers ignore.
    """

    count: int
    end: int


class _InterruptedError(Exception):
    """
    The stream is damaged, a chunk of it has a wrong checksum, or another chunk follows before the pixels are complete.

    Args:
        lost: Inflated bytes that Chromium loses beside those that it holds back.
    """

    def __init__(self, lost: int = 0) -> None:
        super().__init__(lost)
        self.lost = lost


def measure(file: BinaryIO, header: PngHeader) -> Measured:
    """
    Find out how much of the coded pixels can be decoded. They are decompressed, and not kept.

    Rows that Chromium loses do not count. Where it would lose all of them, they do count: other viewers show them.
    """
    total = header.coded_bytes()
    count = end = held_back = 0
    unknown: int | None = None
    try:
        for rows, consumed in _inflated(_parts(file)):
            if unknown is None:
                unknown = header.unknown_filter(count, rows)
            count, end = min(total, count + len(rows)), consumed
            if count == total:
                break
    except _InterruptedError as error:
        held_back = error.lost + _HELD_BACK
    if header.has_row(count - held_back):
        count -= held_back
    return Measured(count if unknown is None else min(count, unknown), end)


def has_wrong_sums(file: BinaryIO) -> bool:
    """
    Tell whether a chunk of coded pixels has a wrong checksum and another one follows it.

    The last one does not matter: a browser has all pixels before it gets to know that checksum.
    """
    last: Chunk | None = None
    for chunk in walk(file):
        if chunk.name == b"IDAT":
            if last is not None and not _is_sound(last):
                return True
            last = chunk
        elif last is not None:
            break
    return False


def _is_sound(chunk: Chunk) -> bool:
    try:
        for _ in _contents(chunk):
            pass
    except _InterruptedError:
        return False
    return True


def _parts(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the compressed pixels of the first picture in parts, each with where it ends in the file."""
    has_begun = False
    for chunk in walk(file):
        if chunk.name == b"IDAT":
            has_begun = True
            yield from _contents(chunk)
        elif has_begun:
            raise _InterruptedError


def _contents(chunk: Chunk) -> Iterator[tuple[bytes, int]]:
    at, end = chunk.content.start, chunk.content.stop
    checksum = zlib.crc32(chunk.name)
    while at < end:
        chunk.file.seek(at)
        data = chunk.file.read(min(_READ_BYTES - at % _READ_BYTES, end - at))
        checksum = zlib.crc32(data, checksum)
        at += len(data)
        yield data, at
    if not chunk.is_cut:
        chunk.file.seek(end)
        if int.from_bytes(chunk.file.read(SUM_BYTES)) != checksum:
            raise _InterruptedError


def _inflated(parts: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """Yield what unpacks without an error, each piece with where the compressed bytes end that it needs."""
    head = b""
    # Without the checksum of the stream, of which zlib makes an error.
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for part, end in parts:
        missing = 2 - len(head)
        head, rest = head + part[:missing], part[missing:]
        if len(head) == 2 and not _is_zlib(head):
            return
        steps = iter(_STEPS)
        step, lost = next(steps), 0
        while not inflater.eof:
            before = inflater.copy()
            try:
                piece = inflater.decompress(rest, step)
            except zlib.error:
                inflater, step = before, next(steps, 0)
                if step == 0:
                    raise _InterruptedError(lost) from None
                continue
            rest = inflater.unconsumed_tail
            if not piece and not rest:
                break
            lost += len(piece)
            yield piece, end - len(rest) - len(inflater.unused_data)
        if inflater.eof:
            return


def _is_zlib(head: bytes) -> bool:
    """Tell whether these two bytes begin a stream without a dictionary (RFC 1950, section 2.2)."""
    return head[0] & 15 == 8 and head[0] >> 4 <= 7 and int.from_bytes(head) % 31 == 0 and not head[1] & 32
