"""A file made of parts of another file and of bytes of our own. Nothing of the other file is copied."""

import io
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of the other file, from `start` to before `end`."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


Piece = bytes | Span


def join(file: BinaryIO, pieces: Iterable[Piece]) -> BinaryIO:
    """
    Return a seekable file with these pieces one after another.

    Args:
        file: What spans refer to; seekable. It must stay open, and its position changes with every read.
        pieces: Spans lie within the file.
    """
    return io.BufferedReader(_Joined(file, [piece for piece in pieces if len(piece)]), 65_536)


class _Joined(io.RawIOBase):
    def __init__(self, file: BinaryIO, pieces: list[Piece]) -> None:
        self._file = file
        self._pieces = pieces
        self._ends = list(accumulate(map(len, pieces)))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1] if self._ends else 0}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the buffer that BufferedReader passes
        index = bisect_right(self._ends, self._at)
        if index == len(self._pieces):
            return 0
        piece = self._pieces[index]
        inside = self._at - self._ends[index] + len(piece)
        count = min(len(buffer), len(piece) - inside)
        data = self._read(piece, inside, count)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _read(self, piece: Piece, inside: int, count: int) -> bytes:
        if isinstance(piece, bytes):
            return piece[inside : inside + count]
        self._file.seek(piece.start + inside)
        return self._file.read(count)
