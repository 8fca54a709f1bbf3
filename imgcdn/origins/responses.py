"""
Strict reading of HTTP responses.

http.client accepts the end of a connection as the end of a header, and a truncated chunk size as a complete one. After
a deadline shuts a socket, or an origin dies, half a response would therefore look complete.
"""

import http.client
import re
from typing import BinaryIO

_MAX_CHUNK_LINE = 1_000
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")


class StrictResponse(http.client.HTTPResponse):
    """http.client's response, but strict. It also skips every interim response, not only 100."""

    def begin(self) -> None:
        whole, self.fp = self.fp, _Head(self.fp)  # type: ignore[assignment]  # as much of a file as a head needs
        try:
            super().begin()
        finally:
            if self.fp is not None:  # None where there is no body: it has been closed
                self.fp = whole

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # private, so not in the stubs
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)

    def _read_next_chunk_size(self) -> int:
        size = _CHUNK_SIZE.fullmatch(self.fp.readline(_MAX_CHUNK_LINE))
        if size is None:
            self._close_conn()  # type: ignore[attr-defined]  # private, so not in the stubs
            raise ValueError("a chunk size is truncated or not a number")
        return int(size[1], 16)


class _Head:
    """The head of a response. It is an error if it ends before its empty line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begun = False

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        if self._begun and not line:
            raise http.client.IncompleteRead(b"")
        self._begun = True  # without any line, the connection was closed before the response: another error
        return line

    def close(self) -> None:
        self._file.close()
