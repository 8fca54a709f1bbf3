"""
Originals, wherever they are: what is known of one, and its bytes as a file that a render child can open.

Two kinds pass through the same four questions: is what is known still true (without waiting), what is true now, where
are the bytes, and what is to be remembered.
"""

import asyncio
import os
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imgcdn.config import Config
from imgcdn.core.output.keys import source_key
from imgcdn.core.values import FileStamp, Source, SourceRecord
from imgcdn.errors import ImageError, ImageTooLarge, InternalError, RenderTimeout
from imgcdn.origins.local import LocalFiles
from imgcdn.origins.negative import has_live_entry, negative_entry
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import Changed, Probed, ProbeJob
from imgcdn.service.single_flight import SingleFlight
from imgcdn.store.disk import DiskStore

#: A file that changes while it is read is read once more; then its writer is not done.
ATTEMPTS = 2

#: Coarsest tick of a kernel's file times. A file that changed less than this ago may change again, to the same size,
#: without its times telling (git calls such a file racily clean).
_TICK_S = 0.02


class Held:
    """
    An original's file, for as long as somebody refers to this object.

    Args:
        path: Links resolved.
        temporary: Whether it goes with the last reference.
    """

    def __init__(self, path: Path, *, temporary: bool = False) -> None:
        self.path = path
        self._remove = weakref.finalize(self, _remove, path) if temporary else None

    def discard(self) -> None:
        """Remove a temporary file now: an error's traceback may refer to it for a while."""
        if self._remove is not None:
            self._remove()


@dataclass(frozen=True, slots=True)
class Known:
    """
    A source as it is now.

    Args:
        record: Of it.
        held: Its bytes; None when nobody has needed them yet.
        validated: Status of the origin's answer that this request waited for; 0 when it asked nobody.
    """

    record: SourceRecord
    held: Held | None = None
    validated: int = 0


class Originals(Protocol):
    """One kind of source."""

    def current(self, source: Source, v: str | None) -> SourceRecord | None:
        """Return the record if it is still true, without waiting; `v` is the caller's version."""

    async def know(self, source: Source, v: str | None) -> Known:
        """Return what is true now, having read, fetched or validated it once for all who wait."""

    async def open(self, source: Source, known: Known) -> Known:
        """Return the same with its bytes held; with another version when they have changed."""


class Prober:
    """
    Has originals' headers read and their bytes hashed by a render child.

    Args:
        config: The settings.
        renderers: Who does it.
        clock: Unix time in seconds.
    """

    def __init__(self, config: Config, renderers: RenderClient, *, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._renderers = renderers
        self._clock = clock

    async def probe(self, path: Path, stamp: FileStamp) -> SourceRecord | None:
        """Return a record of a file, a refused one's negative in it; None when it is another file by now."""
        job = ProbeJob(path, stamp, self._config.max_pixels, self._config.render_timeout_s)
        try:
            outcome = await self._renderers.run(job)
        except (ImageError, RenderTimeout) as error:  # it crashed or hung, so there is no version
            outcome = Probed("", None, error)
        if isinstance(outcome, Changed):
            return None
        assert isinstance(outcome, Probed)
        negative = None if outcome.error is None else negative_entry(outcome.error, now=self._clock())
        return SourceRecord(outcome.version, stamp, outcome.facts, negative)


class LocalOriginals:
    """
    Files beneath the root.

    Args:
        config: The settings.
        files: Finds them.
        store: Keeps their records.
        prober: Reads them.
        flights: Joins requests for the same one.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        config: Config,
        *,
        files: LocalFiles,
        store: DiskStore,
        prober: Prober,
        flights: SingleFlight,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._max_source_bytes = config.max_source_bytes
        self._files = files
        self._store = store
        self._prober = prober
        self._flights = flights
        self._clock = clock

    def current(self, source: Source, v: str | None) -> SourceRecord | None:
        """Return the record if it is of the file that is there now, and no negative in it has run out."""
        stamp = self._files.stamp(source.location)
        record = self._store.record(source_key(source))
        if record is None or record.stamp != stamp:
            return None
        if record.facts is None and not has_live_entry(record, now=self._clock()):
            return None
        return record

    async def know(self, source: Source, v: str | None) -> Known:
        """Return the record of the file that is there now, probed once for all who wait."""
        record = self.current(source, v)
        if record is None:
            flight = self._flights.join(f"source:{source_key(source)}", lambda: self._probe(source))
            record = await flight.wait()
        return Known(record)

    async def open(self, source: Source, known: Known) -> Known:
        """Return the file's path: the child sees for itself whether it is still the same."""
        return Known(known.record, Held(self._files.resolve(source.location)))

    async def _probe(self, source: Source) -> SourceRecord:
        for _ in range(ATTEMPTS):
            known = self.current(source, None)  # another process may have been first
            if known is not None:
                return known
            path, stamp = self._files.resolve(source.location), self._files.stamp(source.location)
            limit = self._max_source_bytes
            if stamp.size > limit:
                raise ImageTooLarge(f"The original has more than {limit} bytes.", limit=limit, unit="bytes")
            await _wait_for_tick(stamp)
            record = await self._prober.probe(path, stamp)
            if record is not None:
                with self._store.open_folder(source_key(source)) as folder:
                    self._store.save_record(folder, record)
                return record
        raise InternalError("The original keeps changing while it is read. Try again when it is complete.")


async def _wait_for_tick(stamp: FileStamp) -> None:
    """Wait until the next change of the file must show in its times, which follow the wall clock."""
    age_s = time.time() - max(stamp.mtime_ns, stamp.ctime_ns) / 1e9
    if 0 <= age_s < _TICK_S:
        await asyncio.sleep(_TICK_S - age_s)


def _remove(path: Path) -> None:
    with suppress(OSError):
        os.unlink(path)
