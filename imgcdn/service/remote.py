"""
Remote originals: fetched once for all who wait, kept on disk, validated when they are no longer fresh.

A validation replaces the record and nothing else, so a 304, or a 200 with the same bytes, keeps every variant.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from imgcdn.config import Config
from imgcdn.core.output.keys import source_key
from imgcdn.core.request.routes import Routes
from imgcdn.core.request.url import parse_remote
from imgcdn.core.values import FileStamp, OriginState, Source, SourceRecord
from imgcdn.errors import Forbidden, ImageTooLarge, InternalError, OriginError, SourceNotFound
from imgcdn.origins.freshness import lifetime
from imgcdn.origins.http import Fetched, RemoteFetcher, Validators
from imgcdn.origins.negative import has_live_entry, negative_entry
from imgcdn.service.originals import Held, Known, Prober
from imgcdn.service.single_flight import SingleFlight
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import ORIGINAL_NAME, file_stamp
from imgcdn.store.folder import Folder

#: An unseen `v` asks the origin, but not more often than this: anybody can make one up.
_V_PAUSE_S = 10.0

#: Callers' versions that a record remembers.
_MOST_SEEN = 16

_NO_FILE = FileStamp(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Copy:
    """What a fetch brought: the origin's word, and the bytes unless it was a 304."""

    fetched: Fetched
    held: Held | None
    temp: str | None


@dataclass(slots=True)
class _Places:
    """The fetches that one origin host may have under way, and how many have or want one."""

    free: asyncio.Semaphore
    users: int = 0


