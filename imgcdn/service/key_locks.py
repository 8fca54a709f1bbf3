"""
Locks on keys, between the processes of one service.

They are byte-range locks (fcntl(2), open file description locks) on one file. A key has two neighbouring bytes: the
process that does the work holds a lock on the first one, and each process that waits for it a shared lock on the second
one. So a process that does work can ask whether another one waits for it. The kernel frees the locks of a process that
is killed.
"""

import asyncio
import errno
import fcntl
import hashlib
import logging
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from imgcdn.core.interest import Interest, Withdrawn

_log = logging.getLogger(__name__)

_FIRST_POLL_S = 0.002
_LAST_POLL_S = 0.05

#: A suspended process keeps its locks. After this time its work is done again.
_PATIENCE_S = 30.0

#: Number of different lock positions. With so many, two keys almost never share one.
_KEYS = 2**61
_FLOCK = struct.Struct("hhqqi4x")  # struct flock on 64-bit Linux: type, whence, start, length, pid


class KeyLocks:
    """
    The locks of one process. It holds each key once at most, and uses one file descriptor for all.

    Args:
        path: A file that all processes of the service share. It is created if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._pid = 0
        self._users = 0

    @asynccontextmanager
    async def hold(self, key: str, interest: Interest) -> AsyncIterator[None]:
        """
        Hold a key. While another process holds it, wait without using a thread.

        Args:
            interest: Gets the seconds that this took.

        Raises:
            Withdrawn: Nobody waits any more.
        """
        fd = self._descriptor()
        if fd < 0:
            yield
            return
        place = _place(key)
        self._users += 1
        try:
            await _acquire(fd, place, interest)
            yield
        finally:
            self._users -= 1
            _lock(fd, fcntl.F_UNLCK, place)

    def is_awaited(self, key: str) -> bool:
        """Tell whether another process waits for a key that this one holds."""
        if self._fd < 0:
            return False
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _place(key) + 1, 1, 0)
        kind: int = _FLOCK.unpack(fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, request))[0]
        return kind != fcntl.F_UNLCK

    def close(self) -> None:
        """Close the file, which frees every lock of this process."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _descriptor(self) -> int:
        """Return the open file; -1 if there is none, so that work may be done twice."""
        is_inherited = self._pid != os.getpid()  # locks belong to the open file, which a fork shares
        if self._fd < 0 or is_inherited or not (self._users or self._is_current()):
            self.close()
            try:
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                self._pid = os.getpid()
            except OSError as error:  # the folder was removed, or no descriptor is free
                _log.warning("no lock between processes: %s", error)
        return self._fd

    def _is_current(self) -> bool:
        """Tell whether the path still leads to the open file. Somebody may have removed it."""
        with suppress(OSError):
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        return False


async def _acquire(fd: int, place: int, interest: Interest) -> None:
    if _lock(fd, fcntl.F_WRLCK, place):
        return
    clock = asyncio.get_running_loop().time
    began, pause_s = clock(), _FIRST_POLL_S
    _lock(fd, fcntl.F_RDLCK, place + 1)
    try:
        while not _lock(fd, fcntl.F_WRLCK, place) and clock() - began < _PATIENCE_S:
            if not interest.is_wanted:
                raise Withdrawn
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LAST_POLL_S)
    finally:
        _lock(fd, fcntl.F_UNLCK, place + 1)
        interest.waited_s = clock() - began


def _place(key: str) -> int:
    return 2 * (int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % _KEYS)


def _lock(fd: int, kind: int, place: int) -> bool:
    """Lock or unlock a byte. Return False if another process holds it."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, place, 1, 0))
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            _log.warning("no lock between processes: %s", error)
            return True
        return False
    return True
