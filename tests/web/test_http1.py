"""Requests read from bytes, without a socket: what each sequence of bytes gets."""

import random

import pytest

from imgcdn.errors import ImgcdnError
from imgcdn.web.http1 import MAX_QUEUED, Incoming, RequestReader
from imgcdn.web.proxies import Peer, RequestIds

PEER = Peer("192.0.2.1", trusted=False)
OK = 200  # the reader accepts it; what the path answers is not its business


def reader() -> RequestReader:
    return RequestReader(PEER, RequestIds(), takes_body=lambda request: request.method == "POST")


def taken(data: bytes, *, piece: int = 1 << 20) -> list[Incoming]:
    """Return all that is to be answered, when the bytes come in pieces of a size."""
    source, found = reader(), []
    for start in range(0, len(data), piece):
        source.feed(data[start : start + piece])
        while (incoming := source.next()) is not None:
            found.append(incoming)
    return found


def statuses(found: list[Incoming]) -> list[int]:
    return [100 if each.is_expecting else OK if each.error is None else each.error.status for each in found]


GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
END = b"\r\n"
LONG = b"X-Long: " + b"x" * 4_000 + END
TWO = GET + END + GET + END

#: What a client sends -> the status of each response. After a refusal nothing is answered.
ROWS: dict[str, tuple[bytes, list[int]]] = {
    "a request": (GET + END, [OK]),
    "two requests": (TWO, [OK, OK]),
    "a request and a half": (GET + END + GET, [OK]),
    "half a request": (GET, []),
    "empty lines before": (END * 3 + GET + END, [OK]),
    "no end of empty lines": (END * 20_000, [431]),
    # Versions
    "HTTP/1.0 without Host": (b"GET / HTTP/1.0\r\n\r\n", [OK]),
    "HTTP/0.9": (b"GET /\r\n\r\n", [505]),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", [505]),
    "HTTP/3.7": (b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", [400]),
    "HTTP/2 with prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "RTSP": (b"DESCRIBE / RTSP/1.0\r\nHost: a\r\n\r\n", [400]),
    "RTSP with a method of HTTP": (b"GET / RTSP/1.1\r\nHost: a\r\n\r\n", [400]),
    "RTSP after empty lines": (END * 3 + b"GET / RTSP/1.0\r\n\r\n", [400]),
    "RTSP after requests": (TWO + END + b"GET / RTSP/1.0\r\n\r\n", [OK, OK, 400]),
    "RTSP after bodies": (
        (POST + b"Content-Length: 9\r\n\r\n\r\n\r\nabcde") * 2 + b"GET / RTSP/1.0\r\n\r\n",
        [OK, OK, 400],
    ),
    "RTSP with a header of HTTP": (b"GET / RTSP/1.0\r\nX: GET / HTTP/1.1\r\n\r\n", [400]),
    "a header of RTSP": (GET + b"X: GET / RTSP/1.0\r\n\r\n" + GET + END, [OK, OK]),
    "a body of RTSP": (POST + b"Content-Length: 18\r\n\r\nGET / RTSP/1.0\r\n\r\n" + GET + END, [OK, OK]),
    "ICE": (b"SOURCE /radio ICE/1.0\r\nHost: a\r\n\r\n", [400]),
    "ICE with the version of HTTP": (b"SOURCE /radio ICE/1.1\r\nHost: a\r\n\r\n", [400]),
    "HTTP with a method of ICE": (b"SOURCE /radio HTTP/1.1\r\nHost: a\r\n\r\n", [OK]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]),
    # Sizes
    "a long head": (GET + LONG * 7 + END, [OK]),
    "too long a head": (GET + LONG * 9 + END, [431]),
    "too long a head without an end": (GET + LONG * 9, [431]),
    "a second head that is too long": (GET + END + GET + LONG * 9, [OK, 431]),
    "100 headers": (GET + b"X: y\r\n" * 99 + END, [OK]),
    "101 headers": (GET + b"X: y\r\n" * 100 + END, [431]),
    "8,000 characters of a target": (b"GET /" + b"x" * 7_999 + b" HTTP/1.1\r\nHost: a\r\n\r\n", [OK]),
    "8,001 characters of a target": (b"GET /" + b"x" * 8_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", [414]),
    "a target without an end": (b"GET /" + b"x" * 40_000, [414]),
    # Host
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", [400]),
    "two Hosts": (GET + b"Host: b\r\n\r\n", [400]),
    "an empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", [OK]),
    "a Host with a port": (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", [OK]),
    "a Host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", [400]),
    "a Host with user information": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", [400]),
    "a Host of 260 characters": (b"GET / HTTP/1.1\r\nHost: " + b"a" * 260 + END + END, [OK]),
    "a Host of 261 characters": (b"GET / HTTP/1.1\r\nHost: " + b"a" * 261 + END + END, [400]),
    # Targets
    "the absolute form": (b"GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n", [OK]),
    "the absolute form without a host": (b"GET http:///c HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "the absolute form with user information": (b"GET http://u@b/c HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "the absolute form with a long host": (b"GET http://" + b"a" * 261 + b"/ HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "the absolute form of another scheme": (b"GET ftp://b/c HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", [OK]),
    "GET *": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "a relative target": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "a target that is not encoded": (b"GET /\xc3\xa9?\xe3\x80\x80 HTTP/1.1\r\nHost: a\r\n\r\n", [OK]),
    "a method beyond ASCII": (b"G\xc3\xa9T / HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "a version beyond ASCII": (b"GET / HTTP/1.\xc3\xa9\r\nHost: a\r\n\r\n", [400]),
    "a line that begins beyond ASCII": (b"\xc3\xa9 / HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "CONNECT": (b"CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n\r\n" + GET + END, [OK]),
    "Upgrade": (GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET + END, [OK]),
    "Upgrade without Connection": (GET + b"Upgrade: h2c\r\n\r\n" + GET + END, [OK, OK]),
    # Bodies
    "a body": (POST + b"Content-Length: 3\r\n\r\nabc" + GET + END, [OK, OK]),
    "an empty body": (GET + b"Content-Length: 0\r\n\r\n" + GET + END, [OK, OK]),
    "half a body": (POST + b"Content-Length: 3\r\n\r\na", []),
    "a body that nobody reads": (GET + b"Content-Length: 3\r\n\r\n", [OK]),
    "and a request after it": (GET + b"Content-Length: 3\r\n\r\nabc" + GET + END, [OK]),
    "64 KB": (POST + b"Content-Length: 65536\r\n\r\n" + b"x" * 65_536 + GET + END, [OK, OK]),
    "more than 64 KB": (POST + b"Content-Length: 65537\r\n\r\n", [413]),
    "chunked": (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: y\r\n\r\n", [413]),
    "chunked under HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "an unknown coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", [413]),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", [400]),
    "a length and chunked": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", [400]),
    "a length of many digits": (POST + b"Content-Length: " + b"0" * 5_000 + b"3\r\n\r\nabc", [400]),
    "a signed length": (POST + b"Content-Length: +3\r\n\r\nabc", [400]),
    "Expect: 100-continue": (POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", [100, OK]),
    "Expect without a body": (POST + b"Expect: 100-continue\r\n\r\n", [OK]),
    "Expect where nobody reads": (GET + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n", [OK]),
    "another expectation": (POST + b"Content-Length: 3\r\nExpect: a-miracle\r\n\r\n", [417]),
    # Syntax
    "a folded line": (GET + b"X: a\r\n b\r\n\r\n", [400]),
    "a bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", [400]),
    "a bare CR": (GET + b"X: a\rb\r\n\r\n", [400]),
    "NUL": (GET + b"X: a\0b\r\n\r\n", [400]),
    "a space before the colon": (GET + b"X : a\r\n\r\n", [400]),
    "no colon": (GET + b"X\r\n\r\n", [400]),
    "an unknown method": (b"STEAL / HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "an error after requests": (TWO + b"nonsense\r\n\r\n", [OK, OK, 400]),
    "a request after an error": (b"nonsense\r\n\r\n" + GET + END, [400]),
    # Connection
    "a request after close": (GET + b"Connection: close\r\n\r\n" + GET + END, [OK]),
    "a request after HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n" + GET + END, [OK]),
    "HTTP/1.0 with keep-alive": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET + END, [OK, OK]),
}


@pytest.mark.parametrize("piece", [1 << 20, 7, 1])
def test_only_the_target_is_percent_encoded(piece: int) -> None:
    odd = "\u3000é\U00010348".encode()
    body = b"Content-Length: %d\r\n\r\n" % len(odd)
    first = b"\r\nPOST /" + odd + b"?" + odd + b" HTTP/1.1\r\nHost: a\r\nX: " + odd + b"\r\n" + body + odd
    found = [incoming.request for incoming in taken(first * 2, piece=piece)]
    target = "/%E3%80%80%C3%A9%F0%90%8D%88?%E3%80%80%C3%A9%F0%90%8D%88"
    assert [(each.target, each.headers[b"x"], each.body) for each in found] == [(target, odd, odd)] * 2


@pytest.mark.parametrize("piece", [1 << 20, 1_000, 1])
@pytest.mark.parametrize(("data", "expected"), [pytest.param(*row, id=name) for name, row in ROWS.items()])
def test_bytes_get_these_responses(data: bytes, expected: list[int], piece: int) -> None:
    assert statuses(taken(data, piece=piece)) == expected


def test_a_protocol_is_told_in_any_pieces() -> None:
    chance = random.Random(7)
    for _ in range(500):
        data, expected = b"", [OK] * chance.randrange(6) + [chance.choice([OK, 400])]
        for status in expected:
            body = chance.choice([b"", b"abc", b"\r\n\r\nGET / RTSP/1.0\r\n\r\n"])
            protocol, other = (b"HTTP", b"RTSP") if status == OK else (b"RTSP", b"HTTP")
            data += END * chance.randrange(3) + b"POST /" + b"x" * chance.randrange(20) + b" " + protocol + b"/1.1\r\n"
            data += b"Host: a\r\nX: GET / " + other + b"/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body

        assert statuses(taken(data, piece=chance.choice([1, 2, 3, 50, 200, 2_000]))) == expected, data


def one(data: bytes) -> Incoming:
    (incoming,) = taken(data)
    return incoming


def test_a_request_has_what_was_sent() -> None:
    request = one(
        b"POST /a%2Fb?c=%20 HTTP/1.1\r\nHost: a\r\nX-One: 1 \r\nx-one:2\r\nContent-Length: 2\r\n\r\nhi"
    ).request

    assert (request.method, request.target, request.path) == ("POST", "/a%2Fb?c=%20", "/a%2Fb")
    assert request.headers == {b"host": b"a", b"x-one": b"1, 2", b"content-length": b"2"}
    assert (request.body, request.peer) == (b"hi", PEER)


def test_a_request_has_the_time_at_which_it_was_complete() -> None:
    times = iter((7.0, 8.0))
    source = RequestReader(PEER, RequestIds(), takes_body=lambda request: False, clock=lambda: next(times))
    source.feed(GET)
    source.feed(END + GET + END)

    assert [incoming.request.received_at for incoming in iter(source.next, None)] == [7.0, 8.0]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GET + b"Content-Length: 3\r\n\r\nabc" + GET + b"Accept: x\r\n\r\n", id="a body that nobody reads"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n" + GET + b"Accept: x\r\n\r\n", id="a refusal"),
    ],
)
def test_headers_that_follow_the_last_request_are_not_its_own(data: bytes) -> None:
    assert b"accept" not in one(data).request.headers


@pytest.mark.parametrize(
    ("target", "expected", "host"),
    [
        pytest.param(b"http://b/c?d", "/c?d", b"b", id="a path and a query"),
        pytest.param(b"HTTPS://b:8443", "/", b"b:8443", id="no path"),
        pytest.param(b"http://b?d=/e", "/?d=/e", b"b", id="a query alone"),
        pytest.param(b"//b/c", "//b/c", b"a", id="a path of two slashes"),
    ],
)
def test_the_host_of_the_absolute_form_replaces_that_of_the_header(target: bytes, expected: str, host: bytes) -> None:
    request = one(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n").request

    assert (request.target, request.headers[b"host"]) == (expected, host)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(GET + END, True, id="1.1"),
        pytest.param(GET + b"Connection: close\r\n\r\n", False, id="1.1 with close"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", False, id="1.0"),
        pytest.param(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True, id="1.0 with keep-alive"),
        pytest.param(GET + b"Content-Length: 3\r\n\r\n", False, id="a body that nobody reads"),
        pytest.param(GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", False, id="Upgrade"),
        pytest.param(b"CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n\r\n", False, id="CONNECT"),
        pytest.param(b"nonsense\r\n\r\n", False, id="an error"),
    ],
)
def test_a_connection_stays_open_if_another_request_may_follow(data: bytes, expected: bool) -> None:
    assert one(data).keeps_alive is expected


def test_only_so_many_requests_wait() -> None:
    shortest, many = b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 14_000
    source, most, answered = reader(), 0, 0
    source.feed(shortest * many)
    assert source.is_full
    while source.next() is not None:
        answered += 1
        most = max(most, len(source))

    assert answered == many
    assert most < MAX_QUEUED
    assert not source.is_full


def test_what_is_left_over_is_told() -> None:
    def leftovers(data: bytes) -> bool:
        source = reader()
        source.feed(data)
        source.next()
        return source.has_leftovers

    assert not leftovers(GET + END)
    assert leftovers(GET + END + GET)
    assert leftovers(TWO)
    assert leftovers(GET + b"Connection: close\r\n\r\n" + GET)
    assert leftovers(POST + b"Content-Length: 65537\r\n\r\n")
    assert leftovers(b"nonsense\r\n\r\n")


@pytest.mark.parametrize("data", [b"nonsense\r\n\r\n", GET + LONG * 9, POST + b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_refusal_says_what_to_do(data: bytes) -> None:
    error = one(data).error

    assert isinstance(error, ImgcdnError)
    assert error.detail.endswith(".")


def test_a_closed_reader_takes_nothing() -> None:
    source = reader()
    source.close()
    source.feed(GET + END)

    assert source.next() is None
