import io
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from imgcdn.core.values import Source
from imgcdn.errors import (
    ImageTooLarge,
    ImgcdnError,
    OriginTimeout,
)
from imgcdn.origins.base import Stop
from imgcdn.origins.watch import Watch
from tests.support import origin as at
from tests.support.fetching import BODY, DEADLINE_S, LOOPBACK, SLACK_S, Make, Names, fetch_error, get
from tests.support.origin import NAME, running

#: Look-ups that a fetcher runs at the same time.
MAX_LOOKUPS = 32


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(at.endless, id="no length"),
        pytest.param(at.endless_chunks, id="chunks"),
        pytest.param(at.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n"), id="a length, before any byte"),
        pytest.param(at.raw(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n"), id="a huge length"),
    ],
)
def test_a_body_is_read_no_further_than_the_limit(make: Make, script: at.Script) -> None:
    into = io.BytesIO()
    with running({"/a.jpg": script}) as origin, pytest.raises(ImageTooLarge) as caught:
        make(max_source_bytes=1_000_000).fetch(Source("remote", origin.url()), None, into=into, stop=Stop())

    assert into.tell() <= 1_000_000
    assert caught.value.members == {"limit": 1_000_000, "unit": "bytes"}


def test_a_body_of_exactly_the_limit_is_accepted(make: Make) -> None:
    with running({"/a.jpg": at.respond(BODY)}) as origin:
        assert len(get(make(max_source_bytes=len(BODY)), origin.url())[1]) == len(BODY)
        fetch_error(make(max_source_bytes=len(BODY) - 1), origin.url(), ImageTooLarge)


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
        fetcher = make(fetch_timeout_s=DEADLINE_S, ca_bundle=str(certificate[0]))
        began = time.monotonic()
        fetch_error(fetcher, origin.url(), OriginTimeout)

    assert time.monotonic() - began < DEADLINE_S + SLACK_S


@pytest.mark.parametrize("script", [pytest.param(SLOW[name], id=name) for name in ("a dripping header", "no answer")])
def test_the_deadline_applies_on_a_kept_alive_connection(
    make: Make, certificate: tuple[Path, Path], script: at.Script
) -> None:
    with running({"/a.jpg": at.respond(BODY), "/b.jpg": script}, tls=certificate) as origin:
        fetcher = make(fetch_timeout_s=SLACK_S, ca_bundle=str(certificate[0]))
        get(fetcher, origin.url("/a.jpg"))
        began = time.monotonic()
        fetch_error(fetcher, origin.url("/b.jpg"), OriginTimeout)
        assert origin.connections == 1

    assert time.monotonic() - began < 2 * SLACK_S


def test_a_connection_made_after_the_deadline_is_closed_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Watch(0.01) as watch:
        while not watch.fired:
            time.sleep(0.01)
        watch.hold(ours)
        theirs.settimeout(10)
        assert theirs.recv(1) == b""


def test_all_redirects_together_have_one_deadline(make: Make) -> None:
    def slow_redirect(exchange: at.Exchange) -> None:
        exchange.wait(0.8 * DEADLINE_S)
        exchange.respond(status=302, headers={"Location": "/b.jpg"})

    with running({"/a.jpg": slow_redirect, "/b.jpg": slow_redirect}) as origin:
        fetch_error(make(fetch_timeout_s=DEADLINE_S), origin.url(), OriginTimeout)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"connect_timeout_s": DEADLINE_S}, id="by connect_timeout_s"),
        pytest.param({"fetch_timeout_s": DEADLINE_S}, id="by fetch_timeout_s"),
    ],
)
def test_a_handshake_that_never_ends_is_stopped(
    make: Make, certificate: tuple[Path, Path], changes: Mapping[str, float]
) -> None:
    with running(tls=certificate, handshake=False) as origin:
        began = time.monotonic()
        fetch_error(make(**changes), origin.url(), OriginTimeout)

    assert time.monotonic() - began < DEADLINE_S + SLACK_S


def test_a_silent_origin_times_out_after_the_read_timeout(make: Make) -> None:
    with running({"/a.jpg": at.silent}) as origin:
        began = time.monotonic()
        fetch_error(make(read_timeout_s=DEADLINE_S), origin.url(), OriginTimeout)

    assert time.monotonic() - began < DEADLINE_S + SLACK_S


