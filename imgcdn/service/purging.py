"""Purging, for the service: in threads of its own, and a few at a time."""

import asyncio
import functools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from imgcdn.core.output.keys import source_key
from imgcdn.core.redaction import redact
from imgcdn.core.values import Source
from imgcdn.errors import Overloaded
from imgcdn.origins.catalog import Catalog
from imgcdn.store.purging import Purged, mark_all, mark_source, remove_all, remove_source

_log = logging.getLogger(__name__)

#: One for a purge of everything, which may take minutes, and one for the others.
_THREADS = 2

#: Purges that may run or wait. A page of a CMS purges a few pictures at once.
_MAX_WAITING = 256


class Purging:
    """
    The purges of one process.

    Args:
        catalog: The records of sources, and the store.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._store = catalog.store
        self._threads: ThreadPoolExecutor | None = None  # made after the fork
        self._stopping = threading.Event()
        self._purges_all = False
        #: Purges that are not answered yet.
        self.waiting = 0

    async def purge(self, source: Source | None, *, soft: bool) -> Purged:
        """
        Purge a source with its variants; None for all sources.

        Args:
            soft: Whether it is marked as stale, and not removed.

        Raises:
            Overloaded: The cache folder cannot be written, or too much is being purged.
        """
        if source is None and self._purges_all:
            raise Overloaded("Everything is being purged already. Try again in a minute.", after_s=60)
        if self.waiting >= _MAX_WAITING:
            raise Overloaded("Too many pictures are being purged. Try again in a second.")
        # Here, because the memory of failures is written from one thread only.
        self._catalog.forget_failures(source)
        if source is not None:
            work = functools.partial(mark_source if soft else remove_source, self._store, source_key(source))
            return await self._run(functools.partial(_attempt, source.location, work, soft=soft))
        self._purges_all = True
        return await self._run(functools.partial(self._purge_all, soft=soft))

    def close(self) -> None:
        """End a purge of everything that is under way."""
        self._stopping.set()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _purge_all(self, *, soft: bool) -> Purged | None:
        every = mark_all if soft else remove_all
        work = functools.partial(every, self._store, goes_on=lambda: not self._stopping.is_set())
        try:
            return _attempt("everything", work, soft=soft)
        finally:
            self._purges_all = False

    async def _run(self, work: Callable[[], Purged | None]) -> Purged:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="purge")
        self.waiting += 1
        try:
            # Shielded: what was ordered is done, also if the client leaves while it waits for a thread.
            purged = await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._threads, work))
        finally:
            self.waiting -= 1
        if purged is None:
            raise Overloaded("The cache folder cannot be written, so not all was purged. Try again later.", after_s=10)
        return purged


def _attempt(name: str, work: Callable[[], Purged], *, soft: bool) -> Purged | None:
    """Do a purge, and log it. Return None if the disk fails."""
    try:
        purged = work()
    except OSError as error:
        _log.error("a purge failed: %s: %s", redact(name), error)  # it is the disk's, and says it all
        return None
    what = "marked as stale" if soft else "removed"
    counts = purged.sources, purged.variants, purged.bytes
    _log.info("purged %s: %d sources, %d variants, %d bytes were %s", redact(name), *counts, what)
    return purged
