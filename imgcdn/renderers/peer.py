"""The process at the other end of a Unix socket, and how it is ended if it hangs."""

import contextlib
import os
import signal
import socket
import struct
import sys
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


def end_silent_peer(connection_fd: int, *, argument: str) -> bool:
    """
    Kill the process that listens at the other end of a connection, if it is certainly the right one.

    The kernel tells who began to listen (SO_PEERCRED, unix(7)). Its number is still that of the same process: as long
    as the connection is open, the process has its end, which no other process inherits. Only Linux has all of this.

    Args:
        connection_fd: A connection to it, on which nothing waits to be read.
        argument: An argument that the process must have been started with.

    Returns:
        Whether it was killed.
    """
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection_fd)) as connection:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(credentials)
        if pid <= 1 or pid == os.getpid() or uid != os.getuid():  # 0: it is in another PID namespace
            return False
        process = os.pidfd_open(pid)
        try:
            if not _is_silent(connection) or argument not in _arguments(pid):
                return False
            signal.pidfd_send_signal(process, signal.SIGKILL)
            return True
        finally:
            os.close(process)
    return False


def _is_silent(connection: socket.socket) -> bool:
    """Tell whether a connection is open, and nothing has come over it."""
    try:
        connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    return False  # the process has ended, or it has answered just now


def _arguments(pid: int) -> list[str]:
    return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
