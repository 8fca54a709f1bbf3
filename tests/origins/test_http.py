import ast
import hashlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from imgcdn.core.request.allowlist import Allowlist
from imgcdn.core.request.url import RemoteUrl, join_base, parse_remote
from imgcdn.errors import (
    ConfigError,
    Forbidden,
    ImageTooLarge,
    ImgcdnError,
    OriginError,
    OriginTimeout,
    SourceNotFound,
)
from imgcdn.origins.addresses import AddressRule
from imgcdn.origins.connections import Watch
from imgcdn.origins.http import ACCEPT, USER_AGENT, Fetched, FetchPolicy, RemoteFetcher, Validators, is_loop
from tests.support import origin as at
from tests.support.origin import NAME, OTHER_NAME, Origin, running
from tests.support.paths import PACKAGE

BODY = bytes(range(256)) * 40
LOOPBACK = "127.0.0.1"
FORBIDDEN_ADDRESS = "127.0.0.2"
HERE = AddressRule([ip_network("127.0.0.1/32"), ip_network("::1/128")])

#: No limit that a test waits for is shorter than its slowest step on a busy machine; a deadline that fails to hold
#: would take `silent` and its like to a minute.
DEADLINE_S = 0.5
SLACK_S = 2.0


class Names:
    """A resolver that says what it is told: each name has one answer after the other, the last one for ever."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {name: list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        given = self._answers.get(host)
        if given is None:
            raise OSError(f"no such name: {host}")
        return given.pop(0) if len(given) > 1 else given[0]


AT_HOME = {NAME: [[LOOPBACK]], OTHER_NAME: [[LOOPBACK]]}
POLICY = FetchPolicy(
    admits=lambda url: True,
    loop_id="imgcdn-0123",
    addresses=HERE,
    connect_timeout_s=5.0,
    read_timeout_s=5.0,
    total_timeout_s=10.0,
)

Make = Callable[..., RemoteFetcher]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make fetchers that are closed at the end; keywords change the policy."""
    made: list[RemoteFetcher] = []

    def make(names: object = None, **changes: object) -> RemoteFetcher:
        resolver = names if callable(names) else Names(AT_HOME)
        made.append(RemoteFetcher(replace(POLICY, **changes), resolver=resolver, clock=lambda: 1_700_000_000.0))  # type: ignore[arg-type]  # the tests name fields of the policy
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return at.certificate(tmp_path_factory.mktemp("origin"))


def get(fetcher: RemoteFetcher, url: str, **more: object) -> tuple[Fetched, bytes]:
    into = io.BytesIO()
    fetched = fetcher.fetch(parse_remote(url), into=into, **more)  # type: ignore[arg-type]  # named at each call
    return fetched, into.getvalue()


def refused(fetcher: RemoteFetcher, url: str, error: type[ImgcdnError], **more: object) -> ImgcdnError:
    """Fetch what must fail with exactly this error, and say nothing of the origin to the client."""
    with pytest.raises(ImgcdnError) as caught:
        get(fetcher, url, **more)
    assert type(caught.value) is error, caught.value.log or caught.value
    for secret in (NAME, OTHER_NAME, "127.0.0", "secret"):
        assert secret not in caught.value.detail
    return caught.value


# What is sent, and what comes back


def test_an_original_is_fetched_with_what_freshness_needs(make: Make) -> None:
    script = at.answer(BODY, etag='"a"', last_modified="x", cache_control="max-age=60", set_cookie="a=b", server="x")
    with running({"/a.jpg": script}) as origin:
        fetched, body = get(make(), origin.url())

    assert body == BODY
    assert fetched.modified
    assert (fetched.sha256, fetched.length) == (hashlib.sha256(BODY).hexdigest(), len(BODY))
    assert fetched.headers == {"etag": '"a"', "last-modified": "x", "cache-control": "max-age=60"}
    assert fetched.url.url == origin.url()
    assert fetched.validators == Validators(origin.url(), '"a"', "x")
    assert fetched.received_at == 1_700_000_000.0


