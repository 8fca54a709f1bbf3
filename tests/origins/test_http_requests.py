import hashlib
from pathlib import Path

import pytest

from imgcdn.core.request.url import parse_remote
from imgcdn.core.values import Visit
from imgcdn.errors import (
    ImgcdnError,
    OriginBusy,
    OriginError,
    SourceNotFound,
    SourceWithheld,
)
from imgcdn.origins.base import Validators
from imgcdn.origins.http import ACCEPT, USER_AGENT
from tests.support import origin as at
from tests.support.fetching import (
    AT_HOME,
    BODY,
    HEAD_OF_TEN,
    LOOPBACK,
    Make,
    Names,
    fetch_error,
    get,
    validators_of,
)
from tests.support.origin import NAME, running

HEAD_404 = b"HTTP/1.1 404 Not Found\r\n"


def test_a_fetch_returns_the_headers_that_freshness_needs(make: Make) -> None:
    script = at.respond(BODY, etag='"a"', last_modified="x", cache_control="max-age=60", set_cookie="a=b", server="x")
    with running({"/a.jpg": script}) as origin:
        fetched, body = get(make(), origin.url())

    assert body == BODY
    assert fetched.modified
    assert fetched.version == hashlib.sha256(BODY).hexdigest()
    assert fetched.headers == {"etag": '"a"', "last-modified": "x", "cache-control": "max-age=60"}
    assert validators_of(fetched) == Validators(origin.url(), '"a"', "x")
    assert fetched.way == (Visit(origin.url(), "127.0.0.1"),)
    assert fetched.received_at == 1_700_000_000.0


