"""
Eviction: it keeps the cache folder under its limits and removes the least recently used files first.

One process at a time sweeps the folder; a lock on the trash folder elects it. A sweep looks at the files themselves, so
files of earlier runs count too.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from imgcdn.store.disk import DiskStore
from imgcdn.store.files import ORIGINAL_NAME, RECORD_NAME, VARIANT_NAME, remove_file
from imgcdn.store.layout import CURRENT, TEMP_FOLDER, TEMP_NAME, TRASH_FOLDER, TREE_NAME

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


@dataclass(frozen=True, slots=True)
class EvictionPass:
    """
    The result of one sweep, for the log and for tests.

    Args:
        kept_bytes: Bytes of variants and records afterwards.
        original_bytes: Bytes of copies of remote originals afterwards.
        evicted: Number of files removed.
    """

    kept_bytes: int
    original_bytes: int
    evicted: int


@dataclass(frozen=True, slots=True, order=True)
class _StoredFile:
    used_at: float
    path: str
    size: int


def run_eviction(store: DiskStore) -> EvictionPass | None:
    """
    Remove files until the folder is under its limits and the disk has the required free space.

    Returns:
        None if another process is sweeping, or the folder cannot be read.
    """
    try:
        with _elected(store.folder / TRASH_FOLDER) as won:
            return _evict_in(store) if won else None
    except OSError as error:
        _log.warning("cannot sweep the cache folder: %s", error)
        return None


class Evictor:
    """
    A thread that sweeps from time to time.

    Args:
        store: The store to sweep.
        pause_s: Shortest time between two sweeps, in seconds.
    """

    def __init__(self, store: DiskStore, *, pause_s: float = _MIN_PAUSE_S) -> None:
        self._store = store
        self._pause_s = pause_s
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
            run_eviction(self._store)
            pause_s = max(self._pause_s, _PAUSE_RATIO * (time.monotonic() - began))


@contextlib.contextmanager
def _elected(folder: Path) -> Iterator[bool]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def _evict_in(store: DiskStore) -> EvictionPass:
    now = store.clock()
    _remove_leftovers(store.folder, now)
    seen = _survey(store.folder / CURRENT, now)
    # Originals can be fetched again without a render, so they are evicted first when the disk is short of space.
    original_bytes, gone = _evict(
        seen.originals, seen.original_bytes, store.originals_max_bytes, short=store.space.missing_bytes()
    )
    kept_bytes, evicted = _evict(seen.variants, seen.kept_bytes, store.max_bytes, short=store.space.missing_bytes())
    done = EvictionPass(kept_bytes, original_bytes, gone + evicted)
    if done.evicted:
        _log.info("evicted %d variants and %d originals, %d bytes are kept", evicted, gone, kept_bytes + original_bytes)
    return done


def _evict(files: list[_StoredFile], total: int, ceiling: int, *, short: int) -> tuple[int, int]:
    """Remove the least recently used files down to a limit. Return the bytes left and the number of files removed."""
    allowed = min(ceiling, total - short)
    target = total if total <= allowed else int(allowed * _LOW_WATER)
    removed = 0
    for kept in sorted(files):
        if total <= target:
            break
        if remove_file(kept.path):
            total -= kept.size
            removed += 1
    return total, removed


@dataclass(slots=True)
class _Survey:
    variants: list[_StoredFile] = field(default_factory=list)
    originals: list[_StoredFile] = field(default_factory=list)
    kept_bytes: int = 0
    original_bytes: int = 0


def _survey(tree: Path, now: float) -> _Survey:
    """List the files and count their bytes. Remove folders of sources that are empty and were not used for long."""
    seen = _Survey()
    for folder in _folders(tree):
        variants, original, record = _read_folder(folder.path)
        forgotten = record is None or (not variants and original is None and now - record.used_at > _RECORD_MAX_AGE_S)
        # A folder that was opened a short while ago may wait for a fetch.
        if forgotten and _age_s(folder, now) > _TEMP_MAX_AGE_S:
            _remove_idle(folder.path, record)
        seen.variants += variants
        seen.kept_bytes += sum(kept.size for kept in variants) + (record.size if record else 0)
        if original is not None:
            used_at = record.used_at if record else original.used_at
            seen.originals.append(replace(original, used_at=used_at))
            seen.original_bytes += original.size
    return seen


def _remove_idle(folder: str, record: _StoredFile | None) -> None:
    if record is not None:
        remove_file(record.path)
    with contextlib.suppress(OSError):  # it is not empty, perhaps because a file was just published
        os.rmdir(folder)


def _folders(tree: Path) -> Iterator[os.DirEntry[str]]:
    for shard in _entries(tree):
        if shard.is_dir(follow_symlinks=False):
            yield from (entry for entry in _entries(shard.path) if entry.is_dir(follow_symlinks=False))


def _read_folder(folder: str) -> tuple[list[_StoredFile], _StoredFile | None, _StoredFile | None]:
    """Return a source's variants, its original and its record."""
    variants: list[_StoredFile] = []
    original = record = None
    for entry in _entries(folder):
        try:
            stat = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        kept = _StoredFile(stat.st_mtime, entry.path, stat.st_size)
        if entry.name == RECORD_NAME:
            record = kept
        elif entry.name == ORIGINAL_NAME:
            original = kept
        elif VARIANT_NAME.fullmatch(entry.name):
            variants.append(kept)
    return variants, original, record


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # purged or evicted meanwhile
        return []


def _remove_leftovers(folder: Path, now: float) -> None:
    """Empty the trash, and remove leftovers of killed processes and trees that are not current."""
    for entry in _entries(folder / TRASH_FOLDER):
        shutil.rmtree(entry.path, ignore_errors=True)
    for entry in _entries(folder / TEMP_FOLDER):
        if TEMP_NAME.fullmatch(entry.name) and _age_s(entry, now) > _TEMP_MAX_AGE_S:
            remove_file(entry.path)
    # Names are compared, because the paths may differ if the folder is reached through a link.
    current = os.path.basename(os.path.realpath(folder / CURRENT))
    for entry in _entries(folder):
        if TREE_NAME.fullmatch(entry.name) and entry.name != current and _age_s(entry, now) > _TEMP_MAX_AGE_S:
            shutil.rmtree(entry.path, ignore_errors=True)


def _age_s(entry: os.DirEntry[str], now: float) -> float:
    try:
        return now - entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0
