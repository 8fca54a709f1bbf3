"""Where the service's coroutines run when a thread asks for them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from imgcdn.service.assembly import Parts

T = TypeVar("T")


class ServiceLoop:
    """
    The event loop of one process's service.

    Under ASGI it is the server's own. Under WSGI it begins in a thread with the first call, which is after the
    server has forked.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use a loop that runs already and whose owner starts and stops the service."""
        self._loop = loop

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine and wait for it. Not from the loop's own thread."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="service", daemon=True).start()
                asyncio.run_coroutine_threadsafe(self._parts.start(), self._loop).result()
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result()
