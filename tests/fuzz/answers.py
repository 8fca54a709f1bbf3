"""Fuzz targets: what origins answer, as bytes and as headers that freshness depends on."""

import contextlib
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator

from hypothesis import strategies as st

from imgcdn.core.values import Source
from imgcdn.errors import ImageTooLarge, OriginError, RequestError
from imgcdn.origins.base import Stop, Validators
from imgcdn.origins.freshness import lifetime, permissions, retry_after
from imgcdn.origins.http import HttpFetcher
from tests.fuzz.target import Check, Target, ready, spliced
from tests.support.fetching import AT_HOME, LOOP_ID, ORIGIN, Names, admit_everything
from tests.support.origin import raw, running

_NOW = 1_700_000_000.0

_ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello") + gzip.compress(b"hello", 0),
    b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate, aws-chunked\r\n\r\n" + zlib.compress(b"hello"),
    b"HTTP/1.0 200 OK\r\n\r\nhello", b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 1\r\n\r\nx", b"HTTP/1.1 103 Early\r\n\r\n",
]  # fmt: skip
_ANSWER_PIECES = [
    b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"-1", b"ffffffffffffffff\r\n", b"Content-Length: 3\r\n", b"\xff",
    b"Transfer-Encoding: gzip\r\n", b"Content-Encoding: gzip\r\n", b"Content-Encoding: br\r\n",
    b"Content-Encoding: deflate,,utf-8\r\n", gzip.compress(bytes(10**6)), b"Location: http://origin.test:1/\r\n",
    b"Expires: Sun, 06 Nov 0000 08:49:37 GMT\r\n",
    b"Location: //user@x/\r\n", b"Location: http://[::1\r\n", b"Location: /\xff\xfe\r\n",
    b"X: " + b"y" * 70_000 + b"\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n", b"Content-Range: bytes 0-1/5\r\n", b"Set-Cookie: a=b\r\n", b"9" * 5_000,
]  # fmt: skip
_RESPONSES = spliced(st.sampled_from(_ANSWERS), st.one_of(st.sampled_from(_ANSWER_PIECES), st.binary(max_size=6)))

_DATE, _YEAR_0 = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT"
_VALUES = [
    "max-age=60",
    "no-store, private",
    's-maxage="5", x="a, no-store"',
    "stale-while-revalidate=9",
    _DATE,
    _YEAR_0,
    "0",
    "*",
    "5",
]
_VALUE_PIECES = st.one_of(
    st.sampled_from([",", "=", '"', "\\", "-", "9" * 5_000, " ", ";", "\u0661"]), st.text(max_size=4)
)
_NAMES = ["cache-control", "age", "date", "expires", "last-modified", "retry-after", "vary"]
_HEADERS = st.dictionaries(st.sampled_from(_NAMES), spliced(st.sampled_from(_VALUES), _VALUE_PIECES), max_size=5)


@contextlib.contextmanager
def _open_responses() -> Iterator[Check[bytes]]:
    with running() as origin:
        fetcher = HttpFetcher(ORIGIN, judge=admit_everything, loop_id=LOOP_ID, resolver=Names(AT_HOME))
        source = Source("remote", origin.url("/a.jpg"))
        known = Validators(source.location, etag='"1"')

        def check(response: bytes) -> None:
            origin.scripts["/a.jpg"] = raw(response)
            into = io.BytesIO()
            try:
                answer = fetcher.fetch(source, known, into=into, stop=Stop())
            except (OriginError, RequestError, ImageTooLarge) as error:
                assert origin.url("") not in error.detail
                return
            if answer.modified:
                assert answer.version == hashlib.sha256(into.getvalue()).hexdigest()
            assert all(isinstance(value, str) for value in answer.headers.values())

        try:
            yield check
        finally:
            fetcher.close()


def _check_headers(headers: dict[str, str]) -> None:
    found = lifetime(headers, received_at=_NOW, min_ttl_s=60, default_ttl_s=3_600, max_ttl_s=86_400)
    assert 60 <= found.fresh_for_s <= 86_400 or not found.storable
    others = permissions(tuple(sorted(headers.items())), _NOW)
    assert others.must_validate or others.fresh_until is None or others.fresh_until <= _NOW + 2**31
    assert (others.stale_while_revalidate_s or 0) >= 0
    after_s = retry_after(headers, now=_NOW)
    assert after_s is None or 0 <= after_s <= 2**31


RESPONSES = Target("origin-responses", _RESPONSES, _open_responses)
FRESHNESS = Target("freshness", _HEADERS, ready(_check_headers))
