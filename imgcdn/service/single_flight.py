"""
Single flight: work that several requests need at the same time is done once. All get its result or its error.

Within a process, the work is one task, for which any number of requests wait. Between the processes of one service, a
lock on one byte of a shared file joins them; the key determines the byte. Such a lock takes microseconds (docs/why.md),
leaves no file to clean up, and is released at once when its holder is killed.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from imgcdn.errors import Overloaded

_log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_POLL_S = 0.002
_LAST_POLL_S = 0.05

#: A suspended leader in another process keeps its lock. After this time its work is done again.
_PATIENCE_S = 30.0

#: Number of bytes that can be locked. With so many, two keys practically never share one.
_PLACES = 2**62
_FLOCK = struct.Struct("hhqqi4x")  # struct flock on 64-bit Linux: type, whence, start, length, pid


class Flight(Generic[T]):
    """
    Work that is under way.

    Args:
        task: The task that does the work.
        leads: Whether this request started it.
    """

    def __init__(self, task: "asyncio.Task[T]", *, leads: bool) -> None:
        self._task = task
        self.leads = leads

    async def wait(self) -> T:
        """
        Wait for the work; return its result or raise its error.

        If a request stops waiting, because of its deadline or because its client left, the work goes on: others wait
        for it, and its result will be stored.

        Raises:
            Overloaded: The flight was cancelled because the process ends.
        """
        try:
            return await asyncio.shield(self._task)
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if self._task.cancelled() and waiting is not None and not waiting.cancelling():
                raise Overloaded("The service is shutting down. Try again in a second.") from None
            raise


class SingleFlight:
    """
    The flights of one process.

    Args:
        lock_file: A file that all processes of the service share; None to join within this process only.
    """

    def __init__(self, lock_file: Path | None = None) -> None:
        self._lock_file = lock_file
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def join(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> Flight[T]:
        """
        Join the flight for a key, or start one.

        Args:
            key: The key of the work.
            work: Does the work. It is called for the leader only.
        """
        task = self._tasks.get(key)
        if task is not None:
            return Flight(task, leads=False)
        task = asyncio.create_task(self._lead(key, work))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._land(key, task))
        return Flight(task, leads=True)

    def _land(self, key: str, task: "asyncio.Task[Any]") -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # marks the error as retrieved, in case no request waits any more

    async def _lead(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        if self._lock_file is None:
            return await work()
        async with _byte_lock(self._lock_file, key):
            return await work()

    async def stop(self) -> None:
        """Cancel every flight, and wait until it has ended. Requests that still wait for one get `Overloaded`."""
        while self._tasks:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.wait(list(self._tasks.values()))


@asynccontextmanager
async def _byte_lock(path: Path, key: str) -> AsyncIterator[None]:
    """Hold the lock on a key's byte. While another process holds it, wait without using a thread."""
    place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % _PLACES
    request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        # The folder was removed, or no descriptor is free. Go on without the lock: work may be done twice.
        _log.warning("no lock between processes: %s", error)
        yield
        return
    try:
        pause_s = _FIRST_POLL_S
        patience_ends = asyncio.get_running_loop().time() + _PATIENCE_S
        while not _locks(fd, request) and asyncio.get_running_loop().time() < patience_ends:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LAST_POLL_S)
        yield
    finally:
        os.close(fd)  # releases the lock, which belongs to this open file description


def _locks(fd: int, request: bytes) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
    except BlockingIOError:
        return False
    return True
