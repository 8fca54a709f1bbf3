"""Start and stop as a terminal, a service manager and an accident do them: what runs is not lost."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import pictures

_START_S = 20.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Originals whose renders take a second or so."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "large.jpg").write_bytes(pictures.jpeg(pictures.photograph((3000, 2000)), quality=60))
    return folder


@contextlib.contextmanager
def started(folder: Path, tmp_path: Path, *options: str, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """Run `imgcdn serve` in a process group of its own; its stderr goes to `log`."""
    command = [sys.executable, "-m", "imgcdn", "serve", str(folder), "--cache-dir", str(tmp_path / "cache"), *options]
    environ = {f"IMGCDN_{name.upper()}": str(value) for name, value in {"min_free_bytes": 0, **settings}.items()}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            env={**os.environ, **environ},
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout
        process.stdout.close()


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], _START_S)
    match = re.search(r":([0-9]+)$", process.stdout.readline().strip()) if ready else None
    assert match, "the service did not start"
    return int(match[1])


def get(port: int, target: str) -> int:
    """Return the status of a response; 0 when there was none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            received = b"".join(iter(lambda: connection.recv(65_536), b""))
    except OSError:
        return 0
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: ([0-9]+)", head)
    return int(head[9:12]) if length and int(length[1]) == len(body) else 0


