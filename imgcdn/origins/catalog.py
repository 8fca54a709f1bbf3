"""
The records of sources: look up, refresh, write negative entries, open. All kinds of sources are handled alike.

The catalogue does not join requests. Its caller makes sure that a source is refreshed once for all requests that wait
for it. A validation replaces only the record, so all variants stay after a 304, and after a 200 with the same bytes.
"""

import functools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from imgcdn.core.interest import ALWAYS, Interest
from imgcdn.core.output.keys import source_key
from imgcdn.core.stale import NO_FILE
from imgcdn.core.values import FileStamp, OriginState, PathBeneath, Source, SourceRecord
from imgcdn.errors import Forbidden, ImageTooLarge, ImgcdnError, OriginError, SourceNotFound, SourceWithheld
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
from imgcdn.origins.fetching import Fetched, Fetching, keep
from imgcdn.origins.freshness import permissions, updated_headers
from imgcdn.origins.limits import OriginalLimits
from imgcdn.origins.negative import blames_origin, has_live_entry, negative_entry, raise_remembered
from imgcdn.origins.negative_memo import NegativeMemo
from imgcdn.origins.probing import Prober
from imgcdn.origins.records import complete, latest, origin_state
from imgcdn.origins.settings import OriginSettings
from imgcdn.origins.staleness import StaleUse, judge
from imgcdn.renderers.jobs import FirstRender
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import path_stamp
from imgcdn.store.folder import Folder
from imgcdn.store.purging import drop_source

#: How many times an original is read if it changes while it is read. After that, it is assumed to be still being
#: written.
ATTEMPTS = 2

