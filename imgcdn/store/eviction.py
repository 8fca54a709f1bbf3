"""
Eviction: it keeps the cache folder under its limits and removes the least recently used files first.

One process at a time sweeps the folder; a lock on the trash folder elects it. A sweep looks at the files themselves, so
files of earlier runs count too. Whatever counts towards a limit can be evicted for it: variants first, then, with the
last variant of a source, its record and its folder.
"""

import errno
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imgcdn.store.disk import DiskStore
from imgcdn.store.files import remove_file
from imgcdn.store.layout import (
    CURRENT,
    TEMP_FOLDER,
    TEMP_NAME,
    TRASH_FOLDER,
    TREE_NAME,
    elected,
    spill_folder,
)
from imgcdn.store.opening import FOLDER
from imgcdn.store.survey import Shard, StoredFile, StoredSource, entries, list_shards
from imgcdn.store.verification import verify_part

_log = logging.getLogger(__name__)

#: Share of the limit to which a sweep goes down, so that the next variant does not exceed the limit again.
_LOW_WATER = 0.9

#: Older temporary files are leftovers of killed processes: no fetch or render may take so long.
_TEMP_MAX_AGE_S = 3600

#: A source without variants keeps its record until it is this old.
_RECORD_MAX_AGE_S = 86_400

#: The pause between two sweeps: at least this many seconds, and this many times the duration of the last sweep.
_MIN_PAUSE_S = 10.0
_PAUSE_RATIO = 20.0

#: The sweep's name in the log. `degraded` reports its failure alone.
_SWEEP = "sweep"

#: The errors of a file that is gone, and of a folder into which a file was just published.
_NO_TROUBLE = (errno.ENOENT, errno.ENOTEMPTY)


@dataclass(frozen=True, slots=True)
class EvictionPass:
    """
    The result of one sweep.

    Args:
        kept_bytes: Bytes that variants, records and folders take on the disk afterwards.
        original_bytes: Bytes that copies of remote originals take afterwards.
        evicted: Number of variants and originals removed.
    """

    kept_bytes: int
    original_bytes: int
    evicted: int


def run_eviction(store: DiskStore) -> EvictionPass | None:
    """
    Remove files until the folder is under its limits and the disk has the required free space.

    If that fails, `store.health` has the reason.

    Returns:
        None if another process is sweeping, the folder cannot be swept, or nothing is stored.
    """
    _sweep_spilled(store.clock())
    if not store.max_bytes:
        return None
    try:
        try:
            return _run_if_elected(store)
        except (FileNotFoundError, NotADirectoryError):
            if not _mend(store):
                raise
            return _run_if_elected(store)
    except OSError as error:
        store.health.note_sweep(os.strerror(error.errno or errno.EIO))
        return None