def test_a_request_carries_what_is_ours_and_nothing_else(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text(f"machine {NAME} login user password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    script = at.answer(BODY, set_cookie="a=b; Path=/")
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
]


def test_the_target_that_was_judged_is_sent_byte_for_byte(make: Make) -> None:
    with running() as origin:
        fetcher = make()
        for target in TARGETS:
            with pytest.raises(SourceNotFound):
                get(fetcher, origin.url(target))
        sent = [request.target for request in origin.requests]

    assert sent == [parse_remote(origin.url(target)).target for target in TARGETS]


@pytest.mark.parametrize("host", [LOOPBACK, "::1"])
def test_an_address_can_be_a_host(make: Make, host: str) -> None:
    with running({"/a.jpg": at.answer(BODY)}, host=host) as origin:
        named = f"[{host}]" if ":" in host else host
        fetcher = make(lambda host, port: [host])
        assert get(fetcher, origin.url(host=named))[1] == BODY
        assert origin.requests[0].headers["host"] == f"{named}:{origin.port}"


def test_connections_are_kept_alive(make: Make) -> None:
    names = Names(AT_HOME)
    scripts = {"/a.jpg": at.answer(BODY), "/b.jpg": at.redirect("/a.jpg"), "/c.jpg": at.answer(status=404)}
    with running(scripts) as origin:
        fetcher = make(names)
        for path in ("/a.jpg", "/b.jpg", "/a.jpg"):
            get(fetcher, origin.url(path))
        refused(fetcher, origin.url("/c.jpg"), SourceNotFound)
        get(fetcher, origin.url("/a.jpg"))

        assert origin.connections == 1
    assert names.asked == [NAME]


# Validation


@pytest.mark.parametrize(
    ("etag", "last_modified"),
    [
        pytest.param('"a"', "", id="by its tag"),
        pytest.param('W/"a"', "", id="by a weak tag"),
        pytest.param("unquoted", "", id="by a tag without quotes, sent as it came"),
        pytest.param("", "Thu, 01 Jan 2026 00:00:00 GMT", id="by its date"),
    ],
)
def test_an_origin_is_asked_whether_it_changed(make: Make, etag: str, last_modified: str) -> None:
    with running({"/a.jpg": at.validated(BODY, etag=etag, last_modified=last_modified)}) as origin:
        fetcher = make()
        first, _ = get(fetcher, origin.url())
        again, body = get(fetcher, origin.url(), validators=first.validators)
        assert origin.connections == 1

    assert (again.modified, again.sha256, again.length, body) == (False, "", 0, b"")
    assert again.validators == first.validators


def test_validators_go_to_the_url_that_they_came_from_and_to_no_other(make: Make) -> None:
    with running({"/a.jpg": at.redirect("/b.jpg"), "/b.jpg": at.validated(BODY, etag='"b"')}) as origin:
        fetcher = make()
        first, _ = get(fetcher, origin.url())
        again, _ = get(fetcher, origin.url(), validators=first.validators)
        asked = [(request.target, "if-none-match" in request.headers) for request in origin.requests]

    assert first.url.target == "/b.jpg"
    assert not again.modified
    assert asked == [("/a.jpg", False), ("/b.jpg", False), ("/a.jpg", False), ("/b.jpg", True)]


def test_a_304_that_was_not_asked_for_is_the_origins_error(make: Make) -> None:
    with running({"/a.jpg": at.answer(status=304)}) as origin:
        error = refused(make(), origin.url(), OriginError)
        refused(make(), origin.url(), OriginError, validators=Validators("https://else.test/", '"a"'))

    assert isinstance(error, OriginError)
    assert error.origin_status == 304


def test_a_validator_that_would_break_a_header_is_not_sent(make: Make) -> None:
    with running({"/a.jpg": at.answer(BODY)}) as origin:
        get(make(), origin.url(), validators=Validators(origin.url(), '"a"\r\nX: y', "\u20ac" * 10))
        assert not {"if-none-match", "if-modified-since", "x"} & origin.requests[0].headers.keys()


# What an origin may answer


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, SourceNotFound) for status in (404, 410)),
        *((status, OriginError) for status in (201, 204, 206, 300, 305, 400, 401, 403, 407, 418, 429, 451)),
        *((status, OriginError) for status in (500, 502, 503, 504, 599)),
    ],
)
def test_a_status_is_translated_once(make: Make, status: int, error: type[ImgcdnError]) -> None:
    with running({"/a.jpg": at.answer(b"secret", status=status)}) as origin:
        found = refused(make(), origin.url(), error)

    assert f"{status}" in found.log
    assert not isinstance(found, OriginError) or found.origin_status == status


def test_203_is_as_good_as_200(make: Make) -> None:
    with running({"/a.jpg": at.answer(BODY, status=203)}) as origin:
        assert get(make(), origin.url())[1] == BODY


