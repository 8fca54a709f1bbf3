"""A stop ends a fetch wherever it waits, long before any of its deadlines."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from imgcdn.core.values import Source
from imgcdn.errors import OriginTimeout
from imgcdn.origins.base import Stop
from imgcdn.origins.http import HttpFetcher
from tests.support import origin as at
from tests.support.fetching import BODY, LOOPBACK, PATIENT, SLACK_S, Make, get
from tests.support.origin import NAME, running

#: Seconds in which a fetch gets to the point where it waits. If it needs more, it is stopped earlier, which must work.
_UNDER_WAY_S = 0.2


def _assert_a_stop_ends(fetcher: HttpFetcher, url: str) -> None:
    stop = Stop()
    ended: list[OriginTimeout] = []

    def fetch() -> None:
        with pytest.raises(OriginTimeout) as caught:
            fetcher.fetch(Source("remote", url), None, into=io.BytesIO(), stop=stop)
        ended.append(caught.value)

    thread = threading.Thread(target=fetch)
    thread.start()
    thread.join(_UNDER_WAY_S)
    assert thread.is_alive(), "it waits"
    began = time.monotonic()
    stop.request()
    thread.join()

    assert time.monotonic() - began < SLACK_S
    assert len(ended) == 1


@contextmanager
def _full_listener() -> Iterator[int]:
    """Yield the port of a listener whose queue is full, so that further attempts to connect get no answer."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(at.silent, id="no response"),
        pytest.param(at.drip_header, id="a dripping header"),
        pytest.param(at.drip_body, id="a dripping body"),
        pytest.param(at.drip_redirect_body, id="a redirect's dripping body"),
    ],
)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_stop_ends_a_response_under_way(
    make: Make, certificate: tuple[Path, Path], script: at.Script, tls: bool
) -> None:
    with running({"/a.jpg": script}, tls=certificate if tls else None) as origin:
        _assert_a_stop_ends(make(ca_bundle=str(certificate[0]), **PATIENT), origin.url())


def test_a_stop_ends_a_response_on_a_connection_that_was_kept_alive(make: Make) -> None:
    with running({"/a.jpg": at.respond(BODY), "/b.jpg": at.silent}) as origin:
        fetcher = make(**PATIENT)
        get(fetcher, origin.url("/a.jpg"))
        _assert_a_stop_ends(fetcher, origin.url("/b.jpg"))
        assert origin.connections == 1


def test_a_stop_ends_a_handshake(make: Make, certificate: tuple[Path, Path]) -> None:
    with running(tls=certificate, handshake=False) as origin:
        _assert_a_stop_ends(make(**PATIENT), origin.url())


def test_a_stop_ends_an_attempt_to_connect(make: Make) -> None:
    with _full_listener() as port:
        _assert_a_stop_ends(make(**PATIENT), f"http://{NAME}:{port}/a.jpg")


@pytest.mark.parametrize("hung", [0, 32], ids=["under way", "waiting for its turn"])
def test_a_stop_ends_a_look_up(make: Make, hung: int) -> None:
    answered, begun = threading.Event(), threading.Semaphore(0)

    def hang(host: str, port: int) -> Sequence[str]:
        begun.release()
        answered.wait()
        return []

    fetcher, others = make(hang, **PATIENT), Stop()
    threads = [threading.Thread(target=_fetch_in_vain, args=(fetcher, others)) for _ in range(hung)]
    try:
        for thread in threads:
            thread.start()
        for _ in threads:
            begun.acquire()
        _assert_a_stop_ends(fetcher, f"http://{NAME}/a.jpg")
    finally:
        others.request()
        for thread in threads:
            thread.join()
        answered.set()


def _fetch_in_vain(fetcher: HttpFetcher, stop: Stop) -> None:
    with pytest.raises(OriginTimeout):
        fetcher.fetch(Source("remote", f"http://{NAME}/"), None, into=io.BytesIO(), stop=stop)


def _request_then_register(stop: Stop, action: Callable[[], None]) -> None:
    stop.request()
    stop.on_request(action)


def _register_then_request(stop: Stop, action: Callable[[], None]) -> None:
    stop.on_request(action)
    stop.request()
    stop.request()


@pytest.mark.parametrize("order", [_request_then_register, _register_then_request])
def test_an_action_runs_once_whether_it_is_registered_before_or_after_the_stop(
    order: Callable[[Stop, Callable[[], None]], None],
) -> None:
    stop, runs = Stop(), []

    order(stop, lambda: runs.append(1))

    assert runs == [1]
    assert stop.requested
