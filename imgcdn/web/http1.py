"""
Requests of HTTP/1.1, read from the bytes of one connection. Touches no socket.

The syntax is that of llhttp, Node's parser, through httptools. It refuses by itself: two lengths, a length with
`chunked`, folded lines, bare CR or LF, and NUL. The limits and the rules between headers are here.

Bytes beyond ASCII in a target, which llhttp refuses, count as percent-encoded (WHATWG URL, section 1.3): curl sends
them, and nginx passes them on.
"""

import re
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from httptools import HttpParserError, HttpParserInvalidURLError, HttpParserUpgrade, HttpRequestParser

from imgcdn.errors import (
    BadRequest,
    ContentTooLarge,
    ExpectationFailed,
    HeadersTooLarge,
    RequestError,
    TargetTooLong,
    UnknownVersion,
)
from imgcdn.web.limits import MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HEADERS, MAX_HOST_LENGTH, MAX_TARGET_LENGTH
from imgcdn.web.proxies import Peer, RequestIds
from imgcdn.web.request import Request, length_is_unknown
from imgcdn.web.request_lines import RequestLines

#: Requests that may wait for their turn on one connection.
MAX_QUEUED = 64

#: The parser cannot pause, so it gets this much at once: 57 of the shortest requests. It gets no more while so many
#: wait that 57 others would be too many.
_PIECE_BYTES = 1024
_FULL = MAX_QUEUED - 57

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")

#: Characters of a host and a port (RFC 3986, section 3.2). Nothing here looks a host up.
_HOST_CHARACTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~!$&'()*+;=%:[]")


class Incoming(NamedTuple):
    """
    A request that was read or refused, ready to be answered.

    Args:
        request: The request; if it is refused, as much of it as was read.
        keeps_alive: Whether the connection may carry another request.
        error: Why the request is refused; None when it is not.
        is_http_1_0: Whether a client has to be told that its connection stays open.
        is_expecting: Answer `100 Continue` now: the client waits with its body until then (RFC 9110, section 10.1.1).
    """

    request: Request
    keeps_alive: bool = False
    error: RequestError | None = None
    is_http_1_0: bool = False
    is_expecting: bool = False


