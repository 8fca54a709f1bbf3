"""Ending the process at the other end of a socket: only the right one, and only if it is silent."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgcdn.renderers.peer import end_silent_peer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens")

_LISTENER = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("listening", flush=True)
connection = listener.accept()[0]
word = sys.stdin.readline()
if word == "answer\\n":
    connection.sendall(b"!")
if word == "hang up\\n":
    connection.close()
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def listener(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", _LISTENER, str(tmp_path / "socket")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "listening\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("word", "argument", "is_ended"),
    [
        pytest.param("hang", "socket", True, id="silent"),
        pytest.param("answer", "socket", False, id="it has answered"),
        pytest.param("hang up", "socket", False, id="it has closed the connection"),
        pytest.param("hang", "other", False, id="another program"),
    ],
)
def test_a_process_is_ended_only_if_it_is_certainly_the_silent_one(
    listener: "subprocess.Popen[str]", tmp_path: Path, word: str, argument: str, is_ended: bool
) -> None:
    assert listener.stdin
    assert listener.stdout
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(tmp_path / "socket"))
        listener.stdin.write(f"{word}\n")
        listener.stdin.flush()
        assert listener.stdout.readline() == "done\n"
        assert end_silent_peer(connection.fileno(), argument=str(tmp_path / argument)) is is_ended
    if is_ended:
        assert listener.wait(10) == -9
    else:
        assert listener.poll() is None


def test_this_process_is_never_ended() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not end_silent_peer(ours.fileno(), argument=sys.argv[0])


def test_a_closed_descriptor_is_no_error() -> None:
    with socket.socket() as closed:
        number = closed.fileno()
    assert not end_silent_peer(number, argument="any")
