"""
The records of sources: look up, refresh, write negative entries, open. All kinds of sources are handled alike.

The catalogue does not join requests. Its caller makes sure that a source is refreshed once for all requests that wait
for it. A validation replaces only the record, so all variants stay after a 304, and after a 200 with the same bytes.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from imgcdn.core.output.keys import source_key
from imgcdn.core.values import FileStamp, OriginState, PathBeneath, Source, SourceRecord
from imgcdn.errors import Forbidden, ImageTooLarge, InternalError, OriginError, Overloaded, SourceNotFound
from imgcdn.origins.base import (
    NOT_SENT,
    Answer,
    Fetcher,
    Freshness,
    Located,
    Original,
    OriginalFile,
    Stop,
    Validators,
    keeps_changing,
)
from imgcdn.origins.freshness import judge, lifetime
from imgcdn.origins.negative import negative_entry, raise_remembered
from imgcdn.origins.negative_memo import NegativeMemo
from imgcdn.origins.probing import Prober
from imgcdn.origins.settings import OriginSettings
from imgcdn.renderers.jobs import FirstRender
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import ORIGINAL_NAME, path_stamp
from imgcdn.store.folder import Folder

#: How many times an original is read if it changes while it is read. After that, it is assumed to be still being
#: written.
ATTEMPTS = 2

#: Threads that look files up. A look-up takes a few system calls, and up to 20 ms if the file was just written.
_LOOKUP_THREADS = 8

#: How many of the callers' versions (`v`) a record remembers.
_MOST_SEEN = 16

_NO_FILE = FileStamp(0, 0, 0, 0)


@dataclass(slots=True)
class _Places:
    """The places for fetches from one host, and how many fetches have a place or wait for one."""

    free: asyncio.Semaphore
    users: int = 0


@dataclass(frozen=True, slots=True)
class _Copy:
    """The result of a fetch: the answer, the file with the bytes (None after a 304), and the path to publish from."""

    answer: Answer
    file: OriginalFile | None
    temp: str | None


#: The part of a fetch that runs in a thread.
_Work = Callable[[Fetcher, Source, SourceRecord | None, Stop], _Copy]


class Catalog:
    """
    The sources of one process.

    Args:
        settings: Limits for fetches, and lifetimes.
        fetchers: Scheme of a source -> its fetcher.
        store: Keeps records and copies of originals.
        prober: Reads the headers of originals.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        settings: OriginSettings,
        *,
        fetchers: Mapping[str, Fetcher],
        store: DiskStore,
        prober: Prober,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._fetchers = fetchers
        self._store = store
        self._prober = prober
        self._clock = clock
        self._failures = NegativeMemo(clock=clock)
        # Two pools: files must not wait for slow origins.
        self._fetching = ThreadPoolExecutor(settings.fetchers, thread_name_prefix="fetch")
        self._looking = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="lookup")
        self._hosts: dict[str, _Places] = {}
        self._stops: set[Stop] = set()

    def current(self, source: Source, v: str | None) -> SourceRecord | None:
        """
        Return the record if it is fresh, otherwise None. It does not wait.

        Args:
            v: The caller's version of the source.

        Raises:
            SourceNotFound: The file is not there.
        """
        stamp = self._fetchers[source.scheme].stamp(source)
        key = source_key(source)
        if stamp is not None:
            # An equal stamp proves that this record describes the file as it is now, even if another process has saved
            # a newer record.
            known = self._store.remembered_record(key)
            if known is not None and known.stamp == stamp and known.facts is not None and known.negative is None:
                return known
        # A good record comes first: another process may have fetched what failed here.
        for record in (self._store.record(key), self._failures.get(key)):
            if record is not None and judge(record, stamp=stamp, v=v, now=self._clock()) is Freshness.FRESH:
                return record
        return None

    async def refresh(self, source: Source, v: str | None, first: FirstRender | None = None) -> Original:
        """
        Bring the record up to date: fetch the original, or validate it. Failures are remembered.

        Args:
            v: The caller's version of the source.
            first: What to render if the original is new and may be stored; None for nothing.

        Raises:
            ImgcdnError: The source or its origin failed.
        """
        record = self.current(source, v)  # another process may have been first
        if record is not None:
            return Original(record)
        return await self._fetch(source, self._store.record(source_key(source)), v, first)

    async def open(self, source: Source, original: Original) -> OriginalFile | None:
        """
        Return the file of an original; None if the copy was evicted, so that the original has to be fetched again.

        Raises:
            ImgcdnError: The original is opened where it lies, and is not there or not allowed any more.
        """
        if original.file is not None:
            return original.file
        fetcher = self._fetchers[source.scheme]
        if not fetcher.copies:
            # The render child checks that it is still the same file.
            return (await self._copy(fetcher, source, None)).file
        path = self._store.original(source_key(source))
        if path is None or path_stamp(path) != original.record.stamp:
            return None
        return OriginalFile(PathBeneath(str(path.parent), path.name))

    async def fetch_again(self, source: Source) -> Original:
        """
        Fetch an original whose copy was evicted.

        Raises:
            ImgcdnError: As `refresh`, or the last attempt failed a moment ago.
        """
        failure = self._failures.get(source_key(source))
        if failure is not None:
            raise_remembered(failure, now=self._clock())
        return await self._fetch(source, None, None, None)

    def close(self) -> None:
        """End the fetches that are under way, and close the fetchers."""
        for stop in list(self._stops):
            stop.request()
        for threads in (self._fetching, self._looking):
            threads.shutdown(wait=False, cancel_futures=True)
        for fetcher in set(self._fetchers.values()):
            fetcher.close()

    async def _fetch(
        self, source: Source, known: SourceRecord | None, v: str | None, first: FirstRender | None
    ) -> Original:
        fetcher = self._fetchers[source.scheme]
        with self._store.open_folder(source_key(source)) as folder:
            for _ in range(ATTEMPTS):
                try:
                    copy = await self._copy(fetcher, source, known)
                except (SourceNotFound, OriginError, ImageTooLarge, Forbidden) as error:
                    if fetcher.copies:  # for a file, another look-up costs less than a negative entry
                        self._remember_failure(folder, known, fetcher.host(source), error)
                    raise
                if not copy.answer.modified:
                    return self._record_validation(folder, known, copy.answer, v)
                host = fetcher.host(source)
                original = await self._record_new_bytes(folder, copy, v, first, host=host, was_known=known is not None)
                if original is not None:
                    return original
        raise keeps_changing()

    async def _copy(self, fetcher: Fetcher, source: Source, known: SourceRecord | None) -> _Copy:
        """Run the fetcher in a thread. One that copies waits for a place of its host first."""
        if not fetcher.copies:
            return await self._run(self._looking, _locate, fetcher, source, known)
        async with self._place(fetcher.host(source)):
            return await self._run(self._fetching, self._download, fetcher, source, known)

    async def _run(
        self, threads: ThreadPoolExecutor, work: _Work, fetcher: Fetcher, source: Source, known: SourceRecord | None
    ) -> _Copy:
        stop = Stop()
        self._stops.add(stop)
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work, fetcher, source, known, stop)
        except OriginError as error:
            if stop.requested:  # not the origin's fault, so no negative entry
                raise Overloaded("The service is shutting down. Try again in a second.") from error
            raise
        finally:
            self._stops.discard(stop)
            stop.request()  # ends a cancelled fetch, which would keep its thread; no effect on one that has ended

    def _download(self, fetcher: Fetcher, source: Source, known: SourceRecord | None, stop: Stop) -> _Copy:
        """Fetch into a file of the store. If that fails, fetch into a temporary file for the waiting requests alone."""
        temp = self._store.temp_path()
        if temp is not None:
            try:
                return _download_to(temp, fetcher, source, known, stop)
            except OSError as error:
                self._store.note(error)
        try:
            return replace(_download_to(self._store.spill_path(), fetcher, source, known, stop), temp=None)
        except OSError as error:
            raise InternalError("The disk has no space for the original. Try again later.", log=str(error)) from error

    def _record_validation(self, folder: Folder, known: SourceRecord | None, answer: Answer, v: str | None) -> Original:
        if known is None or known.origin is None:
            raise OriginError(NOT_SENT, log="a 304 to an unconditional request")
        headers = {**dict(known.origin.headers), **answer.headers}
        record = replace(known, negative=None, origin=self._state(answer, headers, v, known.origin))
        self._store.save_record(folder, record)
        return Original(record, origin_status=304)

    async def _record_new_bytes(
        self, folder: Folder, copy: _Copy, v: str | None, first: FirstRender | None, *, host: str, was_known: bool
    ) -> Original | None:
        """Probe a fetched original and save its record. Return None if the file was replaced meanwhile."""
        assert copy.file is not None
        before = self._store.record(folder.source_key)
        answer, file, origin = copy.answer, copy.file, None
        if answer.file is None:
            origin = self._state(answer, dict(answer.headers), v, before.origin if before else None)
            file = self._keep_copy(folder, copy) if origin.storable else copy.file
        located = answer.file or Located(file.path, path_stamp(str(file.path)) or _NO_FILE)
        storable = origin is None or origin.storable
        probed = await self._prober.probe(located, version=answer.version, first=first if storable else None)
        if probed is None:
            return None
        record = replace(probed.record, origin=origin)
        if origin is not None and record.facts is None:
            self._store.discard(str(file.path))  # it will be fetched again
        if not storable:
            self._store.purge(folder.source_key)
        elif record.facts is not None or (before is not None and before.facts is not None):
            self._store.save_record(folder, record)
            self._failures.forget(folder.source_key)
        else:
            self._failures.put(folder.source_key, host, record)
            self._store.drop_if_empty(folder.source_key)
        status = 200 if origin is not None and was_known else 0
        return Original(record, file, origin_status=status, rendered=probed.rendered)

    def _keep_copy(self, folder: Folder, copy: _Copy) -> OriginalFile:
        """Move the file into the source's folder. If that fails, it stays where it is, for the waiting requests."""
        assert copy.file is not None
        if copy.temp is not None and folder.publish(copy.temp, ORIGINAL_NAME):
            path = self._store.original(folder.source_key)
            if path is not None:
                return OriginalFile(PathBeneath(str(path.parent), path.name))
        return copy.file

    def _remember_failure(
        self,
        folder: Folder,
        known: SourceRecord | None,
        host: str,
        error: SourceNotFound | OriginError | ImageTooLarge | Forbidden,
    ) -> None:
        entry = negative_entry(error, now=self._clock())
        if isinstance(error, SourceNotFound):  # the original is gone, so its variants go too
            self._store.purge(folder.source_key)
            known = None
        if known is not None and known.facts is not None:
            self._store.save_record(folder, replace(known, negative=entry))
        else:
            self._failures.put(folder.source_key, host, SourceRecord("", _NO_FILE, None, entry))
            self._store.drop_if_empty(folder.source_key)

    def _state(self, answer: Answer, headers: dict[str, str], v: str | None, before: OriginState | None) -> OriginState:
        permitted = lifetime(
            headers,
            received_at=answer.received_at,
            min_ttl_s=self._settings.min_ttl,
            default_ttl_s=self._settings.default_ttl,
            max_ttl_s=self._settings.max_ttl,
        )
        seen = before.seen if before else ()
        if v is not None and v not in seen:
            seen = (*seen, v)[-_MOST_SEEN:]
        return OriginState(
            url=answer.validators.url if answer.validators else "",
            headers=tuple(sorted(headers.items())),
            validated_at=answer.received_at,
            fresh_until=answer.received_at + permitted.fresh_for_s,
            storable=permitted.storable,
            seen=seen,
        )

    @asynccontextmanager
    async def _place(self, host: str) -> AsyncIterator[None]:
        """Wait for a place of a host. So a slow origin uses no more than its share of the threads."""
        places = self._hosts.setdefault(host, _Places(asyncio.Semaphore(self._settings.fetches_per_host)))
        places.users += 1
        try:
            async with places.free:
                yield
        finally:
            places.users -= 1
            if not places.users:
                del self._hosts[host]


def _locate(fetcher: Fetcher, source: Source, known: SourceRecord | None, stop: Stop) -> _Copy:
    """Find a file. `known` is not used; the signature is that of a download."""
    answer = fetcher.fetch(source, None, into=None, stop=stop)
    assert answer.file is not None
    return _Copy(answer, OriginalFile(answer.file.path), None)


def _download_to(path: str, fetcher: Fetcher, source: Source, known: SourceRecord | None, stop: Stop) -> _Copy:
    file = OriginalFile(PathBeneath(*os.path.split(path)), temporary=True)
    answer = None
    try:
        with open(path, "xb") as into:
            answer = fetcher.fetch(source, _validators(known), into=into, stop=stop)
    finally:
        if answer is None or not answer.modified:
            file.discard()
    return _Copy(answer, file if answer.modified else None, path)


def _validators(known: SourceRecord | None) -> Validators | None:
    if known is None or known.origin is None or known.facts is None:
        return None
    headers = dict(known.origin.headers)
    return Validators(known.origin.url, headers.get("etag", ""), headers.get("last-modified", ""))
