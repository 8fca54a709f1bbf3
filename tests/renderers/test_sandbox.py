"""The sandbox cannot be undone, so each test runs in a child process, which prints the result."""

import asyncio
import ctypes
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from imgcdn.renderers import sandbox
from tests.support.brokers import probe_job, rendering, works
from tests.support.paths import ROOT

_TRY = """
import ctypes, errno, fcntl, os, platform, resource, socket, subprocess, sys, threading
from pathlib import Path
from imgcdn.renderers.sandbox import confine
from imgcdn.renderers.system_calls import restrict_system_calls
inside, outside, address = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
def attempt(action):
    try:
        action()
    except PermissionError:
        return "refused"
    return "done"
def call(on_x86, on_arm, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(on_x86 if platform.machine() == "x86_64" else on_arm, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
def in_a_thread():
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
def unknown_call():
    try:
        call(900, 900)
    except OSError as error:
        assert error.errno == errno.ENOSYS
def connect(family, kind, address):
    with socket.socket(family, kind) as client:
        client.connect(address)
# Print what this kernel, or the sandbox around it, has; without it the tests can show nothing.
print("protected" if {confine} else "bare")
print(attempt({action}))
"""

_CONFINE, _RESTRICT = "confine(str(inside))", "restrict_system_calls()"


def _attempt(tmp_path: Path, action: str, *, confine: str = _CONFINE, address: str = "") -> list[str]:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "old").write_text("old")
    script = _TRY.replace("{action}", action).replace("{confine}", confine)
    command = [sys.executable, "-c", script, str(inside), str(outside), address]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def _landlock_version() -> int:
    create_ruleset, query = sandbox._CREATE_RULESET, sandbox._VERSION
    return int(ctypes.CDLL(None).syscall(create_ruleset, None, ctypes.c_size_t(0), query))


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("lambda: (inside / 'new').write_text('x')", id="write a new file inside"),
        pytest.param("lambda: (inside / 'old').write_text('x')", id="overwrite one inside"),
        pytest.param("lambda: (inside / 'old').unlink()", id="remove one inside"),
        pytest.param("lambda: (outside / 'old').read_text()", id="read outside"),
        pytest.param("lambda: os.listdir(outside)", id="list outside"),
        pytest.param("lambda: os.kill(os.getpid(), 0)", id="send itself a signal"),
    ],
)
def test_a_render_can_still_do_what_it_needs(tmp_path: Path, action: str) -> None:
    assert _attempt(tmp_path, action)[1] == "done"


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("lambda: (outside / 'new').write_text('x')", id="write a new file outside"),
        pytest.param("lambda: (outside / 'old').write_text('x')", id="overwrite one outside"),
        pytest.param("lambda: (outside / 'old').unlink()", id="remove one outside"),
        pytest.param("lambda: (outside / 'folder').mkdir()", id="make a folder outside"),
        pytest.param("lambda: (inside / 'link').symlink_to(outside)", id="make a link"),
        pytest.param("lambda: (inside / 'old').rename(outside / 'moved')", id="move a file out"),
        pytest.param("lambda: subprocess.run(['/bin/true'])", id="run a program"),
    ],
)
def test_everything_else_is_refused_if_the_kernel_supports_it(tmp_path: Path, action: str) -> None:
    kernel, became = _attempt(tmp_path, action)
    assert became == ("refused" if kernel == "protected" else "done")


def test_no_other_process_gets_a_signal_if_the_kernel_supports_it(tmp_path: Path) -> None:
    became = _attempt(tmp_path, "lambda: os.kill(os.getppid(), 0)")[1]
    assert became == ("refused" if _landlock_version() >= 6 else "done")


