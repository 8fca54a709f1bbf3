"""
Work that no client waits for.

It is bounded, each key is worked on once at a time, and it ends with the process. The renderers give way to clients by
themselves (`renderers/queue.py`).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

_log = logging.getLogger(__name__)

#: Pieces of work that may be under way. More are dropped; a later request submits them again.
_LIMIT = 256


class Background:
    """
    The background work of one process.

    Args:
        limit: Pieces of work that may be under way.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_ending = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Take work from other threads, too, from now on. The caller runs in the event loop that does the work."""
        self._loop = asyncio.get_running_loop()

    def submit_from_thread(self, key: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Do what `submit` does, soon, from any thread. Before `start`, nothing is accepted."""
        if self._loop is not None and key not in self._tasks:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self.submit, key, work)

    def submit(self, key: str, work: Callable[[], Coroutine[Any, Any, object]]) -> bool:
        """
        Begin a piece of work soon. Return whether it was accepted.

        Args:
            key: Names the work. It is not begun while work with this key is under way.
            work: Does the work. Its error is logged, and nobody else gets it.
        """
        if key in self._tasks or len(self._tasks) >= self._limit or self._is_ending:
            return False
        self._tasks[key] = asyncio.create_task(self._do(key, work))
        return True

    def repeat(self, key: str, every_s: float, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Do a piece of work again and again, with a pause before each time, until the process ends."""

        async def go_on() -> None:
            was_well = True
            while True:
                await asyncio.sleep(every_s)
                was_well = await self._attempt(key, work, is_quiet=not was_well)

        self.submit(key, go_on)

    async def stop(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        self._is_ending = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _do(self, key: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await self._attempt(key, work)
        finally:
            del self._tasks[key]

    async def _attempt(
        self, key: str, work: Callable[[], Coroutine[Any, Any, object]], *, is_quiet: bool = False
    ) -> bool:
        """Do the work once. Return whether it succeeded."""
        try:
            await work()
        except Exception:  # noqa: BLE001  # the end of a task: nobody else gets its error
            if not is_quiet:  # a repeated failure is logged once
                _log.exception("background work failed: %s", key)
            return False
        return True