_log = logging.getLogger(__name__)


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
        self.stale_use = StaleUse(settings.stale_while_revalidate, settings.stale_if_error)
        self._fetchers = fetchers
        self.store = store
        self._prober = prober
        self._clock = clock
        self._failures = NegativeMemo(clock=clock)
        self._fetching = Fetching(settings, store)

    def current(self, source: Source, v: str | None) -> Original | None:
        """
        Return the original if its record may be used, otherwise None. It does not wait.

        Args:
            v: The caller's version of the source.

        Raises:
            SourceNotFound: The file is not there.
            OriginError: The folder of the originals is not there, and nothing is known of the file.
            ImageTooLarge: A limit was lowered since the record was made.
            UnsupportedImage: A format was refused since the record was made.
        """
        key = source_key(source)
        try:
            stamp = self._fetchers[source.scheme].stamp(source)
        except OriginError:
            known = self.store.record(key)
            if known is None or known.facts is None or not self.stale_use.if_error_s:
                raise
            return Original(self._limits.check(self._limits.applied_to(known)), Freshness.FAILING)
        if stamp is not None:
            # Most hits of files end here.
            known = self.store.record(key)
            if known is not None and known.stamp == stamp and known.facts is not None and known.negative is None:
                return Original(self._limits.check(self._limits.applied_to(known)))
        # A good record comes first: another process may have fetched what failed here.
        for kept in (self.store.record(key), self._failures.get(key)):
            if kept is None:
                continue
            record = self._limits.applied_to(kept)
            freshness = self._judge(source, record, stamp, v)
            if freshness is not Freshness.STALE:
                return Original(self._limits.check(record), freshness)
        return None

    def _judge(self, source: Source, record: SourceRecord, stamp: FileStamp | None, v: str | None) -> Freshness:
        now, fetcher = self._clock(), self._fetchers[source.scheme]
        if record.origin is not None and not fetcher.admits(source, record.origin.way):
            # It is fetched anew, but not again while that failure is remembered: the reason may be a limit of ours.
            is_remembered = blames_origin(record) and has_live_entry(record, now=now)
            return Freshness.FRESH if is_remembered else Freshness.STALE
        stale_use = functools.partial(self._permitted, source)
        return judge(record, stamp=stamp, v=v, now=now, max_ttl_s=self._settings.max_ttl, stale_use=stale_use)

    def _permitted(self, source: Source, origin: OriginState) -> StaleUse:
        always = self._fetchers[source.scheme].ignores_stale_rules(source)
        return self.stale_use.permitted_by(permissions(origin.headers, origin.validated_at), always=always)

    def previous(self, source: Source, original: Original, *, is_named: bool) -> Original | None:
        """
        Return the version before this one, if it may be shown.

        Args:
            is_named: Whether the request names that version. If not, a remote original may be shown so for as long as a
                stale one, and a file is never shown as what it was.
        """
        record, origin = original.record, original.record.origin
        if record.previous is None or (origin is None and not is_named):
            return None
        limits = self.stale_use if origin is None else self._permitted(source, origin)
        limit_s = limits.if_error_s if is_named else limits.while_revalidate_s
        if self._clock() - record.previous.until >= limit_s:
            return None
        older = replace(record, version=record.previous.version, facts=record.previous.facts, negative=None, failed=())
        try:
            return replace(original, record=self._limits.check(self._limits.applied_to(older)))
        except ImgcdnError:
            return None

    async def refresh(
        self, source: Source, v: str | None, *, first: FirstRender | None = None, interest: Interest = ALWAYS
    ) -> Original:
        """
        Bring the record up to date: fetch the original, or validate it. Failures are remembered.

        If the origin fails and what is stored may be used all the same, that is returned.

        Args:
            v: The caller's version of the source.
            first: What to render if the original is new and may be stored; None for nothing.
            interest: Who waits for the original.

        Raises:
            ImgcdnError: The source or its origin failed.
            Withdrawn: Nobody waited, and the fetch made way for others.
        """
        original = self.current(source, v)  # another process may have been first
        if original is not None and original.freshness is not Freshness.STALE_OK:
            return original
        known = self.store.record(source_key(source))
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
        path = self.store.original(source_key(source))
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

    def forget_failures(self, source: Source | None) -> None:
        """Forget that a source failed, so that its origin is asked again; None for all sources."""
        if source is None:
            self._failures.forget_all()
        else:
            self._failures.forget(source_key(source))

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
        for attempt in range(ATTEMPTS):
            if attempt and known is not None:  # it may have been purged
                known = self.store.record(source_key(source))
            with self.store.open_folder(source_key(source)) as folder:
                original = await self._attempt(source, folder, known, v=v, first=first, interest=interest)
            if original is not None:
                return original
        raise keeps_changing()

    async def _attempt(
        self,
        source: Source,
        folder: Folder,
        known: SourceRecord | None,
        *,
        v: str | None,
        first: FirstRender | None,
        interest: Interest,
    ) -> Original | None:
        """Fetch or validate an original. Return None if it was replaced or purged meanwhile."""
        fetcher = self._fetchers[source.scheme]
        host = fetcher.group(source)
        try:
            fetched = await self._fetching.fetch(fetcher, source, known, interest)
        except (SourceNotFound, OriginError, ImageTooLarge, Forbidden) as error:
            if fetcher.copies:  # for a file, another look-up costs less than a negative entry
                self._remember_failure(folder, known, host, error)
            stored = self._despite(error, source, v)
            if stored is None:
                raise
            return stored
        if not fetched.answer.modified:
            return self._record_validation(folder, known, fetched.answer, v)
        return await self._record_new_bytes(
            folder, fetched, v=v, first=first, host=host, was_known=known is not None, interest=interest
        )

    def _despite(self, error: ImgcdnError, source: Source, v: str | None) -> Original | None:
        """Return the original that is stored, if it may be used although its origin failed."""
        if not isinstance(error, OriginError | SourceWithheld):
            return None
        original = self.current(source, v)
        if original is None or original.freshness is not Freshness.FAILING:
            return None
        _log.warning("an origin failed, and what is stored is shown: %s", error.log or error.detail)
        return original

    def _record_validation(
        self, folder: Folder, known: SourceRecord | None, answer: Answer, v: str | None
    ) -> Original | None:
        if known is None or known.origin is None:
            raise OriginError(NOT_SENT, log="a 304 to an unconditional request")
        headers = updated_headers(dict(known.origin.headers), answer.headers)
        origin = origin_state(self._settings, answer, headers, v, known.origin)
        record = replace(latest(known, self.store.record(folder.source_key)), origin=origin)
        if origin.storable:
            record = self.store.save_record(folder, record)
            if folder.was_removed():
                return None
        else:  # the waiting requests fetch it again, and nobody else gets it
            drop_source(self.store, folder.source_key)
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
        """Probe a fetched original and save its record. Return None if it was replaced or purged meanwhile."""
        before = self.store.record(folder.source_key)
        answer, file, origin = fetched.answer, fetched.file, None
        if answer.file is None:
            origin = origin_state(self._settings, answer, dict(answer.headers), v, before.origin if before else None)
            file = keep(fetched, folder, self.store) if origin.storable else fetched.file
        if file is None:
            return None
        located = answer.file or Located(file.path, path_stamp(str(file.path)) or NO_FILE)
        storable = origin is None or origin.storable
        first = first if storable else None
        probed = await self._prober.probe(located, version=answer.version, first=first, interest=interest)
        if probed is None or folder.was_removed():
            return None
        newest = self.store.record(folder.source_key)  # a render may have failed during the probe
        record = complete(probed.record, origin, before=before, newest=newest, now=self._clock())
        if origin is not None and record.facts is None:
            self.store.discard(str(file.path))  # it will be fetched again
        if not storable:
            drop_source(self.store, folder.source_key)
        elif record.facts is not None or (newest is not None and newest.facts is not None):
            saved = self.store.save_record(folder, record)
            if folder.was_removed():
                return None
            record = replace(record, origin=saved.origin)  # with its own stamp, also if a purge has marked a file
            self._failures.forget(folder.source_key)
        else:
            self._failures.put(folder.source_key, host, record)
            self.store.drop_if_empty(folder.source_key)
        status = 200 if origin is not None and was_known else 0
        return Original(record, file=file, origin_status=status, rendered=probed.rendered)

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
            drop_source(self.store, folder.source_key)
            known = None
        if known is not None and known.facts is not None:
            self.store.save_record(folder, replace(known, negative=entry))
        else:
            self._failures.put(folder.source_key, host, SourceRecord("", NO_FILE, None, entry))
            self.store.drop_if_empty(folder.source_key)