class RequestReader:
    """
    Turns the bytes of one connection into requests, in their order.

    Args:
        peer: The other end of the connection.
        ids: Makes the ids of requests.
        takes_body: Returns whether the body of a request will be read.
        clock: Seconds, to tell when a request was complete.
    """

    def __init__(
        self,
        peer: Peer,
        ids: RequestIds,
        takes_body: Callable[[Request], bool],
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._peer = peer
        self._ids = ids
        self._takes_body = takes_body
        self._clock = clock
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._ready: deque[Incoming] = deque()
        self._unread = b""
        self._lines = RequestLines()
        self._has_ended = False
        self._has_dropped = False
        self._head_bytes = 0
        self._begin()

    def _begin(self) -> None:
        self._has_begun = self._is_in_body = False
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_count = 0
        self._body: list[bytes] = []

    def __len__(self) -> int:
        """Return how many requests wait for their turn."""
        return len(self._ready)

    @property
    def is_full(self) -> bool:
        """Whether so many requests wait that no more bytes should be read."""
        return bool(self._unread)

    @property
    def is_within_request(self) -> bool:
        """Whether a request has begun and is not complete."""
        return self._has_begun or self._head_bytes > 0

    @property
    def has_leftovers(self) -> bool:
        """Whether bytes came that will not be answered. Their client may send more, and would meet a reset."""
        return self._has_dropped or bool(self._ready or self._unread) or self.is_within_request

    def feed(self, data: bytes | memoryview) -> None:
        """Read bytes. What follows a refused request, or one after which the connection closes, is dropped."""
        if self._unread:
            data, self._unread = self._unread + bytes(data), b""
        if len(data) <= _PIECE_BYTES and len(self._ready) < _FULL:
            self._feed_piece(data)
            return
        for start in range(0, len(data), _PIECE_BYTES):
            if len(self._ready) >= _FULL:
                self._unread = bytes(data[start:])
                return
            self._feed_piece(data[start : start + _PIECE_BYTES])

    def next(self) -> Incoming | None:
        """Return what is to be answered next; None when no request is complete."""
        if not self._ready:
            return None
        incoming = self._ready.popleft()
        if self._unread and not self._ready:
            self.feed(b"")
        return incoming

    def close(self) -> None:
        """Read no more. The parser refers to this reader, so the two would otherwise wait for the garbage collector."""
        self._has_ended = True
        self._parser = None
        self._unread = b""

    def _feed_piece(self, piece: bytes | memoryview) -> None:
        data = bytes(piece)
        if data.isascii():
            self._feed_part(data)
            return
        at = 0
        while (found := _BEYOND_ASCII.search(data, at)) is not None:
            self._feed_part(data[at : found.start()])
            at = self._feed_beyond_ascii(data, found.start())
        self._feed_part(data[at:])

    def _feed_beyond_ascii(self, data: bytes, at: int) -> int:
        """Feed a byte beyond ASCII, and what belongs to the same part of its request. Return where that ends."""
        if self._has_begun and self._lines.is_within_line:
            end = _end_of(data, b"\n", at)
            self._feed_part(_BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], data[at:end]))
            return end
        if self._is_in_body:
            end = at + int(self._headers[b"content-length"]) - sum(map(len, self._body))
        else:
            end = _end_of(data, b"\r\n\r\n", at)
        self._feed_part(data[at:end])
        return min(end, len(data))

    def _feed_part(self, piece: bytes) -> None:
        if self._has_ended or self._parser is None:
            self._has_dropped = self._has_dropped or len(piece) > 0
            return
        if not self._is_in_body:
            self._head_bytes += len(piece)
        self._lines.feed(piece)
        try:
            self._parser.feed_data(piece)
        except HttpParserUpgrade:
            self._has_ended = self._has_dropped = True
        except HttpParserError as error:
            # llhttp also reports bytes that follow the last request. `_refuse` ignores that.
            self._refuse(BadRequest(_explain(error), log=str(error)))
        self._lines.drop_ended()
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(
                TargetTooLong(f"A URL may have up to {MAX_TARGET_LENGTH} characters.")
                if len(self._target) > MAX_TARGET_LENGTH
                else HeadersTooLarge(f"The head of a request may have up to {MAX_HEAD_BYTES} bytes.")
            )

    # The parser calls what follows.

    def on_message_begin(self) -> None:
        """Note the first byte of a request."""
        self._has_begun = True
        self._lines.begin()

    def on_url(self, part: bytes) -> None:
        """Take a part of the target."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self._header_count += 1
        if self._header_count > MAX_HEADERS:
            return  # refused when the head is complete; each joined value would be copied with all before it
        name = name.lower()
        headers = self._headers
        headers[name] = headers[name] + b", " + value.rstrip() if name in headers else value.rstrip()

    def on_headers_complete(self) -> None:
        """Judge the head."""
        if self._has_ended or self._parser is None:
            return
        error = self._judge()
        if error is not None:
            self._refuse(error)
            return
        if int(self._headers.get(b"content-length", b"0")) == 0:
            return
        request = self._request()
        if not self._takes_body(request):
            # It is answered now, without its body. That is on its way, so nothing can be read after it.
            self._has_dropped = True
            self._end_with(Incoming(request))
            return
        self._is_in_body = True
        if b"expect" in self._headers and self._parser.get_http_version() == "1.1":
            self._ready.append(Incoming(request, keeps_alive=True, is_expecting=True))

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Queue the request."""
        parser = self._parser
        if self._has_ended or parser is None:
            return
        self._lines.end(self._body)
        keeps_alive = parser.should_keep_alive() and not parser.should_upgrade()
        is_http_1_0 = parser.get_http_version() == "1.0"
        self._ready.append(Incoming(self._request(), keeps_alive, is_http_1_0=is_http_1_0))
        self._has_ended = not keeps_alive
        self._head_bytes = 0
        self._begin()

    # The rules between headers.

    def _judge(self) -> RequestError | None:
        assert self._parser is not None
        headers, version = self._headers, self._parser.get_http_version()
        if version not in ("1.0", "1.1"):
            return UnknownVersion("Use HTTP/1.1.")
        if not self._lines.names_http():
            return BadRequest("The request is of another protocol. Use HTTP/1.1.")
        if len(self._target) > MAX_TARGET_LENGTH:
            return TargetTooLong(f"A URL may have up to {MAX_TARGET_LENGTH} characters.")
        if self._header_count > MAX_HEADERS:
            return HeadersTooLarge(f"A request may have up to {MAX_HEADERS} headers.")
        host = headers.get(b"host")
        if host is None and version == "1.1":
            return BadRequest("A request of HTTP/1.1 needs a Host header (RFC 9112, section 3.2).")
        if host is not None and not _is_host(host):
            return BadRequest("Send one Host header, with a host and perhaps a port.")
        return self._judge_target() or self._judge_body(version)

    def _judge_target(self) -> RequestError | None:
        assert self._parser is not None
        method, target = self._parser.get_method(), self._target
        if target.startswith(b"/") or method == b"CONNECT" or (method == b"OPTIONS" and target == b"*"):
            return None
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in (b"http", b"https"):
            return BadRequest("A target begins with a slash, or with http:// and a host.")
        # The absolute form (RFC 9112, section 3.2.2): its host replaces that of the header.
        ends = [at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0]
        authority_ends = min(ends, default=len(rest))
        host = rest[:authority_ends]
        if not host or not _is_host(host):
            return BadRequest("A target that begins with http:// needs a host, and perhaps a port.")
        self._headers[b"host"] = host
        path = rest[authority_ends:]
        self._target = path if path.startswith(b"/") else b"/" + path
        return None

    def _judge_body(self, version: str) -> RequestError | None:
        headers = self._headers
        if b"transfer-encoding" in headers:
            # Its length is not known beforehand; under 1.0 proxies disagree on where it ends (RFC 9112, section 6.1).
            if version == "1.0":
                return BadRequest("HTTP/1.0 has no Transfer-Encoding.")
            return length_is_unknown()
        length = int(headers.get(b"content-length", b"0"))
        if length > MAX_BODY_BYTES:
            return ContentTooLarge(f"A body may have up to {MAX_BODY_BYTES} bytes.")
        if b"expect" in headers and headers[b"expect"].lower() != b"100-continue":
            return ExpectationFailed("The only expectation that can be met is 100-continue.")
        return None

    def _refuse(self, error: RequestError) -> None:
        """Queue a refusal as the last of the connection's responses, unless there is a last one already."""
        self._has_dropped = True
        if not self._has_ended:
            self._end_with(Incoming(self._request(), error=error))

    def _end_with(self, last: Incoming) -> None:
        """Queue the last request of the connection."""
        self._has_ended = True
        self._ready.append(last)
        # The parser reads its piece to the end. Headers that still come must not be added to those of this request.
        self._headers = {}

    def _request(self) -> Request:
        assert self._parser is not None
        # Before it has read a target, the parser returns the method of an earlier request, or none.
        method = self._parser.get_method().decode() if self._target else "-"
        target, headers = self._target.decode("latin-1"), self._headers
        request_id = self._ids.next(self._peer, headers)
        return Request(method, target, headers, b"".join(self._body), self._peer, request_id, self._clock())


def _end_of(data: bytes, mark: bytes, at: int) -> int:
    """Return where a mark ends; the end of the data if it is not there."""
    found = data.find(mark, at)
    return len(data) if found < 0 else found + len(mark)


def _is_host(text: bytes) -> bool:
    return len(text) <= MAX_HOST_LENGTH and _HOST_CHARACTERS.issuperset(text)


def _explain(error: HttpParserError) -> str:
    if isinstance(error, HttpParserInvalidURLError):
        return "The URL has characters that must be percent-encoded."
    return "The request breaks a rule of HTTP/1.1. Send one request line, then headers, then an empty line."
