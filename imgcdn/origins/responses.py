"""
Strict reading of HTTP responses.

http.client accepts the end of a connection as the end of a header, and a truncated chunk size as a complete one. After
a deadline shuts a socket, or an origin dies, half a response would therefore look complete. It also reads interim
responses, chunks of one byte and trailers without end, each in Python, which delays everything else in the process.
"""

import http.client
import re
import threading
from typing import BinaryIO

#: Status line and headers, those of interim responses included. Chrome reads 256 KB, nginx 4 to 8 KB.
_MAX_HEAD_BYTES = 65_536

#: Interim responses before the final one. Go's client reads five of them (net/http, max1xxResponses).
_MAX_INTERIM = 16

#: Bytes of a body in chunks that are not its content (sizes, extensions, line ends, trailers): this many, and one for
#: each `_CONTENT_PER_FRAMING` bytes of content. An encoder that writes each block of a GIF by itself needs one for 23.
_FREE_FRAMING_BYTES = 16_384
_CONTENT_PER_FRAMING = 8
_MAX_LINE = 8_192

_READ_BYTES = 65_536
_FIRST_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
_NEXT_SIZE = re.compile(rb"\r\n" + _FIRST_SIZE.pattern)
_TRAILER = re.compile(rb"([^\r\n]*)\r?\n")

# One thread at a time decodes chunks. Each of them would otherwise hold the interpreter for its 5 ms before the event
# loop gets its turn: beside 16 fetches, a hit then takes 16 times as long.
_decoding = threading.Lock()


class StrictResponse(http.client.HTTPResponse):
    """http.client's response, but strict. It also skips every interim response, not only 100."""

    _interim = 0
    _chunks: "ChunkedBody | None" = None

    def begin(self) -> None:
        whole, self.fp = self.fp, _Head(self.fp)  # type: ignore[assignment]  # as much of a file as a head needs
        try:
            super().begin()
        finally:
            if self.fp is not None:  # None where there is no body: it has been closed
                self.fp = whole

    def read1(self, n: int = -1) -> bytes:
        """Return some bytes of the body as soon as there are any; none at its end."""
        if not self.chunked or self.fp is None:
            return super().read1(n)
        if self._chunks is None:
            self._chunks = ChunkedBody(self.fp)
        content = self._chunks.read1(n)
        if not content:
            self._close_conn()  # type: ignore[attr-defined]  # private, so not in the stubs
        return content

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # private, so not in the stubs
            if not 100 <= status < 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            self._interim += 1
            if self._interim > _MAX_INTERIM:
                raise http.client.HTTPException(f"more than {_MAX_INTERIM} interim responses")
            http.client.parse_headers(self.fp)


class ChunkedBody:
    """
    The content of a body in chunks (RFC 9112, section 7.1).

    All chunks that have arrived are decoded together. http.client would take a dozen calls for each.

    Args:
        file: The connection, at the size of the first chunk.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._received, self._position = b"", 0
        self._line = _FIRST_SIZE
        self._left_in_chunk = 0
        self._content_bytes = self._framing_bytes = 0
        self._has_ended = False

    def read1(self, limit: int = -1) -> bytes:
        """
        Return some bytes as soon as there are any; none at the end of the body.

        Raises:
            http.client.HTTPException: The body is not valid, ends early, or has too little content for its framing.
        """
        while True:
            with _decoding:
                content = self._decode(_READ_BYTES if limit < 0 else limit)
            if content or self._has_ended or not limit:
                return content
            self._receive()

    def _decode(self, limit: int) -> bytes:
        """Return what content has arrived."""
        pieces: list[bytes] = []
        while limit:
            piece = self._received[self._position : self._position + min(self._left_in_chunk, limit)]
            if piece:
                pieces.append(piece)
                self._position += len(piece)
                self._left_in_chunk -= len(piece)
                self._content_bytes += len(piece)
                limit -= len(piece)
            elif self._left_in_chunk or self._has_ended or not self._read_line():
                break
        return b"".join(pieces)

    def _read_line(self) -> bool:
        """Read the size of the next chunk, or a trailer. Return False if it has not arrived as a whole."""
        line = self._line.match(self._received, self._position)
        if line is None:
            self._check_incomplete()
            return False
        self._count_framing(line.end() - self._position)
        self._position = line.end()
        if self._line is _TRAILER:
            self._has_ended = not line[1]
        else:
            self._left_in_chunk = int(line[1], 16)
            self._line = _NEXT_SIZE if self._left_in_chunk else _TRAILER
        return True

    def _check_incomplete(self) -> None:
        """Raise an error if what has arrived is not the beginning of a line."""
        rest = self._received[self._position : self._position + _MAX_LINE]
        if b"\n" in rest.removeprefix(b"\r\n") or len(rest) == _MAX_LINE:
            raise http.client.HTTPException("the size of a chunk is not valid, or a trailer is too long")

    def _count_framing(self, length: int) -> None:
        self._framing_bytes += length
        content = self._content_bytes
        if self._framing_bytes > _FREE_FRAMING_BYTES + content // _CONTENT_PER_FRAMING:
            raise http.client.HTTPException(f"{self._framing_bytes} bytes of chunk framing for {content} of content")

    def _receive(self) -> None:
        more: bytes = self._file.read1(_READ_BYTES)  # type: ignore[attr-defined]  # a buffered reader has it
        if not more:
            raise http.client.IncompleteRead(b"")
        self._received, self._position = self._received[self._position :] + more, 0


class _Head:
    """The head of a response. It is an error if it ends before its empty line, or is too large."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begun = False
        self._bytes_left = _MAX_HEAD_BYTES

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(min(limit, self._bytes_left + 1))
        if self._begun and not line:
            raise http.client.IncompleteRead(b"")
        self._begun = True  # without any line, the connection was closed before the response: another error
        self._bytes_left -= len(line)
        if self._bytes_left < 0:
            raise http.client.HTTPException(f"the head has more than {_MAX_HEAD_BYTES} bytes")
        return line

    def close(self) -> None:
        self._file.close()