def test_a_request_has_only_our_headers(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text(f"machine {NAME} login user password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    script = at.respond(BODY, set_cookie="a=b; Path=/")
    with running({"/a.jpg": script}) as origin:
        fetcher = make()
        get(fetcher, origin.url())
        get(fetcher, origin.url())
        for request in origin.requests:
            assert request.headers == {
                "host": f"{NAME}:{origin.port}",
                "user-agent": USER_AGENT,
                "accept": ACCEPT,
                "accept-encoding": "identity",
                "cdn-loop": "imgcdn-0123",
            }


@pytest.mark.parametrize(
    ("script", "connections"),
    [
        pytest.param(at.respond(bytes(16_384), status=404), 1, id="a short body"),
        pytest.param(at.respond(bytes(16_385), status=404), 2, id="a long body"),
        pytest.param(at.raw(HEAD_404 + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", close=False), 2, id="no length"),
    ],
)
def test_a_connection_is_used_again_if_its_unwanted_body_is_known_to_be_short(
    make: Make, script: at.Script, connections: int
) -> None:
    with running({"/a.jpg": at.respond(BODY), "/b.jpg": script}) as origin:
        fetcher = make()
        fetch_error(fetcher, origin.url("/b.jpg"), SourceNotFound)
        get(fetcher, origin.url("/a.jpg"))
        assert origin.connections == connections


TARGETS = [
    "/a.jpg",
    "/",
    "/?x=1",
    "//a//b/",
    "/a%2Fb.jpg?x=%41&y=%2e%2e",
    "/%7e%c3%bc%20",
    "/x?a=1&a=2;c+d?e/f",
    "/a;b=c,d!$&'()*+:@~_-.e",
    '/"<>^`{|}[]?"<>^`{|}[]',
    "/\u00fc?\u56f3",
    "/x?",
    "/x?u=https://b.example/../c",
    "/.../..a/a../~",
    "/50%off.jpg?100%",
    "/%c3%bc%?%zz%41%u4e2d",
    "/a b\u202f\u200d\u3000.png?c d",
    "//a:99999/x.jpg",
    "//[x%5d/y",
]


def test_the_target_that_was_checked_is_sent_byte_for_byte(make: Make) -> None:
    with running() as origin:
        fetcher = make()
        for target in TARGETS:
            with pytest.raises(SourceNotFound):
                get(fetcher, origin.url(target))
        sent = [request.target for request in origin.requests]

    assert sent == [parse_remote(origin.url(target)).target for target in TARGETS]


@pytest.mark.parametrize("host", [LOOPBACK, "::1"])
def test_an_address_can_be_a_host(make: Make, host: str) -> None:
    with running({"/a.jpg": at.respond(BODY)}, host=host) as origin:
        named = f"[{host}]" if ":" in host else host
        fetcher = make(lambda host, port: [host])
        assert get(fetcher, origin.url(host=named))[1] == BODY
        assert origin.requests[0].headers["host"] == f"{named}:{origin.port}"


def test_connections_are_kept_alive(make: Make) -> None:
    names = Names(AT_HOME)
    scripts = {"/a.jpg": at.respond(BODY), "/b.jpg": at.redirect("/a.jpg"), "/c.jpg": at.respond(status=404)}
    with running(scripts) as origin:
        fetcher = make(names)
        for path in ("/a.jpg", "/b.jpg", "/a.jpg"):
            get(fetcher, origin.url(path))
        fetch_error(fetcher, origin.url("/c.jpg"), SourceNotFound)
        get(fetcher, origin.url("/a.jpg"))

        assert origin.connections == 1
    assert names.looked_up == [NAME]


@pytest.mark.parametrize(
    ("etag", "last_modified"),
    [
        pytest.param('"a"', "", id="by tag"),
        pytest.param('W/"a"', "", id="by a weak tag"),
        pytest.param("unquoted", "", id="by a tag without quotes, sent unchanged"),
        pytest.param("", "Thu, 01 Jan 2026 00:00:00 GMT", id="by date"),
    ],
)
def test_a_request_with_validators_is_conditional(make: Make, etag: str, last_modified: str) -> None:
    with running({"/a.jpg": at.validated(BODY, etag=etag, last_modified=last_modified)}) as origin:
        fetcher = make()
        first, _ = get(fetcher, origin.url())
        again, body = get(fetcher, origin.url(), validators=validators_of(first))
        assert origin.connections == 1

    assert (again.modified, again.version, body) == (False, None, b"")
    assert validators_of(again) == validators_of(first)


def test_validators_are_sent_only_to_the_url_that_they_came_from(make: Make) -> None:
    with running({"/a.jpg": at.redirect("/b.jpg"), "/b.jpg": at.validated(BODY, etag='"b"')}) as origin:
        fetcher = make()
        first, _ = get(fetcher, origin.url())
        again, _ = get(fetcher, origin.url(), validators=validators_of(first))
        targets = [(request.target, "if-none-match" in request.headers) for request in origin.requests]

    assert first.way[-1].url == origin.url("/b.jpg")
    assert not again.modified
    assert targets == [("/a.jpg", False), ("/b.jpg", False), ("/a.jpg", False), ("/b.jpg", True)]


def test_a_304_to_an_unconditional_request_is_an_origin_error(make: Make) -> None:
    with running({"/a.jpg": at.respond(status=304)}) as origin:
        error = fetch_error(make(), origin.url(), OriginError)
        fetch_error(make(), origin.url(), OriginError, validators=Validators("https://else.test/", '"a"'))

    assert isinstance(error, OriginError)
    assert error.origin_status == 304


def test_a_validator_that_would_break_a_header_is_not_sent(make: Make) -> None:
    with running({"/a.jpg": at.respond(BODY)}) as origin:
        get(make(), origin.url(), validators=Validators(origin.url(), '"a"\r\nX: y', "\u20ac" * 10))
        assert not {"if-none-match", "if-modified-since", "x"} & origin.requests[0].headers.keys()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, SourceNotFound) for status in (404, 410)),
        *((status, SourceWithheld) for status in (401, 403, 451)),
        (429, OriginBusy),
        *((status, OriginError) for status in (201, 204, 206, 300, 305, 400, 402, 405, 407, 418, 499)),
        *((status, OriginError) for status in (500, 502, 503, 504, 599)),
    ],
)
def test_a_status_becomes_one_of_our_errors(make: Make, status: int, error: type[ImgcdnError]) -> None:
    with running({"/a.jpg": at.respond(b"secret", status=status)}) as origin:
        found = fetch_error(make(), origin.url(), error)

    assert f"{status}" in found.log
    assert not isinstance(found, OriginError) or found.origin_status == status


def test_203_counts_as_200(make: Make) -> None:
    with running({"/a.jpg": at.respond(BODY, status=203)}) as origin:
        assert get(make(), origin.url())[1] == BODY


@pytest.mark.parametrize(
    ("status", "value", "expected"),
    [
        pytest.param(503, "7", 7, id="seconds"),
        pytest.param(503, "Tue, 14 Nov 2023 22:13:50 GMT", 30, id="a date"),
        pytest.param(503, "86400", 60, id="a minute at most"),
        pytest.param(503, "soon", None, id="garbled"),
        pytest.param(500, "7", 7, id="an internal error"),
        pytest.param(499, "7", None, id="Retry-After of a 499 is ignored"),
        pytest.param(400, "7", None, id="Retry-After of a 400 is ignored"),
    ],
)
def test_the_error_has_the_retry_after_of_the_origin(make: Make, status: int, value: str, expected: int | None) -> None:
    with running({"/a.jpg": at.respond(status=status, retry_after=value)}) as origin:
        error = fetch_error(make(), origin.url(), OriginError)

    assert isinstance(error, OriginError)
    assert (error.retry_after_s, error.origin_retry_after_s) == (expected, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("Tue, 14 Nov 2023 22:13:50 GMT", 30, id="a date"),
        pytest.param("86400", 60, id="a minute at most"),
        pytest.param("soon", 2, id="garbled"),
        pytest.param("", 2, id="empty"),
        pytest.param("0", 2, id="at once"),
    ],
)
def test_a_busy_origin_has_a_time_to_retry(make: Make, value: str, expected: int) -> None:
    with running({"/a.jpg": at.respond(status=429, retry_after=value)}) as origin:
        assert fetch_error(make(), origin.url(), OriginBusy).retry_after_s == expected