@pytest.mark.parametrize(
    ("number", "times"),
    [
        pytest.param(signal.SIGTERM, 1, id="as a service manager does"),
        pytest.param(signal.SIGINT, 2, id="as an impatient person does"),
        pytest.param(signal.SIGQUIT, 2, id="as an impatient person may do, too"),
    ],
)
def test_a_signal_to_the_whole_group_loses_nothing(
    folder: Path, tmp_path: Path, number: signal.Signals, times: int
) -> None:
    with (
        started(folder, tmp_path, "--bind", "127.0.0.1:0", avif_max_pixels=10**9) as process,
        ThreadPoolExecutor(8) as pool,
    ):
        port = port_of(process)
        targets = [f"/img/large.jpg?w={width}&fm=avif&q=90" for width in range(900, 908)]
        running = [pool.submit(get, port, target) for target in targets]
        threading.Event().wait(0.3)
        for _ in range(times):
            os.killpg(process.pid, number)
            threading.Event().wait(0.2)
        assert [each.result(60) for each in running] == [200] * len(running)
        assert process.wait(40) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("after_s", [0, 0.15, 0.5])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_signal_during_the_start_ends_it(
    folder: Path, tmp_path: Path, number: signal.Signals, after_s: float
) -> None:
    with started(folder, tmp_path, "--bind", "127.0.0.1:0") as process:
        # The first line of our code is reached when Python has started; before that the system's default applies.
        status = Path(f"/proc/{process.pid}/status")
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and not _handles(status, signal.SIGTERM):
            time.sleep(0.005)
        threading.Event().wait(after_s)
        os.killpg(process.pid, number)
        assert process.wait(30) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def _handles(status: Path, number: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal (proc(5), SigCgt)."""
    match = re.search(r"SigCgt:\t([0-9a-f]+)", status.read_text())
    return match is not None and bool(int(match[1], 16) >> (number - 1) & 1)


def test_a_reload_renews_the_workers_at_the_same_address(folder: Path, tmp_path: Path) -> None:
    with started(folder, tmp_path, "--bind", "127.0.0.1:0") as process:
        port = port_of(process)
        assert get(port, "/-/healthz") == 200
        before = _workers(process.pid)
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while before & _workers(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not before & _workers(process.pid), "the old workers have left"
        assert get(port, "/img/large.jpg?w=100") == 200
        process.terminate()
        assert process.wait(40) == 0


def test_after_the_master_is_killed_its_workers_leave(folder: Path, tmp_path: Path) -> None:
    with started(folder, tmp_path, "--bind", "127.0.0.1:0") as process, ThreadPoolExecutor(1) as pool:
        port = port_of(process)
        assert get(port, "/-/healthz") == 200
        running = pool.submit(get, port, "/img/large.jpg?w=900&fm=avif&q=90")
        threading.Event().wait(0.2)
        process.kill()
        assert running.result(60) == 200
        deadline = time.monotonic() + 20
        while get(port, "/-/healthz") and time.monotonic() < deadline:
            time.sleep(0.02)
        assert get(port, "/-/healthz") == 0
        while _group(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _group(process.pid) == []


def _workers(master: int) -> set[int]:
    command = ["ps", "-o", "pid=", "--ppid", str(master)]
    return set(map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))


def _group(leader: int) -> list[int]:
    text = subprocess.run(["ps", "-eo", "pid,pgid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in text.splitlines()[1:]]
    return [int(pid) for pid, group, state in rows if int(group) == leader and not state.startswith("Z")]


def refusal(folder: Path, tmp_path: Path, bind: str) -> str:
    """Return what the service says of an address that it cannot use."""
    with started(folder, tmp_path, "--bind", bind) as process:
        assert process.wait(30) == 1
    # gunicorn would say two lines for each of its five attempts.
    (line,) = (tmp_path / "log").read_text().splitlines()
    return line


def test_an_address_that_is_in_use_is_told(folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        assert refusal(folder, tmp_path, bind) == (
            f"imgcdn: {bind} is in use by another program; stop that program, or choose another address with --bind"
        )


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("192.0.2.1:8000", "192.0.2.1:8000 is not an address of this machine; choose another one with --bind"),
        ("nowhere.invalid:80", "nowhere.invalid:80 has a host without an address; choose another one with --bind"),
        ("unix:/nowhere/a", "unix:/nowhere/a is in a folder that does not exist; create it, or choose another path"),
    ],
)
def test_an_address_that_cannot_be_used_is_told(folder: Path, tmp_path: Path, bind: str, expected: str) -> None:
    assert refusal(folder, tmp_path, bind) == f"imgcdn: {expected}"


def test_a_socket_in_use_and_a_file_are_not_removed(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert "is in use" in refusal(folder, tmp_path, f"unix:{path}")
        assert path.is_socket()
    path.unlink()
    path.write_text("notes")
    assert "is a file that is not a socket" in refusal(folder, tmp_path, f"unix:{path}")
    assert path.read_text() == "notes"


def test_a_socket_that_was_left_behind_is_replaced(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
    with started(folder, tmp_path, "--bind", f"unix:{path}") as process, socket.socket(socket.AF_UNIX) as client:
        assert process.stdout
        assert process.stdout.readline().endswith(f" on unix:{path}\n")
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(b"GET /-/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert client.recv(1_000).startswith(b"HTTP/1.1 200 ")
        process.terminate()
        assert process.wait(30) == 0
    assert not path.exists()


#: What systemd does with a socket unit: the socket is descriptor 3, and two variables say so.
_ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, "-m", "imgcdn", *sys.argv[2:]])
"""


@contextlib.contextmanager
def activated(listener: socket.socket, folder: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _ACTIVATE, str(listener.fileno()), "serve", str(folder)]
    process = subprocess.Popen(
        [*command, "--cache-dir", str(tmp_path / "cache")],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[listener.fileno()],
        env={**os.environ, "IMGCDN_MIN_FREE_BYTES": "0"},
    )
    try:
        assert port_of(process) == listener.getsockname()[1]
        yield process
    finally:
        process.terminate()
        process.wait(40)
        assert process.stdout
        process.stdout.close()


def test_a_restart_behind_a_socket_of_systemd_loses_no_request(folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener, ThreadPoolExecutor(8) as pool:
        port = listener.getsockname()[1]
        with activated(listener, folder, tmp_path):
            assert get(port, "/img/large.jpg?w=100") == 200
            asked = [pool.submit(get, port, "/img/large.jpg?w=100") for _ in range(100)]
        with activated(listener, folder, tmp_path):
            asked += [pool.submit(get, port, "/img/large.jpg?w=100") for _ in range(100)]
            results = [each.result(60) for each in asked]
    assert results == [200] * len(results)