@pytest.mark.parametrize(
    ("status", "value", "expected"),
    [
        pytest.param(503, "7", 7, id="seconds"),
        pytest.param(429, "7", 7, id="too many requests"),
        pytest.param(503, "Tue, 14 Nov 2023 22:13:50 GMT", 30, id="a date"),
        pytest.param(503, "86400", 60, id="no longer than a minute"),
        pytest.param(503, "soon", None, id="garbled"),
        pytest.param(403, "7", None, id="a negative does not pass"),
    ],
)
def test_an_origin_may_ask_to_be_left_alone(make: Make, status: int, value: str, expected: int | None) -> None:
    with running({"/a.jpg": at.answer(status=status, retry_after=value)}) as origin:
        error = refused(make(), origin.url(), OriginError)

    assert isinstance(error, OriginError)
    assert (error.retry_after_s, error.origin_retry_after_s) == (expected, expected)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(at.half(BODY), id="half of what Content-Length promised"),
        pytest.param(at.raw(LONG), id="nothing of what it promised"),
        pytest.param(at.raw(CHUNKED + b"a\r\n01234"), id="half a chunk"),
        pytest.param(at.raw(CHUNKED + b"5\r\n01234\r\n"), id="no last chunk"),
        pytest.param(at.raw(CHUNKED + b"5\r\n01234\r\n0"), id="half the size of a chunk, which looks like the end"),
        pytest.param(at.raw(CHUNKED + b"5\r\n01234\r\n000"), id="half a size with zeros before it"),
        pytest.param(at.raw(CHUNKED), id="no chunk at all"),
        pytest.param(at.raw(CHUNKED + b"-5\r\n01234"), id="a negative size"),
        pytest.param(at.raw(CHUNKED + b"0x5\r\n01234\r\n0\r\n\r\n"), id="a size that only int() reads"),
        pytest.param(at.raw(CHUNKED + b"x\r\n"), id="no size"),
        pytest.param(at.raw(CHUNKED + b"5;" + b"x" * 5_000), id="a size without end"),
        pytest.param(at.dropped, id="no answer"),
        pytest.param(at.raw(b"HTTP/1.1 200 OK\r\nContent-"), id="half a header"),
        pytest.param(at.raw(b"SSH-2.0-OpenSSH_9\r\n"), id="another protocol"),
        pytest.param(at.raw(b"HTTP/2 200 OK\r\n\r\n"), id="another version"),
        pytest.param(at.raw(b"HTTP/1.1 abc\r\n\r\n"), id="no status"),
        pytest.param(at.raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n"), id="five hundred headers"),
        pytest.param(at.raw(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n"), id="a header without end"),
        pytest.param(
            at.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n012345"), id="two lengths"
        ),
        pytest.param(at.zipped(BODY), id="compressed, though identity was asked for"),
        pytest.param(at.answer(BODY, content_encoding="br"), id="a coding that we do not even know"),
        pytest.param(
            at.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), id="compressed on the way"
        ),
    ],
)
def test_what_cannot_be_used_is_the_origins_error(make: Make, script: at.Script) -> None:
    with running({"/a.jpg": script}) as origin:
        refused(make(), origin.url(), OriginError)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(at.raw(CHUNKED + b"5\r\n01234\r\n5;x=y\r\n56789\r\n0\r\n\r\n"), id="chunks"),
        pytest.param(at.raw(CHUNKED + b"a\r\n0123456789\r\n0\r\nX: y\r\n\r\n"), id="chunks and a trailer"),
        pytest.param(at.raw(*(bytes([byte]) for byte in LONG + b"0123456789")), id="byte by byte"),
        pytest.param(at.raw(b"HTTP/1.0 200 OK\r\n\r\n0123456789"), id="until the connection closes"),
        pytest.param(
            at.raw(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + LONG + b"0123456789"), id="hints first"
        ),
        pytest.param(at.raw(b"HTTP/1.1 100 Continue\r\n\r\n" + LONG + b"0123456789"), id="continue first"),
        pytest.param(at.answer(b"0123456789", content_encoding="identity"), id="identity, spelled out"),
        pytest.param(at.answer(b"0123456789", content_type="text/html"), id="a type that is not believed"),
    ],
)
def test_what_is_whole_is_taken(make: Make, script: at.Script) -> None:
    with running({"/a.jpg": script}) as origin:
        assert get(make(), origin.url())[1] == b"0123456789"


def test_what_follows_a_body_is_no_part_of_it(make: Make) -> None:
    with running({"/a.jpg": at.raw(LONG + b"0123456789" + b"HTTP/1.1 200 OK\r\n\r\nsecret", close=False)}) as origin:
        fetcher = make()
        for _ in range(3):
            assert get(fetcher, origin.url())[1] == b"0123456789"


# Limits


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(at.endless, id="no length"),
        pytest.param(at.endless_chunks, id="chunks"),
        pytest.param(at.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n"), id="a length, before any byte"),
        pytest.param(
            at.raw(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n"), id="a length beyond all"
        ),
    ],
)
def test_a_body_is_read_no_further_than_the_limit(make: Make, script: at.Script) -> None:
    into = io.BytesIO()
    with running({"/a.jpg": script}) as origin, pytest.raises(ImageTooLarge) as caught:
        make(max_source_bytes=1_000_000).fetch(parse_remote(origin.url()), into=into)

    assert into.tell() <= 1_000_000
    assert caught.value.members == {"limit": 1_000_000, "unit": "bytes"}


