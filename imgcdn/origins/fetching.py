"""
Running fetchers: in which threads, how many at the same time, and into which file.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from imgcdn.core.interest import Interest
from imgcdn.core.values import PathBeneath, Source, SourceRecord
from imgcdn.errors import OriginError, Overloaded
from imgcdn.origins.base import Answer, Fetcher, OriginalFile, Stop, Validators
from imgcdn.origins.places import Places
from imgcdn.origins.settings import OriginSettings
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import ORIGINAL_NAME
from imgcdn.store.folder import Folder

_log = logging.getLogger(__name__)

#: Seconds after which a client may try again when no disk had space.
_NO_SPACE_AFTER_S = 10

#: Threads that look files up. A look-up takes a few system calls, and up to 20 ms if the file was just written.
_LOOKUP_THREADS = 8


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of a fetch: the answer, the file with the bytes (None after a 304), and the path to publish from."""

    answer: Answer
    file: OriginalFile | None
    temp: str | None


class Fetching:
    """
    The fetches of one process.

    Args:
        settings: How many run at the same time.
        store: Where the bytes go.
    """

    def __init__(self, settings: OriginSettings, store: DiskStore) -> None:
        self._store = store
        # Two pools: files must not wait for slow origins.
        self._fetch_threads = ThreadPoolExecutor(settings.fetchers, thread_name_prefix="fetch")
        self._lookup_threads = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="lookup")
        self._places = Places(settings.fetchers, per_host=settings.fetches_per_host)
        self._stops: set[Stop] = set()

    async def locate(self, fetcher: Fetcher, source: Source) -> Fetched:
        """
        Find an original that is opened where it lies.

        Raises:
            ImgcdnError: It is not there or not allowed, or the process ends.
        """
        stop = Stop()
        return await self._run(self._lookup_threads, stop, partial(_locate, fetcher, source, stop=stop))

    async def fetch(self, fetcher: Fetcher, source: Source, known: SourceRecord | None, interest: Interest) -> Fetched:
        """
        Find or fetch an original. A fetcher that copies waits for a place of its host first.

        Args:
            known: The record, if there is one.
            interest: Who waits for the original.

        Raises:
            ImgcdnError: The source or its origin failed, or the process ends.
            Withdrawn: Nobody waited, and the fetch made way for others.
        """
        if not fetcher.copies:
            return await self.locate(fetcher, source)
        stop = Stop()
        async with self._places.take(fetcher.group(source), stop, interest):
            download = partial(self._download, fetcher, source, known=known, stop=stop)
            return await self._run(self._fetch_threads, stop, download)

    async def _run(self, threads: ThreadPoolExecutor, stop: Stop, work: Callable[[], Fetched]) -> Fetched:
        self._stops.add(stop)
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except OriginError as error:
            if stop.requested:  # not the origin's fault, so no negative entry
                raise Overloaded.at_shutdown() from error
            raise
        finally:
            self._stops.discard(stop)
            stop.request()  # ends a cancelled fetch, which would keep its thread; no effect on one that has ended

    def _download(self, fetcher: Fetcher, source: Source, *, known: SourceRecord | None, stop: Stop) -> Fetched:
        """Fetch into a file of the store. If that fails, fetch into a temporary file for the waiting requests alone."""
        temp = self._store.temp_path()
        if temp is not None:
            try:
                return _download_to(temp, fetcher, source, known=known, stop=stop)
            except OSError as error:
                self._store.health.note(error)
        try:
            path = self._store.spill_path()
            return replace(_download_to(path, fetcher, source, known=known, stop=stop), temp=None)
        except OSError as error:
            raise _no_space(error) from error

    def close(self) -> None:
        """End the fetches that are under way."""
        for stop in list(self._stops):
            stop.request()
        for threads in (self._fetch_threads, self._lookup_threads):
            threads.shutdown(wait=False, cancel_futures=True)


def keep(fetched: Fetched, folder: Folder, store: DiskStore) -> OriginalFile | None:
    """
    Move a fetched file into its source's folder. If that fails, it stays where it is, for the waiting requests.

    Args:
        folder: The folder, opened before the fetch.

    Returns:
        None if the source was purged meanwhile, and the file with it.
    """
    if fetched.temp is None or not folder.publish(fetched.temp, ORIGINAL_NAME):
        return fetched.file
    path = None if folder.was_removed() else store.original(folder.source_key)
    return None if path is None else OriginalFile(PathBeneath(str(path.parent), path.name))


def _no_space(error: OSError) -> Overloaded:
    """Return the error for an original that no disk takes. The operator makes space, so the client may try again."""
    _log.error("no disk takes the original of a request: %s", error)
    return Overloaded("The disk has no space for the original. Try again later.", after_s=_NO_SPACE_AFTER_S)


def _locate(fetcher: Fetcher, source: Source, *, stop: Stop) -> Fetched:
    answer = fetcher.fetch(source, None, into=None, stop=stop)
    assert answer.file is not None
    return Fetched(answer, OriginalFile(answer.file.path), None)


def _download_to(path: str, fetcher: Fetcher, source: Source, *, known: SourceRecord | None, stop: Stop) -> Fetched:
    file = OriginalFile(PathBeneath(*os.path.split(path)), temporary=True)
    answer = None
    try:
        with open(path, "xb") as into:
            answer = fetcher.fetch(source, _validators(known), into=into, stop=stop)
    finally:
        if answer is None or not answer.modified:
            file.discard()
    return Fetched(answer, file if answer.modified else None, path)


def _validators(known: SourceRecord | None) -> Validators | None:
    if known is None or known.origin is None or known.facts is None:
        return None
    return Validators.of(known.origin.url, dict(known.origin.headers))
