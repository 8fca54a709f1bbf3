"""The event loop on which threads run the coroutines of the service."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from imgcdn.service.assembly import Parts

T = TypeVar("T")


class ServiceLoop:
    """
    The event loop of one process's service.

    Under ASGI it is the server's own loop. Under WSGI it runs in a thread, which starts with the first call: that comes
    after the server has forked.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use a running loop, whose owner starts and stops the service."""
        self._loop = loop

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine and return its result. Never call this from the loop's own thread."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="service", daemon=True).start()
                asyncio.run_coroutine_threadsafe(self._parts.start(), self._loop).result()
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result()
