"""Clients that send, read or disconnect slowly: they delay no one else, use little memory and are closed in time."""

import contextlib
import http.client
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support import pictures, serving
from tests.support.serving import Service

CROWD = 500

#: Bytes by which the memory of all workers together may grow.
MAX_GROWTH = 100_000_000
LARGE = "/img/noise.png?fm=png&w="
WIDTHS = range(900, 906)
STALLS = f"GET {LARGE}{WIDTHS[0]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

_PATIENCE = {"header_timeout_s": 300, "idle_timeout_s": 300, "write_timeout_s": 300}
_HALF = b"GET /img/photo.jpg?w=100 HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two originals; variants of one of them have 2 MB."""
    folder = tmp_path_factory.mktemp("originals")
    (folder / "photo.jpg").write_bytes(pictures.jpeg(pictures.photograph((600, 400))))
    (folder / "noise.png").write_bytes(pictures.png(Image.frombytes("RGB", (1000, 1000), os.urandom(3_000_000))))
    return folder


@pytest.fixture(scope="module")
def cache(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a cache with the variants that these tests request."""
    place = tmp_path_factory.mktemp("filled")
    with serving.edge(folder, place) as service:
        assert service.get("/img/photo.jpg?w=100").status == 200
        for width in WIDTHS:
            assert len(service.get(f"{LARGE}{width}").body) > 2_000_000
    return place / "cache"


Run = Callable[..., contextlib.AbstractContextManager[Service]]


@pytest.fixture
def run(folder: Path, cache: Path, tmp_path: Path) -> Run:
    """Start the service with a full cache and long timeouts; a test shortens the timeout that it is about."""
    return lambda **settings: serving.edge(folder, tmp_path, **{"cache_dir": cache, **_PATIENCE, **settings})


@pytest.fixture(scope="module")
def patient(folder: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run one service with timeouts that no test here reaches."""
    with serving.edge(folder, tmp_path_factory.mktemp("patient"), workers=2, cache_dir=cache, **_PATIENCE) as service:
        yield service


@contextlib.contextmanager
def _connections(service: Service, number: int, data: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open connections with small receive buffers, and send the same data over each."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(number):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131_072)
            connection.settimeout(20)
            connection.connect((service.host, service.port))
            connection.sendall(data)
            opened.append(connection)
        yield opened


def _request(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _hit(service: Service) -> None:
    """Request a variant that is in the cache, on a new connection and with a short timeout."""
    connection = http.client.HTTPConnection(service.host, service.port, timeout=2)
    with contextlib.closing(connection):
        connection.request("GET", "/img/photo.jpg?w=100")
        response = connection.getresponse()
        assert (response.status, "hit" in (response.getheader("cache-status") or "")) == (200, True)
        response.read()


def _resident(service: Service) -> int:
    """Return the resident memory of gunicorn's workers in bytes."""
    command = ["ps", "-o", "rss=", "--ppid", str(service.process.pid)]
    return 1024 * sum(map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))


def _is_closed(connection: socket.socket) -> bool:
    """Read the data that has arrived; tell whether the connection has ended."""
    try:
        while select.select([connection], [], [], 0)[0]:
            if not connection.recv(1 << 20):
                return True
    except ConnectionError:
        return True
    return False


def _wait_until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    return holds


def _body(connection: socket.socket) -> bytes:
    with contextlib.closing(http.client.HTTPResponse(connection)) as response:
        response.begin()
        return response.read()


@contextlib.contextmanager
def _a_byte_a_second(connections: list[socket.socket]) -> Iterator[None]:
    done = threading.Event()

    def send() -> None:
        while not done.wait(1):
            for connection in connections:
                with contextlib.suppress(OSError):  # closed already
                    connection.send(b"x", socket.MSG_DONTWAIT)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(
    ("data", "trickles"),
    [
        pytest.param(_HALF, False, id="half a request"),
        pytest.param(_HALF, True, id="a byte a second"),
        pytest.param(STALLS, False, id="readers that stall"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nx", False, id="half a body"),
    ],
)
def test_many_slow_clients_delay_no_hit_and_use_little_memory(patient: Service, data: bytes, trickles: bool) -> None:
    _hit(patient)
    before = _resident(patient)
    with _connections(patient, CROWD, data) as crowd:
        if data == STALLS:
            # Wait until the service has read the 500 large files: the test is about the time after that.
            assert all(select.select([reader], [], [], 20)[0] for reader in crowd)
        with _a_byte_a_second(crowd if trickles else []):
            for _ in range(20):
                _hit(patient)
                threading.Event().wait(0.05)
        assert _resident(patient) - before < MAX_GROWTH


def test_a_request_that_does_not_end_is_closed_in_time(run: Run) -> None:
    with run(workers=1, header_timeout_s=2) as service, contextlib.ExitStack() as stack:
        silent = [*stack.enter_context(_connections(service, 3)), *stack.enter_context(_connections(service, 3, _HALF))]
        talking = stack.enter_context(_connections(service, 3, _HALF))
        talking += stack.enter_context(_connections(service, 3, _request("/img/photo.jpg?w=100") + _HALF))
        (idle,) = stack.enter_context(_connections(service, 1, _request("/img/photo.jpg?w=100")))
        _hit(service)
        assert not any(map(_is_closed, silent + talking))
        with _a_byte_a_second(talking):
            assert _wait_until(lambda: all(map(_is_closed, silent + talking)))
        assert not _is_closed(idle)


def test_a_connection_that_is_not_used_again_is_closed_in_time(run: Run) -> None:
    with run(workers=1, idle_timeout_s=2) as service, contextlib.ExitStack() as stack:
        (idle,) = stack.enter_context(_connections(service, 1, _request("/img/photo.jpg?w=100")))
        (slow,) = stack.enter_context(_connections(service, 1, _HALF))
        _hit(service)
        assert not _is_closed(idle)
        assert _wait_until(lambda: _is_closed(idle))
        assert not _is_closed(slow)


def test_the_response_does_not_wait_for_the_rest_of_a_body(patient: Service) -> None:
    response = patient.raw(b"POST /img/photo.jpg HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
    assert response.startswith(b"HTTP/1.1 405 ")


def test_a_reader_that_stalls_is_closed_and_one_that_reads_slowly_is_not(run: Run) -> None:
    with run(workers=1, write_timeout_s=2) as service, _connections(service, 2, STALLS) as crowd:
        stalled, slow = crowd
        received = slow.recv(1000)
        began = time.monotonic()
        while time.monotonic() < began + 4:
            threading.Event().wait(0.1)
            received += slow.recv(20_000)
        assert received.startswith(b"HTTP/1.1 200 ")
        assert len(received) < 2_000_000, "the reader was not slow"
        length = int(re.findall(rb"content-length: ([0-9]+)", received)[0])
        rest = length - len(received.partition(b"\r\n\r\n")[2])
        while rest > 0 and (piece := slow.recv(1 << 20)):
            rest -= len(piece)
        assert rest == 0
        assert len(_all_of(stalled)) < 2_000_000


def _all_of(connection: socket.socket) -> bytes:
    """Return all data until the connection ends, with or without an error."""
    pieces = []
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 20):
            pieces.append(piece)
    return b"".join(pieces)


def test_pictures_in_memory_for_readers_that_stall_are_bounded_together(run: Run, tmp_path: Path) -> None:
    no_cache = {"cache_dir": tmp_path / "none", "cache_max_bytes": 0}
    with run(workers=1, max_unsent_bytes=5_000_000, **no_cache) as service, contextlib.ExitStack() as stack:
        crowd = []
        for width in WIDTHS:
            crowd += stack.enter_context(_connections(service, 3, _request(f"{LARGE}{width}")))
            assert select.select(crowd[-1:], [], [], 20)[0], (
                "the picture has arrived, so the next one does not wait beside it"
            )
        old, new = crowd[:12], crowd[-3:]
        for reader in new:
            assert len(_body(reader)) > 2_000_000
        for reader in old:
            assert len(_all_of(reader)) < 2_000_000


def test_pictures_on_disk_use_no_memory_for_readers_that_stall(run: Run) -> None:
    with run(workers=1, max_unsent_bytes=1_000_000) as service, contextlib.ExitStack() as stack:
        _hit(service)
        for width in WIDTHS:
            service.get(f"{LARGE}{width}")  # what a worker holds after it has sent large pictures is no part
        before = _resident(service)
        crowd = []
        for width in WIDTHS:
            crowd += stack.enter_context(_connections(service, 3, _request(f"{LARGE}{width}")))
        _hit(service)
        assert _resident(service) - before < 10_000_000
        for reader in crowd:
            assert len(_body(reader)) > 2_000_000


def test_a_picture_that_is_truncated_on_disk_ends_early_and_is_rendered_again(
    run: Run, cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(cache, own := tmp_path / "own", symlinks=True)
    with run(workers=1, cache_dir=own) as service, _connections(service, 1, STALLS) as (reader,):
        received = reader.recv(1000)
        for path in own.glob("current/*/*/*.png"):
            os.truncate(path, 1_500_000)
        received += _all_of(reader)
        assert received.startswith(b"HTTP/1.1 200 ")
        assert len(received) < 2_000_000
        response = service.get(f"{LARGE}{WIDTHS[0]}")
        assert (len(response.body) > 2_000_000, response.headers["cache-status"]) == (True, "imgcdn; fwd=miss; stored")


def test_a_picture_that_is_purged_while_it_is_sent_arrives_complete(run: Run, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(cache, own := tmp_path / "own", symlinks=True)
    with run(workers=1, cache_dir=own) as service, _connections(service, 1, STALLS) as (reader,):
        _hit(service)
        for path in own.glob("current/*/*/*.png"):
            path.unlink()
        assert len(_body(reader)) > 2_000_000


def test_equal_pictures_for_readers_that_stall_count_once(run: Run, tmp_path: Path) -> None:
    no_cache = {"cache_dir": tmp_path / "none", "cache_max_bytes": 0}
    with (
        run(workers=1, max_unsent_bytes=5_000_000, **no_cache) as service,
        _connections(service, 20, STALLS) as crowd,
    ):
        assert len({_body(reader) for reader in crowd}) == 1


def test_with_too_many_connections_the_oldest_are_closed(run: Run) -> None:
    with run(workers=1, max_connections=32) as service, _connections(service, 100, _HALF) as crowd:
        for _ in range(20):
            _hit(service)
        assert _wait_until(lambda: sum(not _is_closed(each) for each in crowd) <= 32)
        assert not _is_closed(crowd[-1])
        assert _is_closed(crowd[0])


def test_a_client_that_shuts_its_sending_side_gets_the_complete_picture(patient: Service) -> None:
    with _connections(patient, 1, STALLS) as (reader,):
        select.select([reader], [], [], 20)
        reader.shutdown(socket.SHUT_WR)
        threading.Event().wait(0.5)
        assert len(_body(reader)) > 2_000_000
        assert reader.recv(1) == b""


def test_a_client_that_sends_too_much_is_refused(patient: Service) -> None:
    line = b"X-Many: " + b"x" * 4_000 + b"\r\n"
    assert patient.raw(b"GET / HTTP/1.1\r\nHost: a\r\n" + line * 9).startswith(b"HTTP/1.1 431 ")
    post = b"POST / HTTP/1.1\r\nHost: a\r\n"
    assert patient.raw(post + b"Content-Length: 1000000\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert patient.raw(post + b"Transfer-Encoding: chunked\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_responses_that_the_client_does_not_read_do_not_pile_up(patient: Service) -> None:
    _hit(patient)
    before = _resident(patient)
    with _connections(patient, 1) as (connection,):
        connection.settimeout(2)
        many, sent = b"HEAD /img/photo.jpg?w=100 HTTP/1.1\r\nHost: a\r\n\r\n" * 1_000, 0
        with contextlib.suppress(TimeoutError, ConnectionError):  # the service stops reading, or closes
            while sent < 50_000_000:
                connection.sendall(many)
                sent += len(many)
        assert sent < 50_000_000, "the service kept reading"
        _hit(patient)
        assert _resident(patient) - before < MAX_GROWTH


def test_slow_clients_do_not_delay_a_drain(run: Run) -> None:
    with run(workers=2, drain_timeout_s=120) as service, contextlib.ExitStack() as stack:
        for data in (b"", _HALF, STALLS, _request("/img/photo.jpg?w=100")):
            stack.enter_context(_connections(service, 10, data))
        _hit(service)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
