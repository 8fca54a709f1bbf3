"""How much of a response may be something else than its content."""

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.errors import OriginError
from imgcdn.origins.responses import ChunkedBody
from tests.support import origin as at
from tests.support.fetching import HEAD_OF_TEN, Make, fetch_error, get
from tests.support.origin import running

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\n\r\n"
END = b"0\r\n\r\n"


def chunked(content: bytes, *sizes: int, extension: bytes = b"") -> bytes:
    """Write content in chunks of these sizes, over and over, without the last chunk."""
    pieces, number = [], 0
    while content:
        size = sizes[number % len(sizes)]
        pieces.append(b"%x%s\r\n%s\r\n" % (len(content[:size]), extension, content[:size]))
        content, number = content[size:], number + 1
    return b"".join(pieces)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([8_192], id="a usual buffer"),
        pytest.param([1_448], id="a segment of TCP"),
        pytest.param([64], id="small blocks"),
        pytest.param([1, 255], id="the blocks of a GIF, each with its length before it"),
        pytest.param([4, 4, 8_192, 4], id="the chunks of a PNG, field by field"),
        pytest.param([100_000], id="one chunk"),
    ],
)
def test_a_body_in_the_chunks_of_an_honest_server_is_accepted(make: Make, sizes: list[int]) -> None:
    content = bytes(range(250)) * 2_000
    with running({"/a.jpg": at.raw(HEAD + chunked(content, *sizes) + END)}) as origin:
        assert get(make(), origin.url())[1] == content


def test_a_small_body_may_come_in_any_chunks(make: Make) -> None:
    with running({"/a.jpg": at.raw(HEAD + chunked(b"x" * 3_000, 1) + END)}) as origin:
        assert get(make(), origin.url())[1] == b"x" * 3_000


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(chunked(b"x" * 10_000, 1), id="chunks of one byte"),
        pytest.param(chunked(b"x" * 20_000, 5), id="chunks of five bytes"),
        pytest.param(chunked(b"x" * 1_000_000, 40), id="chunks of forty bytes"),
        pytest.param(chunked(b"x" * 10_000, 1_000, extension=b";" + b"e" * 4_000), id="long extensions"),
        pytest.param(b"0\r\n" + b"X: y\r\n" * 10_000, id="trailers without end"),
        pytest.param(b"0\r\nX: " + b"y" * 20_000, id="a trailer without end"),
        pytest.param(b"5;" + b"y" * 20_000, id="an extension without end"),
        pytest.param(b"5\r\n01234-5\r\n", id="a chunk that is longer than its size"),
        pytest.param(b"\r\n5\r\n01234\r\n", id="an empty size"),
        pytest.param(b"5\r\n01234\r\n0\r\nX: y\rZ\r\n\r\n", id="a line end of another kind in a trailer"),
    ],
)
def test_a_body_with_too_much_framing_or_a_broken_one_is_an_origin_error(make: Make, body: bytes) -> None:
    with running({"/a.jpg": at.raw(HEAD + body + END)}) as origin:
        fetch_error(make(), origin.url(), OriginError)


def test_a_body_of_tiny_chunks_is_read_no_further_than_the_limit(make: Make) -> None:
    sent = 0

    def endless(exchange: at.Exchange) -> None:
        nonlocal sent
        exchange.send(HEAD)
        while True:
            exchange.send(b"1\r\nx\r\n" * 1_000)
            sent += 6_000

    with running({"/a.jpg": endless}) as origin:
        fetch_error(make(), origin.url(), OriginError)
    assert sent < 10**7  # what fits into the buffers of two sockets


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(HINTS * 17, id="seventeen interim responses"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 17, id="of the kind that http.client skips by itself"),
        pytest.param((HINTS[:-2] + b"Link: " + b"x" * 30_000 + b"\r\n\r\n") * 3, id="three long ones"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + (b"A: " + b"b" * 9_000 + b"\r\n") * 10, id="ten long headers"),
    ],
)
def test_a_head_that_is_too_long_is_an_origin_error(make: Make, head: bytes) -> None:
    with running({"/a.jpg": at.raw(head + HEAD_OF_TEN + b"0123456789")}) as origin:
        log = fetch_error(make(), origin.url(), OriginError).log
    assert "more than 16 interim responses" in log or "the head has more than 65536 bytes" in log


def test_sixteen_interim_responses_are_skipped(make: Make) -> None:
    with running({"/a.jpg": at.raw(HINTS * 16 + HEAD_OF_TEN + b"0123456789")}) as origin:
        assert get(make(), origin.url())[1] == b"0123456789"


def test_a_connection_is_used_again_after_a_body_in_chunks(make: Make) -> None:
    whole = at.raw(HEAD + chunked(b"x" * 10_000, 1_000) + b"0\r\nX: y\r\n\r\n", close=False)
    with running({"/a.jpg": whole}) as origin:
        fetcher = make()
        for _ in range(3):
            assert get(fetcher, origin.url())[1] == b"x" * 10_000
        assert origin.connections == 1


class _Pieces(io.RawIOBase):
    """A connection on which bytes arrive in pieces of the given lengths."""

    def __init__(self, data: bytes, lengths: list[int]) -> None:
        self._data = data
        self._lengths = lengths

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the stubs name a union of buffers
        length = min(self._lengths.pop(0) if self._lengths else len(buffer), len(buffer))
        piece, self._data = self._data[:length], self._data[length:]
        buffer[: len(piece)] = piece
        return len(piece)


@given(
    content=st.binary(max_size=300),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    lengths=st.lists(st.integers(1, 30), max_size=40),
    limit=st.integers(1, 50),
    cut=st.integers(0, 2_000),
)
def test_the_content_does_not_depend_on_how_the_bytes_arrive(
    content: bytes, sizes: list[int], lengths: list[int], limit: int, cut: int
) -> None:
    whole = chunked(content, *sizes, extension=b";a=b") + b"0;c\r\nTrailer: x\r\n\r\n"
    body = ChunkedBody(io.BufferedReader(_Pieces(whole[:cut], lengths)))  # type: ignore[type-var]  # as a socket's file
    read = b""
    try:
        while piece := body.read1(limit):
            assert len(piece) <= limit
            read += piece
        is_complete = True
    except http.client.IncompleteRead:
        is_complete = False

    assert is_complete is (cut >= len(whole))
    assert content.startswith(read)
    assert read == content or not is_complete
