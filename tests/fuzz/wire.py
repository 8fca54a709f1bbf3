"""Fuzz targets on the wire: the bytes of a connection, and headers that a stored picture is requested with."""

import contextlib
import re
from collections.abc import Iterator

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from imgcdn.web.http1 import Incoming
from imgcdn.web.request import Request
from imgcdn.web.responses import Response
from tests.fuzz.served import STORED, Served, check_response, served
from tests.fuzz.target import Check, Target, spliced

_LINES = [
    b"GET /img/photo.png?w=40 HTTP/1.1\r\n", b"HEAD /img/photo.png?w=40 HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n",
    b"OPTIONS * HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n", b"CONNECT a:80 HTTP/1.1\r\n", b"GET http://b/c HTTP/1.1\r\n",
    b"PRI * HTTP/2.0\r\n", b"GET /-/problems/forbidden HTTP/1.1\r\n", b"GET /-/static/../x HTTP/1.1\r\n",
    b"GET /.netlify/images?url=/photo.png HTTP/1.1\r\n", b"GET /_image?href=/photo.png HTTP/1.1\r\n", b"GET /\r\n",
]  # fmt: skip
_FIELDS = [
    b"Host: a\r\n", b"Host:\r\n", b"Host: [::1]:80\r\n", b"Content-Length: 3\r\n", b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: keep-alive, upgrade\r\n",
    b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"X: a\r\n b\r\n", b"X-Long: " + b"y" * 900 + b"\r\n",
    b"Accept: image/avif,image/webp,*/*;q=0.8\r\n", b"If-None-Match: *\r\n", b"Save-Data: on\r\n",
    b"CDN-Loop: imgcdn-0;v=1, \"a\\\"\"\r\n", b"X-Forwarded-For: 1.2.3.4, ::1\r\n", b"X-Request-Id: abc\r\n",
    b"Range: bytes=0-1\r\n", b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
]  # fmt: skip
_LOOSE = [b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b":", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"%", b"\xff", b"//"]

_HEADERS = [
    (b"range", ["bytes=0-", "bytes=0-9", "bytes=-5", "bytes=5-1", "bytes=0-1,3-4", "bytes=9999999-", "lines=1-2"]),
    (b"if-range", ['"0"', 'W/"0"', "Sun, 06 Nov 1994 08:49:37 GMT"]),
    (b"if-none-match", ['"0"', 'W/"0", "1"', "*"]),
    (b"if-modified-since", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Thu Jan  1"]),
    (b"if-modified-since", ["Sun, 06 Nov 0000 08:49:37 GMT", "Sun Nov  6 08:49:37 0000"]),
    (b"accept", ["image/avif,image/webp,*/*;q=0.8", "text/html", 'image/webp;x="a,b";q=0.5', "image/*;q=0"]),
    (b"save-data", ["on", "On;x"]),
    (b"cdn-loop", ["a, b;c", 'imgcdn-1;"x"']),
    (b"x-forwarded-for", ["192.0.2.9, ::1", "fe80::1%eth0, unix:", "1.2.3.4:80"]),
    (b"x-request-id", ["abc", "a" * 128]),
    (b"host", ["a", "[::1]:1"]),
    (b"user-agent", ["Mozilla/5.0"]),
]  # fmt: skip


@st.composite
def _connections(draw: st.DrawFn) -> bytes:
    """Draw the bytes of a connection: requests of valid lines with some parts replaced."""
    requests = []
    for _ in range(draw(st.integers(1, 3))):
        fields = draw(st.lists(st.sampled_from(_FIELDS), max_size=6))
        requests.append(
            draw(st.sampled_from(_LINES)) + b"".join(fields) + b"\r\n" + draw(st.sampled_from([b"", b"abc"]))
        )
    pieces = st.one_of(st.sampled_from([*_LOOSE, *_FIELDS]), st.binary(max_size=12))
    return draw(spliced(st.just(b"".join(requests)), pieces))


def _header(name: bytes, values: list[str]) -> SearchStrategy[tuple[bytes, bytes]]:
    characters = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=8)
    pieces = st.one_of(st.sampled_from([",", ";", "=", '"', "\\", "-", "0", " ", "*", "\t", "9" * 5_000]), characters)
    return spliced(st.sampled_from(values), pieces).map(lambda value: (name, value.encode("latin-1")))


_HEADER_SETS = st.lists(st.one_of([_header(*each) for each in _HEADERS]), max_size=6).map(dict)


def _outcomes(service: Served, data: bytes, piece: int) -> list[tuple[object, ...]]:
    reader, found = service.reader(), []
    for start in range(0, len(data), piece):
        reader.feed(data[start : start + piece])
        while (incoming := reader.next()) is not None:
            found.append(_outcome(incoming))
    return found


def _outcome(incoming: Incoming) -> tuple[object, ...]:
    if incoming.error is not None:  # as much as was read, which depends on the pieces
        return (type(incoming.error),)
    request = incoming.request
    read = (request.method, request.target, request.headers, request.body)
    return (read, incoming.keeps_alive, incoming.is_http_1_0, incoming.is_expecting)


@contextlib.contextmanager
def _open_bytes() -> Iterator[Check[bytes]]:
    with served() as service:

        def check(data: bytes) -> None:
            service.answers(data)
            whole = _outcomes(service, data, len(data) + 1)
            for piece in (1, 7):
                assert _outcomes(service, data, piece) == whole, f"pieces of {piece} bytes are read in another way"

        yield check


@contextlib.contextmanager
def _open_headers() -> Iterator[Check[dict[bytes, bytes]]]:
    with served() as service:
        plain = service.answer(Request("GET", STORED, {}))
        assert plain is not None
        picture = bytes(plain.body[:])

        def check(headers: dict[bytes, bytes]) -> None:
            for method in ("GET", "HEAD"):
                request = Request(method, STORED, headers)
                response = service.answer(request)
                if response is not None:
                    check_response(response, request)
                    _check_picture(response, method, picture)

        yield check


def _check_picture(response: Response, method: str, picture: bytes) -> None:
    """Check that a picture is whole, or the part of it that the response names (RFC 9110, section 14)."""
    body, headers = bytes(response.body[:]), dict(response.headers)
    if response.status == 200:
        assert body == (b"" if method == "HEAD" else picture)
    elif response.status == 206:
        first, last, length = map(int, re.findall(rb"[0-9]+", headers[b"content-range"]))
        assert (method, length, body) == ("GET", len(picture), picture[first : last + 1])
        assert int(headers[b"content-length"]) == len(body) == last - first + 1
    elif response.status == 416:
        assert (method, headers[b"content-range"]) == ("GET", b"bytes */%d" % len(picture))
    else:
        assert body == b"" or response.status >= 400


#: The headers of the second request were added to those of the first, which was not answered yet.
_MIXED = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n"

BYTES = Target("bytes", _connections(), _open_bytes, cases=(_MIXED,))
HEADERS = Target("headers", _HEADER_SETS, _open_headers)