@pytest.mark.parametrize("bound", ["connect_timeout_s", "fetch_timeout_s"])
def test_a_look_up_that_hangs_does_not_outlast_the_deadline(make: Make, bound: str) -> None:
    answered = threading.Event()
    began = time.monotonic()
    try:
        fetcher = make(lambda host, port: answered.wait() and [], **{bound: DEADLINE_S})
        fetch_error(fetcher, f"http://{NAME}/", OriginTimeout)
    finally:
        answered.set()

    assert time.monotonic() - began < DEADLINE_S + SLACK_S


#: Addresses of this machine: nothing listens at the first. At the second, connections are never accepted.
REFUSING, BUSY = "127.0.0.3", "127.0.0.4"


@pytest.fixture
def busy_port() -> Iterator[int]:
    """Listen at `BUSY` with a full queue, so that the kernel ignores further connections."""
    with socket.socket() as listener, socket.socket() as waiting:
        listener.bind((BUSY, 0))
        listener.listen(0)
        waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param([BUSY], id="the only one"),
        pytest.param([REFUSING, BUSY], id="the last of two"),
        pytest.param([BUSY, BUSY], id="each of two"),
    ],
)
def test_an_address_that_does_not_accept_is_tried_for_all_of_the_time_that_is_left(
    make: Make, busy_port: int, addresses: list[str]
) -> None:
    fetcher = make(Names({NAME: [addresses]}), allow_addresses=["127.0.0.0/8"], connect_timeout_s=DEADLINE_S)
    began = time.monotonic()
    error = fetch_error(fetcher, f"http://{NAME}:{busy_port}/", OriginTimeout)
    took_s = time.monotonic() - began

    assert 0.9 * DEADLINE_S <= took_s < DEADLINE_S + SLACK_S
    assert all(address in error.log for address in addresses)


def test_an_address_that_does_not_accept_leaves_time_for_the_next(make: Make, busy_port: int) -> None:
    with running({"/a.jpg": at.respond(BODY)}, port=busy_port) as origin:
        fetcher = make(Names({NAME: [[BUSY, LOOPBACK]]}), allow_addresses=["127.0.0.0/8"], connect_timeout_s=SLACK_S)
        began = time.monotonic()
        assert get(fetcher, origin.url())[1] == BODY

    assert time.monotonic() - began < 1.5 * SLACK_S  # half of the time to connect, and slack


def test_the_number_of_hanging_look_ups_is_bounded(make: Make) -> None:
    answered, lock, running_now = threading.Event(), threading.Lock(), []

    def hang(host: str, port: int) -> Sequence[str]:
        with lock:
            running_now.append(host)
        answered.wait()
        return []

    fetcher = make(hang, connect_timeout_s=DEADLINE_S)
    errors: list[ImgcdnError] = []
    threads = [
        threading.Thread(target=lambda: errors.append(fetch_error(fetcher, f"http://{NAME}/", OriginTimeout)))
        for _ in range(40)
    ]
    began = time.monotonic()
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        answered.set()

    assert time.monotonic() - began < DEADLINE_S + SLACK_S
    assert len(errors) == 40
    assert len(running_now) == MAX_LOOKUPS


def test_a_fetch_that_waits_for_its_look_up_gets_its_turn(make: Make) -> None:
    answered, looking, bodies = threading.Event(), [], []

    def slow(host: str, port: int) -> Sequence[str]:
        looking.append(host)
        answered.wait()
        return [LOOPBACK]

    with running({"/a.jpg": at.respond(BODY)}) as origin:
        fetcher = make(slow)
        threads = [
            threading.Thread(target=lambda: bodies.append(get(fetcher, origin.url())[1]))
            for _ in range(MAX_LOOKUPS + 1)
        ]
        try:
            for thread in threads:
                thread.start()
            while len(looking) < MAX_LOOKUPS:
                time.sleep(0.01)
            time.sleep(DEADLINE_S)
            assert len(looking) == MAX_LOOKUPS
        finally:
            answered.set()
        for thread in threads:
            thread.join()

    assert bodies == [BODY] * (MAX_LOOKUPS + 1)
