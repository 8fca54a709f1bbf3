"""The lines with which the requests of a connection begin, found in its bytes. Touches no socket."""


class RequestLines:
    """
    Finds the line of each request in the pieces that the parser gets.

    llhttp takes the protocols RTSP and ICE, too, and does not report which one a request names.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._is_open = True
        self._line_end = 0
        self._body_bytes = 0
        self._has_ended = False

    @property
    def is_within_line(self) -> bool:
        """Whether the line of the request that has begun has not ended."""
        self._is_open = self._is_open and b"\n" not in self._bytes.lstrip(b"\r\n")
        return self._is_open

    def feed(self, piece: bytes) -> None:
        """Take a piece before the parser gets it."""
        self._bytes += piece

    def drop_ended(self) -> None:
        """After the parser has taken a piece: drop the bytes if no request has begun in it that has not ended."""
        if self._has_ended:
            self._bytes, self._has_ended = bytearray(), False

    def begin(self) -> None:
        """Note that the parser has come to a request. Drop the bytes of one that has ended in the same piece."""
        if self._has_ended:
            head_end = self._bytes.find(b"\r\n\r\n", self._line_end) + 4
            self._bytes, self._has_ended = self._bytes[head_end + self._body_bytes :], False
        self._is_open = True

    def names_http(self) -> bool:
        """Tell whether the line of the request, whose head is complete, ends in HTTP and a version."""
        if self._bytes[0] in b"\r\n":  # empty lines before the request, of which an earlier piece may have had a part
            self._bytes = self._bytes.lstrip(b"\r\n")
        self._line_end = self._bytes.find(b"\n") - 1
        return self._bytes.startswith(b"HTTP/", self._line_end - len(b"HTTP/1.1"))

    def end(self, body: list[bytes]) -> None:
        """Note that the request is complete."""
        self._body_bytes = sum(map(len, body)) if body else 0
        self._has_ended = True