class RemoteOriginals:
    """
    Originals at http(s) URLs, those that mounts make included.

    Args:
        config: The settings.
        routes: Knows the mounts' bases.
        fetcher: Sends the requests; blocks.
        store: Keeps records and originals.
        prober: Reads what came.
        flights: Joins requests for the same one.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        config: Config,
        *,
        routes: Routes,
        fetcher: RemoteFetcher,
        store: DiskStore,
        prober: Prober,
        flights: SingleFlight,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._routes = routes
        self._fetcher = fetcher
        self._store = store
        self._prober = prober
        self._flights = flights
        self._clock = clock
        self._threads = ThreadPoolExecutor(config.fetchers, thread_name_prefix="fetch")
        self._hosts: dict[str, _Places] = {}

    def close(self) -> None:
        """End the threads, and close the connections to origins that are kept alive."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._fetcher.close()

    def current(self, source: Source, v: str | None) -> SourceRecord | None:
        """Return the record while the origin need not be asked."""
        record = self._store.record(source_key(source))
        now = self._clock()
        if record is None:
            return None
        if has_live_entry(record, now=now):
            return record
        origin = record.origin
        if origin is None or record.facts is None or origin.fresh_until <= now:
            return None
        unseen = v is not None and v not in origin.seen
        return None if unseen and now - origin.validated_at > _V_PAUSE_S else record

    async def know(self, source: Source, v: str | None) -> Known:
        """Fetch or validate it, once for all who wait."""
        record = self.current(source, v)
        if record is not None:
            return Known(record)
        flight = self._flights.join(f"source:{source_key(source)}", lambda: self._refresh(source, v))
        return await flight.wait()

    async def open(self, source: Source, known: Known) -> Known:
        """Return its bytes: those just fetched, those on disk, or, where they were evicted, fetched again."""
        if known.held is not None:
            return known
        path = self._store.original(source_key(source))
        if path is not None and _stamp(path) == known.record.stamp:
            return Known(known.record, Held(path))
        flight = self._flights.join(f"original:{source_key(source)}", lambda: self._fetch(source, None, None))
        return await flight.wait()

    async def _refresh(self, source: Source, v: str | None) -> Known:
        known = self.current(source, v)  # another process may have been first
        if known is not None:
            return Known(known)
        return await self._fetch(source, self._store.record(source_key(source)), v)

    async def _fetch(self, source: Source, known: SourceRecord | None, v: str | None) -> Known:
        """Ask the origin; what it answers is remembered, its failures too."""
        key = source_key(source)
        with self._store.open_folder(key) as folder:
            try:
                copy = await self._ask(source, known)
            except (SourceNotFound, OriginError, ImageTooLarge, Forbidden) as error:
                self._remember_failure(folder, known, error)
                raise
            if not copy.fetched.modified:
                return self._still_the_same(folder, known, copy.fetched, v)
            return await self._replaced(folder, copy, v, changed=known is not None)

    async def _ask(self, source: Source, known: SourceRecord | None) -> _Copy:
        async with self._place(source):
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._download, source, known)
            return await work

    def _download(self, source: Source, known: SourceRecord | None) -> _Copy:
        """Run in a thread: fetch into a file of the store's, or into one that goes with the last request."""
        temp = self._store.temp_path()
        if temp is not None:
            try:
                return self._download_to(temp, source, known)
            except OSError as error:
                self._store.note(error)
        handle, path = tempfile.mkstemp(prefix="imgcdn-original-")
        os.close(handle)
        try:
            return replace(self._download_to(path, source, known), temp=None)
        except OSError as error:
            raise InternalError("There is no room for the original. Try again later.", log=str(error)) from error

    def _download_to(self, path: str, source: Source, known: SourceRecord | None) -> _Copy:
        held = Held(Path(path), temporary=True)
        fetched = None
        try:
            with open(path, "wb") as file:
                fetched = self._fetcher.fetch(
                    parse_remote(source.location),
                    into=file,
                    validators=_validators(known),
                    base=self._routes.base_of(source),
                )
        finally:
            if fetched is None or not fetched.modified:
                held.discard()
        return _Copy(fetched, held if fetched.modified else None, path)

    def _still_the_same(self, folder: Folder, known: SourceRecord | None, fetched: Fetched, v: str | None) -> Known:
        if known is None or known.origin is None:
            raise OriginError("The origin did not send the image.", log="a 304 that was not asked for")
        headers = {**dict(known.origin.headers), **fetched.headers}
        origin = self._state(fetched, headers, v, known.origin)
        record = replace(known, negative=None, origin=origin)
        self._store.save_record(folder, record)
        return Known(record, validated=304)

    async def _replaced(self, folder: Folder, copy: _Copy, v: str | None, *, changed: bool) -> Known:
        assert copy.held is not None
        known = self._store.record(folder.source_key)
        origin = self._state(copy.fetched, dict(copy.fetched.headers), v, known.origin if known else None)
        held = self._kept(folder, copy) if origin.storable else copy.held
        probed = await self._prober.probe(held.path, _stamp(held.path))
        if probed is None:
            raise InternalError("The original was replaced while it was read. Try again.")
        record = replace(probed, origin=origin)
        if origin.storable:
            self._store.save_record(folder, record)
        else:
            self._store.purge(folder.source_key)
        return Known(record, held, validated=200 if changed else 0)

    def _kept(self, folder: Folder, copy: _Copy) -> Held:
        """Move the bytes into the source's folder; where that fails they stay for those who wait."""
        assert copy.held is not None
        if copy.temp is not None and folder.publish(copy.temp, ORIGINAL_NAME):
            path = self._store.original(folder.source_key)
            if path is not None:
                return Held(path)
        return copy.held

    def _remember_failure(
        self,
        folder: Folder,
        known: SourceRecord | None,
        error: SourceNotFound | OriginError | ImageTooLarge | Forbidden,
    ) -> None:
        negative = negative_entry(error, now=self._clock())
        if isinstance(error, SourceNotFound):  # it is gone, and so is what was made of it
            self._store.purge(folder.source_key)
            known = None
        record = known or SourceRecord("", _NO_FILE, None)
        with self._store.open_folder(folder.source_key) as anew:
            self._store.save_record(anew, replace(record, negative=negative))

    def _state(
        self, fetched: Fetched, headers: dict[str, str], v: str | None, before: OriginState | None
    ) -> OriginState:
        judged = lifetime(
            headers,
            received_at=fetched.received_at,
            min_ttl_s=self._config.min_ttl,
            default_ttl_s=self._config.default_ttl,
            max_ttl_s=self._config.max_ttl,
        )
        seen = before.seen if before else ()
        if v is not None and v not in seen:
            seen = (*seen, v)[-_MOST_SEEN:]
        return OriginState(
            url=fetched.url.url,
            headers=tuple(sorted(headers.items())),
            validated_at=fetched.received_at,
            fresh_until=fetched.received_at + judged.fresh_for_s,
            storable=judged.storable,
            seen=seen,
        )

    @asynccontextmanager
    async def _place(self, source: Source) -> AsyncIterator[None]:
        """Wait for one of the places that an origin host has, so that a slow one takes no more than its share."""
        host = parse_remote(source.location).host
        places = self._hosts.setdefault(host, _Places(asyncio.Semaphore(self._config.fetches_per_host)))
        places.users += 1
        try:
            async with places.free:
                yield
        finally:
            places.users -= 1
            if not places.users:
                del self._hosts[host]


def _validators(known: SourceRecord | None) -> Validators | None:
    if known is None or known.origin is None or known.facts is None:
        return None
    headers = dict(known.origin.headers)
    return Validators(known.origin.url, headers.get("etag", ""), headers.get("last-modified", ""))


def _stamp(path: Path) -> FileStamp:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _NO_FILE
    try:
        return file_stamp(fd)
    finally:
        os.close(fd)