def test_no_abstract_socket_is_reached_if_the_kernel_supports_it(tmp_path: Path) -> None:
    name = f"\0{tmp_path}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        action = "lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, '\\0' + address)"
        became = _attempt(tmp_path, action, address=str(tmp_path))[1]
    assert became == ("refused" if _landlock_version() >= 6 else "done")


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, address)", id="a Unix socket with a path"),
        pytest.param("lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ('127.0.0.1', 9))", id="UDP"),
        pytest.param("lambda: socket.socketpair()", id="a pair of sockets"),
    ],
)
def test_no_socket_is_opened_if_the_filter_is_known(tmp_path: Path, folder: Path, action: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "sock"))
        listener.listen()
        kernel, became = _attempt(tmp_path, action, confine=_RESTRICT, address=str(folder / "sock"))
    assert became == ("refused" if kernel == "protected" else "done")
    assert kernel == "protected" or platform.machine() not in ("x86_64", "aarch64")


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("lambda: os.fork()", id="start a process"),
        pytest.param("lambda: os.execv('/bin/true', ['true'])", id="run a program"),
        pytest.param("lambda: os.memfd_create('x')", id="make a program in memory"),
        pytest.param("lambda: os.kill(os.getppid(), 0)", id="send another process a signal"),
        pytest.param("lambda: os.kill(0, 0)", id="send its group a signal"),
        pytest.param("lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU)", id="limit another process"),
        pytest.param("lambda: os.sched_setaffinity(os.getppid(), {0})", id="bind another process to a CPU"),
        pytest.param("lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)", id="slow another process down"),
        pytest.param("lambda: os.chmod(inside, 0o755)", id="change a mode"),
        pytest.param("lambda: os.chown(inside, os.getuid(), os.getgid())", id="change an owner"),
        pytest.param("lambda: os.utime(outside / 'old')", id="change times"),
        pytest.param("lambda: os.setxattr(outside / 'old', 'user.x', b'y')", id="set an attribute"),
        pytest.param("lambda: fcntl.flock(open(outside / 'old'), fcntl.LOCK_SH)", id="lock a file"),
        pytest.param("lambda: fcntl.lockf(open(outside / 'old'), fcntl.LOCK_SH)", id="lock a part of a file"),
        pytest.param("lambda: os.truncate(inside / 'old', 0) or os.ftruncate(1, 0)", id="empty a log"),
        pytest.param("lambda: os.setsid()", id="leave its session"),
        pytest.param("lambda: call(29, 194, 0, 4096, 0o1600)", id="make memory that stays"),
        pytest.param("lambda: call(272, 97, 0x10000000)", id="make a namespace"),
        pytest.param("lambda: call(425, 425, 8, 0)", id="open a ring of calls"),
    ],
)
def test_what_no_render_needs_is_refused_if_the_filter_is_known(tmp_path: Path, action: str) -> None:
    kernel, became = _attempt(tmp_path, action, confine=_RESTRICT)
    assert became == "refused" or kernel == "bare"
    assert kernel == "protected" or platform.machine() not in ("x86_64", "aarch64")


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("lambda: resource.getrlimit(resource.RLIMIT_CPU)", id="read a limit of its own"),
        pytest.param("lambda: os.sched_setaffinity(0, os.sched_getaffinity(0))", id="bind itself to CPUs"),
        pytest.param("lambda: os.kill(os.getpid(), 0)", id="send itself a signal"),
        pytest.param("lambda: in_a_thread()", id="start a thread"),
        pytest.param("lambda: (inside / 'old').rename(inside / 'new')", id="rename a file"),
        pytest.param("lambda: unknown_call()", id="be told that a call is unknown"),
    ],
)
def test_what_a_render_needs_is_allowed(tmp_path: Path, action: str) -> None:
    assert _attempt(tmp_path, action, confine=_RESTRICT)[1] == "done"


_TAKEN_OVER = """
import os, pickle, socket, struct, sys
from imgcdn.renderers.sandbox import confine
from imgcdn.renderers.system_calls import restrict_system_calls
address, made = sys.argv[1:]
class Trap:
    def __reduce__(self):
        return os.mkdir, (made,)
confine("")
if {refuses}:
    restrict_system_calls()
try:
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
except PermissionError:
    sys.exit()
data = pickle.dumps((0, Trap()))
client.sendall(struct.pack(">Q", len(data)) + data)
client.recv(1)  # the broker hangs up
"""


@pytest.mark.parametrize("refuses", [True, False], ids=["with the filter", "where the filter is not known"])
def test_a_child_that_was_taken_over_runs_no_code_in_the_broker(
    folder: Path, small: Path, tmp_path: Path, refuses: bool
) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            [address] = folder.glob("*.sock")
            command = [sys.executable, "-c", _TAKEN_OVER.replace("{refuses}", str(refuses))]
            arguments = [str(address), str(tmp_path / "made by the broker")]
            await asyncio.to_thread(subprocess.run, [*command, *arguments], check=True, cwd=ROOT)
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())
    assert not (tmp_path / "made by the broker").exists()
