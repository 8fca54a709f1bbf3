"""The socket that the service listens on: bound before anything is started, or handed over by systemd."""

import contextlib
import errno
import os
import socket
import stat
import sys

from imgcdn.errors import ListenError

#: Connections that may wait to be accepted; each worker sets it again.
BACKLOG = 2_048

#: Unsent bytes that the kernel buffers for a client. Without this bound, a stalled reader holds 2.5 MB there, and a
#: slow one shows no progress for a minute.
_UNSENT_IN_KERNEL = 128 * 1024

_REASONS = {
    errno.EADDRINUSE: "is in use by another program; stop that program, or choose another address with --bind",
    errno.EADDRNOTAVAIL: "is not an address of this machine; choose another one with --bind",
    errno.EACCES: "may not be used by this user; choose a port above 1023, or a folder that this user can write to",
    errno.ENOENT: "is in a folder that does not exist; create it, or choose another path",
}


def inherits_sockets() -> bool:
    """Tell whether listening sockets were handed over: by systemd (sd_listen_fds(3)), or by an earlier gunicorn."""
    named = os.environ.get("LISTEN_PID", "")
    return (named == str(os.getpid()) and os.environ.get("LISTEN_FDS", "0") != "0") or "GUNICORN_FD" in os.environ


def listen(bind: str) -> socket.socket:
    """
    Listen on an address.

    Args:
        bind: HOST:PORT, [IPV6]:PORT or unix:/PATH.

    Raises:
        ListenError: The address cannot be used.
    """
    try:
        return _listen_unix(bind.removeprefix("unix:")) if bind.startswith("unix:") else _listen_tcp(bind)
    except socket.gaierror as error:
        raise ListenError(f"{bind} has a host without an address; choose another one with --bind") from error
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, f"cannot be used: {error.strerror or error}")
        raise ListenError(f"{bind} {reason}") from error


def tune(listener: socket.socket) -> None:
    """Bound what the kernel buffers for a client. Accepted sockets inherit this."""
    if listener.family != socket.AF_UNIX and sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_IN_KERNEL)


def _listen_tcp(bind: str) -> socket.socket:
    host, _, port = bind.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _listen_unix(path: str) -> socket.socket:
    _remove_dead_socket(path)
    listener = socket.socket(socket.AF_UNIX)
    previous = os.umask(0)  # a proxy usually runs as another user
    try:
        listener.bind(path)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(previous)
    return listener


def _remove_dead_socket(path: str) -> None:
    """Remove a socket that an earlier process left behind, but not one that still answers, and no other file."""
    with contextlib.suppress(FileNotFoundError), socket.socket(socket.AF_UNIX) as probe:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise ListenError(f"unix:{path} is a file that is not a socket; remove it, or choose another path")
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