class Evictor:
    """
    A thread that sweeps from time to time, and verifies a part of what is stored.

    Args:
        store: The store to sweep.
        pause_s: Shortest time between two sweeps, in seconds.
    """

    def __init__(self, store: DiskStore, *, pause_s: float = _MIN_PAUSE_S) -> None:
        self._store = store
        self._pause_s = pause_s
        self._failing: set[str] = set()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. A folder that is already over its limits is swept while requests are served."""
        # Made here, because a thread that was made before a fork cannot be started after it (Python 3.13).
        self._thread = threading.Thread(target=self._run, name="evictor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause_s = 0.1
        while not self._stopping.wait(pause_s):
            began = time.monotonic()
            self._attempt(_SWEEP, lambda: run_eviction(self._store))
            pause_s = max(self._pause_s, _PAUSE_RATIO * (time.monotonic() - began))
            self._attempt("verification", lambda: verify_part(self._store, pause=self._stopping.wait))

    def _attempt(self, name: str, work: Callable[[], object]) -> None:
        """Do a piece of the work. Log a repeated failure once."""
        try:
            work()
            self._failing.discard(name)
        except Exception:  # noqa: BLE001  # the end of a thread: nobody else gets its error, and it must go on
            if name not in self._failing:
                _log.exception("the cache folder: a %s failed", name)
            self._failing.add(name)
            if name == _SWEEP:
                self._store.health.note_sweep("it failed; the log has the reason")


def _mend(store: DiskStore) -> bool:
    """Create a missing folder. If all of the cache is gone, the next file that is stored creates it."""
    return store.folder.is_dir() and store.health.lay_out_again() is None


def _run_if_elected(store: DiskStore) -> EvictionPass | None:
    with elected(store.folder / TRASH_FOLDER, FOLDER) as won:
        return _run(store) if won else None


def _run(store: DiskStore) -> EvictionPass:
    now = store.clock()
    sweep = _Sweep(list_shards(store.folder / CURRENT))
    sweep.remove_leftovers(store.folder, now)
    sweep.remove_idle(now)
    # Originals can be fetched again without a render, so they are evicted first when the disk is short of space.
    sweep.evict_originals(store.originals_max_bytes, short=store.space.missing_bytes())
    sweep.evict_variants(store.max_bytes, short=store.space.missing_bytes())
    store.health.note_sweep(sweep.trouble)
    if sweep.variants or sweep.originals:
        _log.info(
            "evicted %d variants and %d originals, %d bytes are kept",
            sweep.variants,
            sweep.originals,
            sweep.kept_bytes + sweep.original_bytes,
        )
    return EvictionPass(sweep.kept_bytes, sweep.original_bytes, sweep.variants + sweep.originals)


class _Sweep:
    """
    One sweep of the tree of sources.

    Attributes:
        kept_bytes, original_bytes: What is left, as in an EvictionPass.
        variants, originals: Numbers of files that were removed.
        trouble: Why a file could not be removed; empty if there was no such file.
    """

    def __init__(self, shards: list[Shard]) -> None:
        self._shards = {shard.folder: shard for shard in shards}
        self._sources = {source.folder: source for shard in shards for source in shard.sources}
        self._sources_left = {shard.folder: len(shard.sources) for shard in shards}
        sources = self._sources.values()
        self.kept_bytes = sum(shard.size for shard in shards)
        self.kept_bytes += sum(each.rest_size + sum(v.size for v in each.variants) for each in sources)
        self.original_bytes = sum(each.original.size for each in sources if each.original is not None)
        self.variants = self.originals = 0
        self.trouble = ""

    def remove_leftovers(self, folder: Path, now: float) -> None:
        """Empty the trash, and remove leftovers of killed processes and trees that are not current."""
        # Names are compared, because the paths may differ if the folder is reached through a link.
        current = os.path.basename(os.path.realpath(folder / CURRENT))
        trees = [each for each in entries(folder) if TREE_NAME.fullmatch(each.name) and each.name != current]
        for entry in [*entries(folder / TRASH_FOLDER), *_old(trees, now), *_old_temporary(folder / TEMP_FOLDER, now)]:
            if not _remove_whole(entry):
                self.trouble = "what was purged cannot be removed"

    def remove_idle(self, now: float) -> None:
        """Remove empty folders, and sources with nothing but a record that was not used for long."""
        for shard, sources in self._sources_left.items():
            if not sources:
                self._remove_shard(shard)
        for source in list(self._sources.values()):
            record = source.record
            if source.variants or source.original is not None:
                continue
            forgotten = record is None or now - record.used_at > _RECORD_MAX_AGE_S
            # A folder that was opened a short while ago may wait for a fetch.
            if forgotten and now - source.opened_at > _TEMP_MAX_AGE_S:
                self._remove_rest(source)

    def evict_originals(self, ceiling: int, *, short: int) -> None:
        """Remove the copies of originals that were used longest ago, down to a limit."""
        target = _target(self.original_bytes, ceiling, short)
        for source in sorted(self._sources.values(), key=lambda each: each.original_used_at):
            if self.original_bytes <= target:
                return
            self._remove_original(source)

    def evict_variants(self, ceiling: int, *, short: int) -> None:
        """Remove the variants that were used longest ago, and sources that have none left, down to a limit."""
        target = _target(self.kept_bytes, ceiling, short)
        if self.kept_bytes <= target:
            return
        for variant, source in self._in_order_of_use():
            if self.kept_bytes <= target:
                return
            if variant is None:
                self._remove_original(source)
                self._remove_rest(source)
            elif self._remove(variant.path):
                self.kept_bytes -= variant.size
                self.variants += 1

    def _in_order_of_use(self) -> Iterator[tuple[StoredFile | None, StoredSource]]:
        """Yield each variant, and None for the rest of a source after the last of its variants."""
        order = [
            (used_at, variant is None, number, variant, source)
            for number, source in enumerate(self._sources.values())
            for used_at, variant in [*((each.used_at, each) for each in source.variants), (source.used_at, None)]
        ]
        for _, _, _, variant, source in sorted(order, key=lambda each: each[:3]):
            yield variant, source

    def _remove_original(self, source: StoredSource) -> None:
        if source.original is not None and self._remove(source.original.path):
            self.original_bytes -= source.original.size
            self.originals += 1
            source.original = None

    def _remove_rest(self, source: StoredSource) -> None:
        """Remove a record, and its folder and the shard if they are empty then."""
        if source.record is not None and self._remove(source.record.path):
            self.kept_bytes -= source.record.size
            source.record = None
        if not self._remove(source.folder, os.rmdir):
            return
        self.kept_bytes -= source.folder_size
        del self._sources[source.folder]
        shard = os.path.dirname(source.folder)
        self._sources_left[shard] -= 1
        if not self._sources_left[shard]:
            self._remove_shard(shard)

    def _remove_shard(self, shard: str) -> None:
        if self._remove(shard, os.rmdir):
            self.kept_bytes -= self._shards[shard].size

    def _remove(self, path: str, remove: Callable[[str], None] = os.unlink) -> bool:
        """Remove a file or an empty folder. Return whether it is gone."""
        try:
            remove(path)
        except OSError as error:
            if error.errno not in _NO_TROUBLE:
                self.trouble = os.strerror(error.errno or errno.EIO)
            return error.errno == errno.ENOENT
        return True


def _target(total: int, ceiling: int, short: int) -> int:
    """Return the bytes to go down to, so that a limit holds and missing free space is gained."""
    allowed = min(ceiling, total - short)
    return total if total <= allowed else int(allowed * _LOW_WATER)


def _sweep_spilled(now: float) -> None:
    """Remove leftovers of killed processes beside the cache folder. They do not depend on its state."""
    try:
        for entry in _old_temporary(spill_folder(create=False), now):
            _remove_whole(entry)
    except OSError:  # there is no such folder of this user, so nothing of ours is in it
        return


def _old_temporary(folder: Path, now: float) -> list[os.DirEntry[str]]:
    return _old([each for each in entries(folder) if TEMP_NAME.fullmatch(each.name)], now)


def _old(found: list[os.DirEntry[str]], now: float) -> list[os.DirEntry[str]]:
    return [each for each in found if _age_s(each, now) > _TEMP_MAX_AGE_S]


def _remove_whole(entry: os.DirEntry[str]) -> bool:
    """Remove a file, or a folder with everything in it. Return whether it is gone."""
    if not entry.is_dir(follow_symlinks=False):
        remove_file(entry.path)
    for _ in range(2):  # a render that began before a purge may publish into the folder meanwhile
        shutil.rmtree(entry.path, ignore_errors=True)
    return not os.path.lexists(entry.path)


def _age_s(entry: os.DirEntry[str], now: float) -> float:
    try:
        return now - entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0