def test_what_an_origin_withholds_looks_like_what_it_does_not_have(make: Make) -> None:
    with running({f"/{status}": at.respond(b"secret", status=status) for status in (404, 401, 403, 451)}) as origin:
        details = {fetch_error(make(), origin.url("/404"), SourceNotFound).detail}
        details |= {fetch_error(make(), origin.url(f"/{each}"), SourceWithheld).detail for each in (401, 403, 451)}

    assert len(details) == 1


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(at.half(BODY), id="half of what Content-Length promised"),
        pytest.param(at.raw(HEAD_OF_TEN), id="nothing of what it promised"),
        pytest.param(at.raw(CHUNKED + b"a\r\n01234"), id="half a chunk"),
        pytest.param(at.raw(CHUNKED + b"5\r\n01234\r\n"), id="no last chunk"),
        pytest.param(at.raw(CHUNKED + b"5\r\n01234\r\n0"), id="half the size of a chunk, which looks like the end"),
        pytest.param(at.raw(CHUNKED + b"5\r\n01234\r\n000"), id="half a size with zeros before it"),
        pytest.param(at.raw(CHUNKED), id="no chunk"),
        pytest.param(at.raw(CHUNKED + b"-5\r\n01234"), id="a negative size"),
        pytest.param(at.raw(CHUNKED + b"0x5\r\n01234\r\n0\r\n\r\n"), id="a size that only int() reads"),
        pytest.param(at.raw(CHUNKED + b"x\r\n"), id="no size"),
        pytest.param(at.raw(CHUNKED + b"5;" + b"x" * 5_000), id="an endless size"),
        pytest.param(at.dropped, id="no response"),
        pytest.param(at.raw(b"HTTP/1.1 200 OK\r\nContent-"), id="half a header"),
        pytest.param(at.raw(b"SSH-2.0-OpenSSH_9\r\n"), id="another protocol"),
        pytest.param(at.raw(b"HTTP/2 200 OK\r\n\r\n"), id="another version"),
        pytest.param(at.raw(b"HTTP/1.1 abc\r\n\r\n"), id="no status"),
        pytest.param(at.raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n"), id="five hundred headers"),
        pytest.param(at.raw(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n"), id="an endless header"),
        pytest.param(
            at.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n012345"), id="two lengths"
        ),
        pytest.param(at.respond(BODY, content_encoding="gzip"), id="a coding that the body does not have"),
        pytest.param(at.respond(BODY, content_encoding="br"), id="a content coding that cannot be taken off"),
        pytest.param(
            at.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            id="a compressed transfer coding",
        ),
    ],
)
def test_an_invalid_response_is_an_origin_error(make: Make, script: at.Script) -> None:
    with running({"/a.jpg": script}) as origin:
        fetch_error(make(), origin.url(), OriginError)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(at.raw(CHUNKED + b"5\r\n01234\r\n5;x=y\r\n56789\r\n0\r\n\r\n"), id="chunks"),
        pytest.param(at.raw(CHUNKED + b"a\r\n0123456789\r\n0\r\nX: y\r\n\r\n"), id="chunks and a trailer"),
        pytest.param(at.raw(*(bytes([byte]) for byte in HEAD_OF_TEN + b"0123456789")), id="byte by byte"),
        pytest.param(at.raw(b"HTTP/1.0 200 OK\r\n\r\n0123456789"), id="until the connection closes"),
        pytest.param(
            at.raw(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + HEAD_OF_TEN + b"0123456789"),
            id="early hints first",
        ),
        pytest.param(at.raw(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD_OF_TEN + b"0123456789"), id="100 continue first"),
        pytest.param(at.respond(b"0123456789", content_encoding="identity"), id="identity, spelled out"),
        pytest.param(at.respond(b"0123456789", content_type="text/html"), id="a wrong content type"),
    ],
)
def test_a_complete_response_is_accepted(make: Make, script: at.Script) -> None:
    with running({"/a.jpg": script}) as origin:
        assert get(make(), origin.url())[1] == b"0123456789"


def test_bytes_after_a_body_are_not_part_of_it(make: Make) -> None:
    with running(
        {"/a.jpg": at.raw(HEAD_OF_TEN + b"0123456789" + b"HTTP/1.1 200 OK\r\n\r\nsecret", close=False)}
    ) as origin:
        fetcher = make()
        for _ in range(3):
            assert get(fetcher, origin.url())[1] == b"0123456789"
