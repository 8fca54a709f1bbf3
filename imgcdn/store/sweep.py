"""
Eviction: the folder kept under its ceiling, least recently used first.

One process sweeps at a time, elected by a lock on the trash. It reads the files themselves, so a folder filled by an
earlier run, or by hand, is counted like any other.
"""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imgcdn.store.disk import DiskStore
from imgcdn.store.files import RECORD_NAME, VARIANT_NAME, remove_file

_log = logging.getLogger(__name__)

# What `DiskStore` names its temporary files, and its trees and the links to them. Nothing else is a leftover.
_TEMP_NAME = re.compile(r"[0-9]+-[0-9a-f]{16}|tree-[0-9a-f]{8}")
_TREE_NAME = re.compile(r"tree-[0-9a-f]{8}")

#: A sweep goes on to here, so that the next published variant does not start another.
_LOW_WATER = 0.9

#: Leftovers of killed processes: older than any render may take.
_TEMP_MAX_AGE_S = 3600

#: A source without variants keeps its record until it is this old.
_RECORD_MAX_AGE_S = 86_400

#: Between two sweeps, at least this many seconds and this many times what the last one took.
_MIN_PAUSE_S = 10.0
_PAUSE_RATIO = 20.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """
    What one sweep saw and did.

    Args:
        kept_bytes: In variants and records, afterwards.
        evicted: Number of variants removed.
    """

    kept_bytes: int
    evicted: int


@dataclass(frozen=True, slots=True, order=True)
class _Kept:
    used_at: float
    path: str
    size: int


def sweep(store: DiskStore) -> Sweep | None:
    """
    Bring the folder under its ceiling and its disk above the free space it must leave.

    Returns:
        None when another process is at it, or the folder cannot be read.
    """
    try:
        with _elected(store.folder / "trash") as won:
            return _sweep(store) if won else None
    except OSError as error:
        _log.warning("cannot sweep the cache folder: %s", error)
        return None


class Sweeper:
    """
    A thread that sweeps from time to time.

    Args:
        store: What is swept.
        pause_s: Shortest time between two sweeps, in seconds.
    """

    def __init__(self, store: DiskStore, *, pause_s: float = _MIN_PAUSE_S) -> None:
        self._store = store
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin; a folder that is over its ceiling already is brought under it behind the first answers."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause_s = 0.1
        while not self._stopping.wait(pause_s):
            began = time.monotonic()
            sweep(self._store)
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


def _sweep(store: DiskStore) -> Sweep:
    _remove_leftovers(store.folder)
    variants, total = _survey(store.folder / "current")
    target = _target(store, total)
    evicted = 0
    for kept in sorted(variants):
        if total <= target:
            break
        if remove_file(kept.path):
            total -= kept.size
            evicted += 1
    if evicted:
        _log.info("evicted %d variants, %d bytes are kept", evicted, total)
    return Sweep(total, evicted)


def _target(store: DiskStore, total: int) -> int:
    """Return the bytes to go down to: `total` itself when nothing needs to go."""
    free = os.statvfs(store.folder)
    missing = store.min_free_bytes - free.f_bavail * free.f_frsize
    allowed = min(store.max_bytes, total - missing)
    return total if total <= allowed else int(allowed * _LOW_WATER)


def _survey(tree: Path) -> tuple[list[_Kept], int]:
    """List the variants and count all bytes; remove records whose variants are long gone."""
    variants: list[_Kept] = []
    total = 0
    now = time.time()
    for folder in _folders(tree):
        held, record = _read_folder(folder)
        variants += held
        total += sum(kept.size for kept in held)
        if record is not None and not held and now - record.used_at > _RECORD_MAX_AGE_S:
            remove_file(record.path)
            with contextlib.suppress(OSError):  # somebody has just published into it
                os.rmdir(folder)
        elif record is not None:
            total += record.size
    return variants, total


def _folders(tree: Path) -> Iterator[str]:
    for shard in _entries(tree):
        if shard.is_dir(follow_symlinks=False):
            yield from (entry.path for entry in _entries(shard.path) if entry.is_dir(follow_symlinks=False))


def _read_folder(folder: str) -> tuple[list[_Kept], _Kept | None]:
    variants: list[_Kept] = []
    record = None
    for entry in _entries(folder):
        try:
            stat = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        kept = _Kept(stat.st_mtime, entry.path, stat.st_size)
        if entry.name == RECORD_NAME:
            record = kept
        elif VARIANT_NAME.fullmatch(entry.name):
            variants.append(kept)
    return variants, record


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # purged or evicted meanwhile
        return []


def _remove_leftovers(folder: Path) -> None:
    """Empty the trash, and remove what killed processes left in tmp and trees that nothing points to."""
    for entry in _entries(folder / "trash"):
        shutil.rmtree(entry.path, ignore_errors=True)
    for entry in _entries(folder / "tmp"):
        if _TEMP_NAME.fullmatch(entry.name) and _age_s(entry) > _TEMP_MAX_AGE_S:
            remove_file(entry.path)
    # Names are compared, not paths: the folder itself may be reached through a link.
    current = os.path.basename(os.path.realpath(folder / "current"))
    for entry in _entries(folder):
        if _TREE_NAME.fullmatch(entry.name) and entry.name != current and _age_s(entry) > _TEMP_MAX_AGE_S:
            shutil.rmtree(entry.path, ignore_errors=True)


def _age_s(entry: os.DirEntry[str]) -> float:
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0