def test_a_body_of_exactly_the_limit_is_taken(make: Make) -> None:
    with running({"/a.jpg": at.answer(BODY)}) as origin:
        assert get(make(max_source_bytes=len(BODY)), origin.url())[0].length == len(BODY)
        refused(make(max_source_bytes=len(BODY) - 1), origin.url(), ImageTooLarge)


SLOW = {
    "no answer": at.silent,
    "a dripping header": at.drip_header,
    "interim responses without end": at.drip_interim,
    "a dripping body": at.drip_body,
    "a dripping body without a length": at.drip_without_length,
    "a dripping chunk size": at.drip_chunk_size,
    "a redirect's dripping body": at.drip_redirect_body,
}


@pytest.mark.parametrize("script", [pytest.param(script, id=name) for name, script in SLOW.items()])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_fetch_ends_at_its_deadline(make: Make, certificate: tuple[Path, Path], script: at.Script, tls: bool) -> None:
    with running({"/a.jpg": script}, tls=certificate if tls else None) as origin:
        fetcher = make(total_timeout_s=DEADLINE_S, ca_bundle=str(certificate[0]))
        began = time.monotonic()
        refused(fetcher, origin.url(), OriginTimeout)

    assert time.monotonic() - began < DEADLINE_S + SLACK_S


@pytest.mark.parametrize("script", [pytest.param(SLOW[name], id=name) for name in ("a dripping header", "no answer")])
def test_the_deadline_holds_on_a_connection_that_was_kept_alive(
    make: Make, certificate: tuple[Path, Path], script: at.Script
) -> None:
    with running({"/a.jpg": at.answer(BODY), "/b.jpg": script}, tls=certificate) as origin:
        fetcher = make(total_timeout_s=SLACK_S, ca_bundle=str(certificate[0]))
        get(fetcher, origin.url("/a.jpg"))
        began = time.monotonic()
        refused(fetcher, origin.url("/b.jpg"), OriginTimeout)
        assert origin.connections == 1

    assert time.monotonic() - began < 2 * SLACK_S


def test_a_connection_made_when_the_time_is_up_ends_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Watch(0.01) as watch:
        while not watch.fired:
            time.sleep(0.01)
        watch.hold(ours)
        theirs.settimeout(10)
        assert theirs.recv(1) == b""


def test_the_deadline_is_for_all_hops_together(make: Make) -> None:
    def slow_redirect(exchange: at.Exchange) -> None:
        exchange.wait(0.8 * DEADLINE_S)
        exchange.answer(status=302, headers={"Location": "/b.jpg"})

    with running({"/a.jpg": slow_redirect, "/b.jpg": slow_redirect}) as origin:
        refused(make(total_timeout_s=DEADLINE_S), origin.url(), OriginTimeout)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"connect_timeout_s": DEADLINE_S}, id="by the time to connect"),
        pytest.param({"total_timeout_s": DEADLINE_S}, id="by the time in all"),
    ],
)
def test_a_handshake_that_never_ends_is_cut(
    make: Make, certificate: tuple[Path, Path], changes: Mapping[str, float]
) -> None:
    with running(tls=certificate, handshake=False) as origin:
        began = time.monotonic()
        refused(make(**changes), origin.url(), OriginTimeout)

    assert time.monotonic() - began < DEADLINE_S + SLACK_S


def test_an_origin_that_says_nothing_is_given_its_time_to_read(make: Make) -> None:
    with running({"/a.jpg": at.silent}) as origin:
        began = time.monotonic()
        refused(make(read_timeout_s=DEADLINE_S), origin.url(), OriginTimeout)

    assert time.monotonic() - began < DEADLINE_S + SLACK_S


@pytest.mark.parametrize("bound", ["connect_timeout_s", "total_timeout_s"])
def test_a_look_up_that_hangs_is_left_behind(make: Make, bound: str) -> None:
    answered = threading.Event()
    began = time.monotonic()
    try:
        fetcher = make(lambda host, port: answered.wait() and [], **{bound: DEADLINE_S})
        refused(fetcher, f"http://{NAME}/", OriginTimeout)
    finally:
        answered.set()

    assert time.monotonic() - began < DEADLINE_S + SLACK_S


