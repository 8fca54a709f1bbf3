"""Content codings of responses: what an origin compressed unasked is inflated, within the limits of a fetch."""

import gzip
import hashlib
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.errors import ImageTooLarge, OriginError, OriginTimeout
from imgcdn.origins.codings import MAX_CODINGS_LENGTH, codings_of, decoded, most_coded
from tests.support import origin as at
from tests.support.fetching import BODY, Make, fetch_error, get
from tests.support.origin import running

URL = "https://a.example/b.jpg"
NOISE = random.Random(5).randbytes(200_000)


def bare(data: bytes) -> bytes:
    """Compress without the head and the checksum of zlib, as some origins do for deflate."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


def stored(data: bytes) -> bytes:
    """Compress at level 0: blocks as they are."""
    return gzip.compress(data, 0)


def inflate(data: bytes, codings: Sequence[str], *, limit: int = 10**6, piece: int = 1_000) -> bytes:
    chunks = (data[start : start + piece] for start in range(0, len(data), piece))
    return b"".join(decoded(chunks, codings, limit=limit, url=URL))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("", (), id="none"),
        pytest.param("identity", (), id="identity"),
        pytest.param("aws-chunked", (), id="a name of S3"),
        pytest.param("utf-8", (), id="a character set"),
        pytest.param("none", (), id="a word"),
        pytest.param("binary", (), id="a transfer encoding of mail"),
        pytest.param("gzip;q=1", (), id="no token"),
        pytest.param("gzip", ("gzip",), id="gzip"),
        pytest.param(" X-GZip ", ("gzip",), id="its old name, in another case"),
        pytest.param("deflate", ("deflate",), id="deflate"),
        pytest.param("deflate, gzip", ("gzip", "deflate"), id="the one that was applied last comes off first"),
        pytest.param("gzip,aws-chunked", ("gzip",), id="beside a name that is no coding"),
        pytest.param(", ,gzip,,", ("gzip",), id="empty elements"),
        pytest.param("gzip, " * 5, ("gzip",) * 5, id="as many as there may be"),
        pytest.param("x" * MAX_CODINGS_LENGTH, (), id="as long as it may be"),
    ],
)
def test_codings_are_taken_off_in_this_order(header: str, expected: tuple[str, ...]) -> None:
    assert codings_of(header, URL) == expected


@pytest.mark.parametrize(
    ("header", "log"),
    [
        pytest.param("br", "the content coding br", id="brotli"),
        pytest.param("gzip, ZSTD", "the content coding zstd", id="zstd beside gzip"),
        pytest.param("br, zstd", "br, zstd", id="both"),
        pytest.param("gzip, " * 6, "too many content codings: 6", id="too many"),
        pytest.param("x" * (MAX_CODINGS_LENGTH + 1), "in 1001 characters", id="too long"),
    ],
)
def test_codings_that_cannot_be_taken_off_are_an_origin_error(header: str, log: str) -> None:
    with pytest.raises(OriginError) as caught:
        codings_of(header, URL)

    assert log in caught.value.log
    assert URL in caught.value.log


@pytest.mark.parametrize("piece", [1, 7, 100_000])
@pytest.mark.parametrize("data", [BODY, NOISE, bytes(300_000), b""], ids=["body", "noise", "zeros", "empty"])
@pytest.mark.parametrize(
    ("compress", "coding"),
    [
        pytest.param(gzip.compress, "gzip", id="gzip"),
        pytest.param(stored, "gzip", id="gzip without compression"),
        pytest.param(zlib.compress, "deflate", id="deflate"),
        pytest.param(bare, "deflate", id="bare deflate"),
    ],
)
def test_a_stream_is_inflated_however_it_arrives(
    compress: Callable[[bytes], bytes], coding: str, data: bytes, piece: int
) -> None:
    assert inflate(compress(data), [coding], piece=piece) == data


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]), st.integers(1, 50))
def test_any_bytes_are_inflated_or_refused(data: bytes, coding: str, piece: int) -> None:
    for head in (b"", gzip.compress(b"a")[:10], gzip.compress(BODY), zlib.compress(b"a")[:2]):
        try:
            found = inflate(head + data, [coding], piece=piece, limit=20_000)
        except (OriginError, ImageTooLarge):
            continue
        assert len(found) <= 20_000


def test_several_codings_come_off_one_after_the_other() -> None:
    data = zlib.compress(gzip.compress(gzip.compress(NOISE)))

    assert inflate(data, ["deflate", "gzip", "gzip"]) == NOISE


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(gzip.compress(b"a") + gzip.compress(b"b") * 3, b"abbb", id="streams one after the other"),
        pytest.param(gzip.compress(b"a") + b"\0" * 9, b"a", id="padding"),
        pytest.param(gzip.compress(b"a") + b"\x1f", b"a", id="the first byte of another stream"),
        pytest.param(gzip.compress(b"a") + b"\x1fz" + gzip.compress(b"b"), b"a", id="something else, then a stream"),
        pytest.param(b"".join(map(gzip.compress, [b"a"] * 1_000)), b"a" * 1_000, id="as many as there may be"),
    ],
)
@pytest.mark.parametrize("piece", [1, 10**6])
def test_what_follows_a_gzip_stream_counts_if_it_is_another_one(data: bytes, expected: bytes, piece: int) -> None:
    assert inflate(data, ["gzip"], piece=piece) == expected


@pytest.mark.parametrize(
    ("data", "coding"),
    [
        pytest.param(b"", "gzip", id="nothing"),
        pytest.param(b"\x1f", "gzip", id="a byte"),
        pytest.param(BODY, "gzip", id="no gzip"),
        pytest.param(b"\xff\xd8" + BODY, "deflate", id="no deflate"),
        pytest.param(gzip.compress(BODY)[:-1], "gzip", id="no last byte"),
        pytest.param(gzip.compress(BODY)[:-8], "gzip", id="no checksum"),
        pytest.param(gzip.compress(BODY)[:40], "gzip", id="half"),
        pytest.param(gzip.compress(BODY)[:-8] + bytes(8), "gzip", id="a wrong checksum"),
        pytest.param(gzip.compress(b"a") + gzip.compress(BODY)[:40], "gzip", id="half of a second stream"),
        pytest.param(zlib.compress(BODY)[:-1], "deflate", id="deflate without its last byte"),
        pytest.param(bare(BODY)[:-1], "deflate", id="bare deflate without its last byte"),
        pytest.param(zlib.compress(BODY), "gzip", id="deflate for gzip"),
        pytest.param(b"".join(map(gzip.compress, [b""] * 1_001)), "gzip", id="very many streams"),
    ],
)
def test_a_broken_stream_is_an_origin_error(data: bytes, coding: str) -> None:
    with pytest.raises(OriginError) as caught:
        inflate(data, [coding])

    assert URL in caught.value.log
    assert URL not in caught.value.detail


def test_a_body_ends_at_the_limit_and_not_before() -> None:
    for data, coding in ((stored(NOISE), "gzip"), (gzip.compress(NOISE), "gzip"), (zlib.compress(NOISE), "deflate")):
        assert inflate(data, [coding], limit=len(NOISE)) == NOISE
        with pytest.raises(ImageTooLarge) as caught:
            inflate(data, [coding], limit=len(NOISE) - 1)
        assert caught.value.limit == len(NOISE) - 1


def _counted(chunks: Iterable[bytes], taken: list[int]) -> Iterator[bytes]:
    for chunk in chunks:
        taken.append(len(chunk))
        yield chunk


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_bomb_is_read_no_further_than_the_limit(layers: int) -> None:
    bomb = bytes(30_000_000)
    for _ in range(layers):
        bomb = gzip.compress(bomb)
    made: list[int] = []
    with pytest.raises(ImageTooLarge):
        list(_counted(decoded([bomb], ["gzip"] * layers, limit=1_000_000, url=URL), made))

    assert sum(made) <= 1_000_000
    assert max(made) <= 65_536


def test_a_stream_that_inflates_to_nothing_is_read_no_further_than_the_limit() -> None:
    head = gzip.compress(b"")[:10]
    empty = b"\x00\x00\x00\xff\xff" * 10_000  # stored blocks of no bytes
    taken: list[int] = []
    with pytest.raises(ImageTooLarge):
        list(decoded(_counted([head, *[empty] * 1_000], taken), ["gzip"], limit=100_000, url=URL))

    assert sum(taken) <= most_coded(100_000) + len(empty)


@pytest.mark.parametrize("coding", ["aws-chunked", "utf-8", "none", "binary", "identity", "", "UTF-8, none"])
def test_a_name_that_is_no_coding_is_disregarded(make: Make, coding: str) -> None:
    with running({"/a.jpg": at.respond(BODY, content_encoding=coding)}) as origin:
        assert get(make(), origin.url())[1] == BODY


@pytest.mark.parametrize(
    ("header", "body"),
    [
        pytest.param("gzip", gzip.compress(BODY), id="gzip"),
        pytest.param("x-gzip", gzip.compress(BODY), id="x-gzip"),
        pytest.param("deflate", zlib.compress(BODY), id="deflate"),
        pytest.param("deflate", bare(BODY), id="bare deflate"),
        pytest.param("gzip, aws-chunked", gzip.compress(BODY), id="a list"),
        pytest.param("deflate, gzip", gzip.compress(zlib.compress(BODY)), id="two codings"),
    ],
)
def test_the_version_and_the_copy_are_of_the_inflated_bytes(make: Make, header: str, body: bytes) -> None:
    def chunked(exchange: at.Exchange) -> None:
        exchange.head(200, {"Transfer-Encoding": "chunked", "Content-Encoding": header})
        for byte in body:
            exchange.send(b"1\r\n%c\r\n" % byte)
        exchange.send(b"0\r\n\r\n")

    with running({"/a.jpg": at.respond(body, content_encoding=header), "/b.jpg": chunked}) as origin:
        fetcher = make()
        for path in ("/a.jpg", "/b.jpg", "/a.jpg"):
            answer, found = get(fetcher, origin.url(path))
            assert found == BODY
            assert answer.version == hashlib.sha256(BODY).hexdigest()
        assert origin.connections == 1, "the connection is kept alive"


def test_codings_in_two_headers_are_one_list(make: Make) -> None:
    body = gzip.compress(zlib.compress(BODY))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Encoding: GZIP\r\nContent-Length: %d\r\n\r\n"
    with running({"/a.jpg": at.raw(head % len(body) + body)}) as origin:
        assert get(make(), origin.url())[1] == BODY


def test_an_original_of_the_greatest_size_may_be_compressed_and_a_larger_one_is_too_large(make: Make) -> None:
    scripts = {
        "/stored": at.respond(stored(NOISE), content_encoding="gzip"),
        "/bomb": at.respond(gzip.compress(bytes(10**7)), content_encoding="gzip"),
        "/promised": at.raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 999999999\r\n\r\n"),
    }
    with running(scripts) as origin:
        fetcher = make(max_source_bytes=len(NOISE))
        assert get(fetcher, origin.url("/stored"))[1] == NOISE
        for path in ("/bomb", "/promised"):
            fetch_error(fetcher, origin.url(path), ImageTooLarge)
        fetch_error(make(max_source_bytes=len(NOISE) - 1), origin.url("/stored"), ImageTooLarge)


def test_inflating_ends_at_the_deadline_of_the_fetch(make: Make) -> None:
    def dripping(exchange: at.Exchange) -> None:
        exchange.head(200, {"Content-Encoding": "gzip"})
        exchange.send(gzip.compress(NOISE)[:1_000])
        while True:
            exchange.send(b"\0")
            exchange.wait(0.05)

    with running({"/a.jpg": dripping}) as origin:
        fetch_error(make(fetch_timeout_s=0.5), origin.url(), OriginTimeout)
