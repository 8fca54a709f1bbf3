"""
The records of sources: look up, refresh, write negative entries, open. All kinds of sources are handled alike.

The catalogue does not join requests. Its caller makes sure that a source is refreshed once for all requests that wait
for it. A validation replaces only the record, so all variants stay after a 304, and after a 200 with the same bytes.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from imgcdn.core.interest import ALWAYS, Interest
from imgcdn.core.output.keys import source_key
from imgcdn.core.values import FileStamp, OriginState, PathBeneath, Source, SourceRecord
from imgcdn.errors import Forbidden, ImageTooLarge, OriginError, SourceNotFound, SourceWithheld
from imgcdn.origins.base import (
    NOT_SENT,
    Answer,
    Fetcher,
    Freshness,
    Located,
    Original,
    OriginalFile,
    keeps_changing,
)
from imgcdn.origins.fetching import Fetched, Fetching
from imgcdn.origins.freshness import judge, lifetime
from imgcdn.origins.limits import OriginalLimits
from imgcdn.origins.negative import has_live_entry, negative_entry, raise_remembered
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

#: How many of the callers' versions (`v`) a record remembers.
_MOST_SEEN = 16

_NO_FILE = FileStamp(0, 0, 0, 0)


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
        self._limits = OriginalLimits.of(settings)
        self._fetchers = fetchers
        self._store = store
        self._prober = prober
        self._clock = clock
        self._failures = NegativeMemo(clock=clock)
        self._fetching = Fetching(settings, store)

    def current(self, source: Source, v: str | None) -> SourceRecord | None:
        """
        Return the record if it is fresh, otherwise None. It does not wait.

        Args:
            v: The caller's version of the source.

        Raises:
            SourceNotFound: The file is not there.
            ImageTooLarge: A limit was lowered since the record was made.
            UnsupportedImage: A format was refused since the record was made.
        """
        stamp = self._fetchers[source.scheme].stamp(source)
        key = source_key(source)
        if stamp is not None:
            # An equal stamp proves that this record describes the file as it is now, even if another process has saved
            # a newer record.
            known = self._store.remembered_record(key)
            if known is not None and known.stamp == stamp and known.facts is not None and known.negative is None:
                return self._limits.check(self._limits.applied_to(known))
        # A good record comes first: another process may have fetched what failed here.
        for kept in (self._store.record(key), self._failures.get(key)):
            if kept is None:
                continue
            record = self._limits.applied_to(kept)
            if judge(record, stamp=stamp, v=v, now=self._clock()) is Freshness.FRESH and self._admits(source, record):
                return self._limits.check(record)
        return None

    def _admits(self, source: Source, record: SourceRecord) -> bool:
        """Tell whether the way in which an original came is allowed now. If not, it is fetched anew."""
        if record.origin is None or has_live_entry(record, now=self._clock()):
            return True  # a file, or a remembered failure, such as that a hop is not allowed
        return self._fetchers[source.scheme].admits(source, record.origin.way)

    async def refresh(
        self, source: Source, v: str | None, *, first: FirstRender | None = None, interest: Interest = ALWAYS
    ) -> Original:
        """
        Bring the record up to date: fetch the original, or validate it. Failures are remembered.

        Args:
            v: The caller's version of the source.
            first: What to render if the original is new and may be stored; None for nothing.
            interest: Who waits for the original.

        Raises:
            ImgcdnError: The source or its origin failed.
            Withdrawn: Nobody waited, and the fetch made way for others.
        """
        record = self.current(source, v)  # another process may have been first
        if record is not None:
            return Original(record)
        known = self._store.record(source_key(source))
        return await self._fetch(source, known, v=v, first=first, interest=interest)

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
            return (await self._fetching.locate(fetcher, source)).file
        path = self._store.original(source_key(source))
        if path is None or path_stamp(path) != original.record.stamp:
            return None
        return OriginalFile(PathBeneath(str(path.parent), path.name))

    async def fetch_again(self, source: Source, interest: Interest = ALWAYS) -> Original:
        """
        Fetch an original whose copy was evicted.

        Args:
            interest: Who waits for the original.

        Raises:
            ImgcdnError: As `refresh`, or the last attempt failed a moment ago.
            Withdrawn: As `refresh`.
        """
        failure = self._failures.get(source_key(source))
        if failure is not None:
            raise_remembered(failure, now=self._clock())
        return await self._fetch(source, None, v=None, first=None, interest=interest)

    def host(self, source: Source) -> str:
        """Return the host of a source, for the log; empty for a folder."""
        return self._fetchers[source.scheme].host(source)

    def group(self, source: Source) -> str:
        """Return the name under which a source's work is counted; empty for a folder."""
        return self._fetchers[source.scheme].group(source)

    def close(self) -> None:
        """End the fetches that are under way, and close the fetchers."""
        self._fetching.close()
        for fetcher in set(self._fetchers.values()):
            fetcher.close()

    async def _fetch(
        self,
        source: Source,
        known: SourceRecord | None,
        *,
        v: str | None,
        first: FirstRender | None,
        interest: Interest,
    ) -> Original:
        fetcher = self._fetchers[source.scheme]
        with self._store.open_folder(source_key(source)) as folder:
            for _ in range(ATTEMPTS):
                try:
                    fetched = await self._fetching.fetch(fetcher, source, known, interest)
                except (SourceNotFound, OriginError, ImageTooLarge, Forbidden) as error:
                    if fetcher.copies:  # for a file, another look-up costs less than a negative entry
                        self._remember_failure(folder, known, fetcher.group(source), error)
                    raise
                if not fetched.answer.modified:
                    return self._record_validation(folder, known, fetched.answer, v)
                original = await self._record_new_bytes(
                    folder,
                    fetched,
                    v=v,
                    first=first,
                    host=fetcher.group(source),
                    was_known=known is not None,
                    interest=interest,
                )
                if original is not None:
                    return original
        raise keeps_changing()

    def _record_validation(self, folder: Folder, known: SourceRecord | None, answer: Answer, v: str | None) -> Original:
        if known is None or known.origin is None:
            raise OriginError(NOT_SENT, log="a 304 to an unconditional request")
        headers = {**dict(known.origin.headers), **answer.headers}
        origin = self._state(answer, headers, v, known.origin)
        record = replace(_latest(known, self._store.record(folder.source_key)), origin=origin)
        if origin.storable:
            self._store.save_record(folder, record)
        else:  # the waiting requests fetch it again, and nobody else gets it
            self._store.purge(folder.source_key)
        return Original(self._limits.check(self._limits.applied_to(record)), origin_status=304)

    async def _record_new_bytes(
        self,
        folder: Folder,
        fetched: Fetched,
        *,
        v: str | None,
        first: FirstRender | None,
        host: str,
        was_known: bool,
        interest: Interest,
    ) -> Original | None:
        """Probe a fetched original and save its record. Return None if the file was replaced meanwhile."""
        assert fetched.file is not None
        before = self._store.record(folder.source_key)
        answer, file, origin = fetched.answer, fetched.file, None
        if answer.file is None:
            origin = self._state(answer, dict(answer.headers), v, before.origin if before else None)
            file = self._keep(folder, fetched) if origin.storable else fetched.file
        located = answer.file or Located(file.path, path_stamp(str(file.path)) or _NO_FILE)
        storable = origin is None or origin.storable
        first = first if storable else None
        probed = await self._prober.probe(located, version=answer.version, first=first, interest=interest)
        if probed is None:
            return None
        newest = self._store.record(folder.source_key)  # a render may have failed during the probe
        failed = newest.failed if newest is not None and newest.version == probed.record.version else ()
        record = replace(probed.record, origin=origin, failed=failed)
        if origin is not None and record.facts is None:
            self._store.discard(str(file.path))  # it will be fetched again
        if not storable:
            self._store.purge(folder.source_key)
        elif record.facts is not None or (newest is not None and newest.facts is not None):
            self._store.save_record(folder, record)
            self._failures.forget(folder.source_key)
        else:
            self._failures.put(folder.source_key, host, record)
            self._store.drop_if_empty(folder.source_key)
        status = 200 if origin is not None and was_known else 0
        return Original(record, file, origin_status=status, rendered=probed.rendered)

    def _keep(self, folder: Folder, fetched: Fetched) -> OriginalFile:
        """Move the file into the source's folder. If that fails, it stays where it is, for the waiting requests."""
        assert fetched.file is not None
        if fetched.temp is not None and folder.publish(fetched.temp, ORIGINAL_NAME):
            path = self._store.original(folder.source_key)
            if path is not None:
                return OriginalFile(PathBeneath(str(path.parent), path.name))
        return fetched.file

    def _remember_failure(
        self,
        folder: Folder,
        known: SourceRecord | None,
        host: str,
        error: SourceNotFound | OriginError | ImageTooLarge | Forbidden,
    ) -> None:
        entry = negative_entry(error, now=self._clock())
        # An original that is gone takes its variants along. One that is withheld may be given again.
        if isinstance(error, SourceNotFound) and not isinstance(error, SourceWithheld):
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
            way=answer.way,
            headers=tuple(sorted(headers.items())),
            validated_at=answer.received_at,
            fresh_until=answer.received_at + permitted.fresh_for_s,
            storable=permitted.storable,
            seen=seen,
        )


def _latest(known: SourceRecord, newest: SourceRecord | None) -> SourceRecord:
    """Return the record that was validated, with the failures of renders that were remembered during the validation."""
    if newest is None or newest.version != known.version:
        newest = known
    return replace(newest, negative=None if newest.negative == known.negative else newest.negative)