def test_hung_look_ups_are_bounded(make: Make) -> None:
    answered, lock, running_now = threading.Event(), threading.Lock(), []

    def hang(host: str, port: int) -> Sequence[str]:
        with lock:
            running_now.append(host)
        answered.wait()
        return []

    fetcher = make(hang, connect_timeout_s=DEADLINE_S)
    errors: list[ImgcdnError] = []
    threads = [
        threading.Thread(target=lambda: errors.append(refused(fetcher, f"http://{NAME}/", OriginTimeout)))
        for _ in range(40)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        answered.set()

    assert len(errors) == 40
    assert len(running_now) == 32


# Where it may go


def test_only_what_the_allowlist_admits_is_fetched(make: Make) -> None:
    with running({"/m/a.jpg": at.answer(BODY), "/a.jpg": at.answer(BODY)}) as origin:
        fetcher = make(admits=Allowlist([f"http://{NAME}:{origin.port}/m/**"]).admits)
        assert get(fetcher, origin.url("/m/a.jpg"))[1] == BODY
        error = refused(fetcher, origin.url("/a.jpg"), Forbidden)
        assert len(origin.requests) == 1

    assert "allowlist" in error.log


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1", "0", "0x0", "localhost", "[::1]", "[::]"],
)
def test_no_spelling_of_this_machine_gets_past_the_system_resolver(host: str) -> None:
    with running({"/a.jpg": at.answer(BODY)}) as origin:
        fetcher = RemoteFetcher(replace(POLICY, addresses=AddressRule()))
        refused(fetcher, origin.url(host=host), Forbidden)
        fetcher.close()
        assert origin.connections == 0


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([FORBIDDEN_ADDRESS], id="alone"),
        pytest.param([LOOPBACK, FORBIDDEN_ADDRESS], id="behind a good one"),
        pytest.param([FORBIDDEN_ADDRESS, LOOPBACK], id="before a good one"),
        pytest.param([LOOPBACK] * 10 + ["fe80::1%lo"], id="last of many"),
        pytest.param([LOOPBACK, "not an address"], id="and nonsense"),
    ],
)
def test_one_bad_answer_refuses_all(make: Make, answers: list[str]) -> None:
    with running({"/a.jpg": at.answer(BODY)}) as origin:
        error = refused(make(Names({NAME: [answers]})), origin.url(), Forbidden)
        assert origin.connections == 0

    assert NAME in error.log
    assert "allow_addresses" in error.log
    assert next(address for address in answers if address != LOOPBACK) in error.log


@pytest.fixture
def pair() -> Iterator[tuple[Origin, Origin]]:
    """An origin, and one at the same port of an address that is forbidden."""
    with running() as good, running(host=FORBIDDEN_ADDRESS, port=good.port) as bad:
        good.scripts["/a.jpg"] = bad.scripts["/a.jpg"] = at.answer(BODY)
        yield good, bad


REBOUND = [[LOOPBACK], [FORBIDDEN_ADDRESS]]


