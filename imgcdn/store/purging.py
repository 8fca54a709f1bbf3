"""
Purging: sources are removed, or marked as stale, for all processes at once.

A purge that removes is one rename: the folder of a source goes into the trash, and of all sources the tree. Who has a
folder open publishes into it wherever it is, so a fetch or a render that is under way stores nothing any more.

A purge that marks replaces records, and a fetch that is under way may replace them again. So it leaves a mark under
`tmp/` first. A flight that finds another mark than when it opened the folder saves its record as a stale one.
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from imgcdn.core.stale import as_stale
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import write_file
from imgcdn.store.layout import CURRENT, TEMP_FOLDER, TRASH_FOLDER, mark_name, replace_tree
from imgcdn.store.survey import StoredSource, sources_in, stored_source


@dataclass(frozen=True, slots=True)
class Purged:
    """
    What a purge has removed or marked.

    Args:
        sources, variants: How many.
        bytes: Bytes that they take, or took, on the disk.
    """

    sources: int = 0
    variants: int = 0
    bytes: int = 0

    def __add__(self, other: "Purged") -> "Purged":
        return Purged(self.sources + other.sources, self.variants + other.variants, self.bytes + other.bytes)


def remove_source(store: DiskStore, source_key: str) -> Purged:
    """
    Remove a source with its variants. What is being fetched or rendered now is not stored either.

    If another process holds the record in memory because it could not write it, it keeps it.

    Raises:
        OSError: It cannot be removed.
    """
    store.forget(source_key)
    if not store.max_bytes:
        return Purged()
    folder = store.path_of(source_key)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        found = _counted(stored_source(folder))
        _move_to_trash(store, folder, source_key[:16])
        return found
    return Purged()


def drop_source(store: DiskStore, source_key: str) -> None:
    """Remove a source as `remove_source` does. A failure is noted as one of the disk."""
    try:
        remove_source(store, source_key)
    except OSError as error:
        store.health.note(error)


def mark_source(store: DiskStore, source_key: str) -> Purged:
    """
    Mark what is stored of a source as stale. Its variants stay.

    Raises:
        OSError: It cannot be written.
    """
    if not store.max_bytes:
        store.forget(source_key)
        return Purged()
    _leave_mark(store, source_key)
    return _mark(store, source_key)


def remove_all(store: DiskStore, *, goes_on: Callable[[], bool]) -> Purged:
    """
    Remove everything: from now on, `current` leads to an empty tree. The next sweep removes the old one.

    Args:
        goes_on: Whether to go on counting what was removed.

    Raises:
        OSError: It cannot be written.
    """
    store.forget(None)
    if not store.max_bytes:
        return Purged()
    old = replace_tree(store.folder)
    os.utime(old)  # a sweep removes an old tree by itself, if it has been left for an hour
    found = Purged()
    for source in sources_in(old):
        if not goes_on():
            break
        found += _counted(source)
    _move_to_trash(store, str(old), old.name)
    return found


def mark_all(store: DiskStore, *, goes_on: Callable[[], bool]) -> Purged:
    """
    Mark everything as stale, source by source.

    Args:
        goes_on: Whether to go on; it is asked before each source.

    Raises:
        OSError: A record cannot be written. Those before it are marked.
    """
    store.forget(None)
    if not store.max_bytes:
        return Purged()
    _leave_mark(store, None)
    found = Purged()
    for source in sources_in(store.folder / CURRENT):
        if not goes_on():
            break
        found += _mark(store, os.path.basename(source.folder))
    return found


def _mark(store: DiskStore, source_key: str) -> Purged:
    try:
        folder = store.open_existing(source_key)
    except (FileNotFoundError, NotADirectoryError):
        store.forget(source_key)
        return Purged()
    with folder:  # opened before the record is read: if it is purged meanwhile, it does not come back
        record = store.record(source_key)
        if record is None:
            return Purged()
        store.save_record(folder, as_stale(record, store.clock()))
        if store.is_unsaved(source_key):
            raise OSError(f"the record of {source_key} could not be written")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return _counted(stored_source(store.path_of(source_key)))
    return Purged()


def _leave_mark(store: DiskStore, source_key: str | None) -> None:
    path = str(store.folder / TEMP_FOLDER / mark_name(source_key))
    failed = write_file(path, b"")
    if failed is not None:
        store.health.note(failed)  # this makes a missing folder
        failed = write_file(path, b"")
    if failed is not None:
        raise failed


def _counted(source: StoredSource) -> Purged:
    files = [*source.variants, *filter(None, (source.original, source.record))]
    if not files:
        return Purged()
    return Purged(1, len(source.variants), source.folder_size + sum(file.size for file in files))


def _move_to_trash(store: DiskStore, folder: str, name: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # an empty one needs no place in the trash
        return
    trash = store.folder / TRASH_FOLDER / f"{name}-{secrets.token_hex(8)}"
    try:
        os.rename(folder, trash)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.isdir(folder):  # so the trash folder is missing, or is a file
            error = store.health.lay_out_again()
            if error is not None:
                raise error from None
            os.rename(folder, trash)