def test_a_name_that_changes_after_the_check_was_resolved_only_once(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    names = Names({NAME: REBOUND})
    assert get(make(names), good.url())[1] == BODY

    assert names.asked == [NAME]
    assert (good.connections, bad.connections) == (1, 0)


def test_a_connection_kept_alive_stays_with_its_address(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    fetcher = make(Names({NAME: REBOUND}))
    for _ in range(3):
        assert get(fetcher, good.url())[1] == BODY

    assert (good.connections, bad.connections) == (1, 0)


def test_a_connection_that_was_closed_is_made_anew_to_a_checked_address(
    make: Make, pair: tuple[Origin, Origin]
) -> None:
    good, bad = pair
    good.scripts["/a.jpg"] = at.raw(LONG + b"0123456789")
    fetcher = make(Names({NAME: REBOUND}))
    get(fetcher, good.url())
    refused(fetcher, good.url(), Forbidden)

    assert bad.connections == 0


def test_a_retry_goes_to_a_checked_address(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    good.scripts["/b.jpg"] = at.dropped
    fetcher = make(Names({NAME: REBOUND}))
    get(fetcher, good.url("/a.jpg"))
    refused(fetcher, good.url("/b.jpg"), Forbidden)

    assert (good.connections, good.asked("/b.jpg"), bad.connections) == (1, 1, 0)


def test_a_redirect_goes_to_a_checked_address(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    good.scripts["/b.jpg"] = at.in_turn(at.redirect(good.url(host=OTHER_NAME)))
    fetcher = make(Names({NAME: [[LOOPBACK]], OTHER_NAME: [[FORBIDDEN_ADDRESS]]}))
    refused(fetcher, good.url("/b.jpg"), Forbidden)

    assert (good.connections, bad.connections) == (1, 0)


def test_the_address_of_an_override_is_checked_like_any_other(make: Make, pair: tuple[Origin, Origin]) -> None:
    good, bad = pair
    names = Names({})
    at_good = {(NAME, good.port): [LOOPBACK]}
    at_bad = {(NAME, good.port): [FORBIDDEN_ADDRESS]}
    assert get(make(names, overrides=at_good), good.url())[1] == BODY
    refused(make(names, overrides=at_bad), good.url(), Forbidden)
    assert bad.connections == 0
    admitting = AddressRule([ip_network("127.0.0.0/8")])
    assert get(make(names, overrides=at_bad, addresses=admitting), good.url())[1] == BODY

    assert (bad.connections, names.asked) == (1, [])


def test_the_next_address_is_tried_where_one_does_not_answer(make: Make) -> None:
    with running({"/a.jpg": at.answer(BODY)}) as origin:
        rule = AddressRule([ip_network("127.0.0.0/8")])
        names = Names({NAME: [["127.0.0.3", "127.0.0.4", LOOPBACK]]})
        assert get(make(names, addresses=rule), origin.url())[1] == BODY


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        pytest.param({NAME: [["127.0.0.3"]]}, "did not connect", id="nobody listens"),
        pytest.param({NAME: [[]]}, "no addresses", id="no addresses"),
        pytest.param({}, "no such name", id="no such name"),
    ],
)
def test_an_origin_that_is_not_there_is_the_origins_error(
    make: Make, answers: Mapping[str, Sequence[Sequence[str]]], why: str
) -> None:
    rule = AddressRule([ip_network("127.0.0.0/8")])
    error = refused(make(Names(answers), addresses=rule), f"http://{NAME}:9/", OriginError)

    assert why in error.log


def test_a_deadline_does_not_cut_what_another_fetch_uses_by_now(make: Make) -> None:
    """A redirect's connection goes back to the pool, another fetch takes it, and the first one's time is up."""
    over = threading.Event()

    def long(exchange: at.Exchange) -> None:
        exchange.send(LONG + b"01234")
        over.wait()
        exchange.send(b"56789")

    with running({"/slow": at.silent}) as elsewhere, running({"/long": long}) as origin:
        origin.scripts["/a.jpg"] = at.redirect(elsewhere.url("/slow"))
        fetcher = make(total_timeout_s=SLACK_S)
        first = threading.Thread(target=lambda: refused(fetcher, origin.url("/a.jpg"), OriginTimeout))
        first.start()
        while not elsewhere.requests:
            time.sleep(0.01)
        time.sleep(SLACK_S / 2)
        bodies: list[bytes] = []
        second = threading.Thread(target=lambda: bodies.append(get(fetcher, origin.url("/long"))[1]))
        second.start()
        first.join()
        over.set()
        second.join()
        assert origin.connections == 1

    assert bodies == [b"0123456789"]


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(make: Make, status: int) -> None:
    with running({"/a.jpg": at.redirect("b.jpg#x", status), "/b.jpg": at.answer(BODY)}) as origin:
        fetched, body = get(make(), origin.url())

    assert body == BODY
    assert fetched.url.url == origin.url("/b.jpg")


def test_three_redirects_are_followed_and_no_fourth(make: Make) -> None:
    scripts = {f"/{step}": at.redirect(f"/{step + 1}") for step in range(4)}
    with running({**scripts, "/4": at.answer(BODY)}) as origin:
        assert get(make(), origin.url("/1"))[1] == BODY
        refused(make(), origin.url("/0"), OriginError)
        assert origin.asked("/4") == 1


def test_a_redirect_in_a_circle_ends(make: Make) -> None:
    with running({"/a.jpg": at.redirect("/a.jpg")}) as origin:
        refused(make(), origin.url(), OriginError)
        assert len(origin.requests) == 4


@pytest.mark.parametrize(
    ("location", "error"),
    [
        pytest.param("http://other.origin.test:{port}/m/a.jpg", Forbidden, id="a host that is not allowed"),
        pytest.param("http://origin.test:1/m/a.jpg", Forbidden, id="a port that is not allowed"),
        pytest.param("https://origin.test:{port}/m/a.jpg", Forbidden, id="a scheme that is not allowed"),
        pytest.param("/secret", Forbidden, id="a path that is not allowed"),
        pytest.param("/m/%2e%2e/secret", Forbidden, id="an encoded way up"),
        pytest.param("//evil.test/m/a.jpg", Forbidden, id="another host without a scheme"),
        pytest.param("http://origin.test:{port}@evil.test/m/a.jpg", Forbidden, id="a host as a user"),
        pytest.param("file:///etc/passwd", Forbidden, id="a file"),
        pytest.param("http://127.0.0.1:{port}/m/a.jpg", Forbidden, id="an address"),
        pytest.param("/m/a b.jpg", OriginError, id="a space"),
        pytest.param("/m/\\evil.test", OriginError, id="a backslash"),
        pytest.param("http://", OriginError, id="no host"),
        pytest.param("", OriginError, id="no location"),
    ],
)
def test_each_hop_is_judged_like_the_first(make: Make, location: str, error: type[ImgcdnError]) -> None:
    with running() as origin:
        fetcher = make(admits=Allowlist([f"http://{NAME}:{origin.port}/m/**"]).admits)
        origin.scripts["/m/a"] = at.redirect(location.format(port=origin.port))
        refused(fetcher, origin.url("/m/a"), error)
        assert [request.target for request in origin.requests] == ["/m/a"]


def test_a_redirect_without_a_location_is_the_origins_error(make: Make) -> None:
    with running({"/a.jpg": at.answer(status=302)}) as origin:
        refused(make(), origin.url(), OriginError)


def test_a_redirect_may_leave_tls_only_where_the_allowlist_says_so(make: Make, certificate: tuple[Path, Path]) -> None:
    with running({"/b.jpg": at.answer(BODY)}) as plain, running(tls=certificate) as secure:
        secure.scripts["/a.jpg"] = at.redirect(plain.url("/b.jpg"))
        only_tls, both = [f"{NAME}:{secure.port}"], [f"{NAME}:{secure.port}", f"http://{NAME}:{plain.port}"]
        ca_bundle = str(certificate[0])
        refused(make(admits=Allowlist(only_tls).admits, ca_bundle=ca_bundle), secure.url(), Forbidden)
        assert plain.connections == 0
        assert get(make(admits=Allowlist(both).admits, ca_bundle=ca_bundle), secure.url())[1] == BODY


def test_the_body_of_a_redirect_is_not_read_without_limit(make: Make) -> None:
    def endless_redirect(exchange: at.Exchange) -> None:
        exchange.head(302, {"Location": "/b.jpg"})
        while True:
            exchange.send(b"x" * 65_536)

    with running({"/a.jpg": endless_redirect, "/b.jpg": at.answer(BODY)}) as origin:
        assert get(make(), origin.url())[1] == BODY
        assert origin.connections == 2


# Connections that were closed


def test_a_request_on_a_connection_just_closed_is_sent_once_more(make: Make) -> None:
    with running({"/a.jpg": at.answer(BODY), "/b.jpg": at.in_turn(at.dropped, at.answer(BODY))}) as origin:
        fetcher = make()
        get(fetcher, origin.url("/a.jpg"))
        assert get(fetcher, origin.url("/b.jpg"))[1] == BODY
        assert (origin.connections, origin.asked("/b.jpg")) == (2, 2)


def test_the_second_try_is_on_a_new_connection_also_where_more_are_kept_alive(make: Make) -> None:
    both = threading.Barrier(2)

    def together(exchange: at.Exchange) -> None:
        both.wait(timeout=10)
        exchange.answer(BODY)

    def dropped_on_old(exchange: at.Exchange) -> None:
        (at.dropped if exchange.request.connection <= 2 else at.answer(BODY))(exchange)

    with running({"/a.jpg": together, "/b.jpg": dropped_on_old}) as origin:
        fetcher = make()
        threads = [threading.Thread(target=get, args=(fetcher, origin.url("/a.jpg"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert get(fetcher, origin.url("/b.jpg"))[1] == BODY
        assert [request.connection for request in origin.requests[2:]][-1] == 3


@pytest.mark.parametrize("kept_alive", [False, True])
def test_there_is_no_other_retry(make: Make, kept_alive: bool) -> None:
    with running({"/a.jpg": at.answer(BODY), "/b.jpg": at.dropped}) as origin:
        fetcher = make()
        if kept_alive:
            get(fetcher, origin.url("/a.jpg"))
        refused(fetcher, origin.url("/b.jpg"), OriginError)
        assert origin.asked("/b.jpg") == (2 if kept_alive else 1)


@pytest.mark.parametrize("script", [at.answer(status=500), at.half(BODY), at.zipped(BODY)])
def test_an_answer_is_never_asked_for_twice(make: Make, script: at.Script) -> None:
    with running({"/a.jpg": at.answer(BODY), "/b.jpg": script}) as origin:
        fetcher = make()
        get(fetcher, origin.url("/a.jpg"))
        refused(fetcher, origin.url("/b.jpg"), OriginError)
        assert origin.asked("/b.jpg") == 1


# TLS


def test_the_certificate_is_checked_against_the_name(make: Make, certificate: tuple[Path, Path]) -> None:
    names = {NAME: [[LOOPBACK]], "elsewhere.test": [[LOOPBACK]]}
    with running({"/a.jpg": at.answer(BODY)}, tls=certificate) as origin:
        fetcher = make(Names(names), ca_bundle=str(certificate[0]))
        assert get(fetcher, origin.url())[1] == BODY
        error = refused(fetcher, origin.url(host="elsewhere.test"), OriginError)
        assert origin.requests[0].headers["host"] == f"{NAME}:{origin.port}"

    assert "certificate" in error.log.lower()


def test_a_certificate_of_nobody_is_refused(
    make: Make, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate[0]))
    with running({"/a.jpg": at.answer(BODY)}, tls=certificate) as origin:
        refused(make(), origin.url(), OriginError)
        assert origin.requests == []


def test_a_ca_bundle_that_is_none_is_told_at_the_start(make: Make, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(ConfigError, match="ca_bundle"):
            make(ca_bundle=str(tmp_path / name))


# Mounts


def mounted(origin: Origin, segments: Sequence[str]) -> tuple[RemoteUrl, RemoteUrl]:
    base = parse_remote(origin.url("/media"))
    return base, join_base(base, segments)


NOTHING = Allowlist([])


def test_a_mount_needs_no_allowlist_and_no_public_address(make: Make) -> None:
    with running({"/media/a%20b.jpg": at.answer(BODY)}) as origin:
        base, url = mounted(origin, ["a b.jpg"])
        fetcher = make(admits=NOTHING.admits, addresses=AddressRule())
        assert get(fetcher, url.url, base=base)[1] == BODY


@pytest.mark.parametrize(
    ("location", "allowed"),
    [
        pytest.param("/media/b.jpg", True, id="beneath the base"),
        pytest.param("/media-evil/b.jpg", False, id="beside it"),
        pytest.param("/b.jpg", False, id="above it"),
        pytest.param("http://other.origin.test:{port}/media/b.jpg", False, id="another host"),
        pytest.param("http://origin.test:1/media/b.jpg", False, id="another port"),
    ],
)
def test_a_mounts_redirect_stays_beneath_it_or_passes_as_an_ordinary_url(
    make: Make, location: str, allowed: bool
) -> None:
    with running({"/media/b.jpg": at.answer(BODY)}) as origin:
        base, url = mounted(origin, ["a.jpg"])
        origin.scripts["/media/a.jpg"] = at.redirect(location.format(port=origin.port))
        fetcher = make(admits=NOTHING.admits, addresses=AddressRule())
        if allowed:
            assert get(fetcher, url.url, base=base)[1] == BODY
        else:
            refused(fetcher, url.url, Forbidden, base=base)


def test_a_mounts_connection_is_not_used_for_an_ordinary_url_of_its_host(make: Make) -> None:
    with running({"/media/a.jpg": at.answer(BODY), "/a.jpg": at.answer(BODY)}) as origin:
        base, url = mounted(origin, ["a.jpg"])
        fetcher = make(addresses=AddressRule())
        get(fetcher, url.url, base=base)
        refused(fetcher, origin.url("/a.jpg"), Forbidden)
        refused(fetcher, url.url, Forbidden)
        assert (origin.connections, origin.asked("/a.jpg")) == (1, 0)


def test_a_mount_is_no_exemption_for_another_base(make: Make) -> None:
    with running({"/a.jpg": at.answer(BODY)}) as origin:
        base, _ = mounted(origin, ["a.jpg"])
        refused(make(addresses=AddressRule()), origin.url("/a.jpg"), Forbidden, base=base)


# Loops, and the rest of the package


@pytest.mark.parametrize(
    ("header", "loop"),
    [
        pytest.param(None, False, id="no header"),
        pytest.param("", False, id="an empty one"),
        pytest.param("imgcdn-1", True, id="ours"),
        pytest.param("a.example, imgcdn-1;v=2 , b", True, id="among others, with a parameter"),
        pytest.param("imgcdn-12", False, id="another imgcdn"),
        pytest.param('a; x="imgcdn-1"', False, id="in a parameter"),
        pytest.param('a; x=", imgcdn-1, "', False, id="in a quoted list"),
    ],
)
def test_a_loop_is_a_request_with_our_own_id(header: str | None, loop: bool) -> None:
    assert is_loop(header, "imgcdn-1") is loop


#: The fetch, in its three parts.
FETCHING = {"origins/http.py", "origins/connections.py", "origins/responses.py"}
#: Modules that send requests, and the names of what resolves or connects.
CLIENTS = {"requests", "urllib3", "urllib.request", "http.client", "httpx", "aiohttp", "ftplib"}
DIALS = {"create_connection", "getaddrinfo", "gethostbyname", "urlopen", "urlretrieve", "HTTPConnection"}


def _named(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_nothing_else_in_the_package_sends_requests() -> None:
    modules = {str(path.relative_to(PACKAGE)): path for path in PACKAGE.rglob("*.py")}
    assert modules.keys() >= FETCHING
    for name in modules.keys() - FETCHING:
        named = set(_named(ast.parse(modules[name].read_text("utf-8"))))
        assert not named & (CLIENTS | DIALS), name
