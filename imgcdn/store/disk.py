"""
The cache folder, and how files are added to it and removed from it.

    <cache>/CACHEDIR.TAG
    <cache>/current -> tree-<random>
    <cache>/current/ab/<source key>/record
    <cache>/current/ab/<source key>/original              of a remote source
    <cache>/current/ab/<source key>/<variant key>.<extension>
    <cache>/tmp/                              files that are being written, and the marks of purges
    <cache>/trash/                            folders that were purged
    <cache>/verified                          its mtime: stored variants have been verified again up to this time

There is no index that could disagree with the files. A file is written under `tmp/` and then renamed into its place. So
a reader sees a complete file or none, and a killed process leaves at most one file in `tmp/`. No file is opened through
a link, and a file that is not a regular one counts as missing (`opening.py`).
"""

import contextlib
import logging
import os
import stat as stat_flags
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from imgcdn.core.footprint import VARIANT_BYTES, record_bytes
from imgcdn.core.memo import MIB, Memo, bytes_of
from imgcdn.core.stale import as_stale
from imgcdn.core.values import SourceRecord, Variant
from imgcdn.store.files import (
    LARGE_BYTES,
    MAX_RECORD_BYTES,
    ORIGINAL_NAME,
    RECORD_NAME,
    key_in,
    pack_record,
    path_stamp,
    read_variant,
    remove_file,
    remove_if_same,
    unpack_record,
    unpack_variant,
    variant_name,
    write_file,
)
from imgcdn.store.folder import Folder, Kept, create_and_open
from imgcdn.store.health import Health
from imgcdn.store.layout import CURRENT, TEMP_FOLDER, lay_out, new_temp_name, spill_folder
from imgcdn.store.opening import FOLDER, READ, open_regular, read_file
from imgcdn.store.settings import StoreSettings
from imgcdn.store.space import Space
from imgcdn.store.usage import TOUCH_AFTER_S, Usage

_log = logging.getLogger(__name__)

#: Size of the file that tests whether the disk can be written. One block: some file systems store a smaller file
#: without one, so the test could pass on a full disk.
_TRIED_BYTES = 4096


class DiskStore:
    """
    The stored files of one service. Threads and processes share it without a lock.

    Args:
        settings: The folder and its limits. A missing folder is created. One with other files is refused.
        clock: Unix time in seconds.

    Raises:
        ConfigError: The folder contains other files.
    """

    def __init__(self, settings: StoreSettings, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = settings.cache_dir
        self.max_bytes = settings.cache_max_bytes
        self.originals_max_bytes = settings.originals_max_bytes
        self.space = Space(self.folder, settings.min_free_bytes)
        self.clock = clock
        self.usage = Usage(clock=clock)
        self.health = Health(self.folder, self.space)
        self._records: Memo[str, tuple[tuple[int, int], SourceRecord]] = Memo(
            12 * MIB, lambda key, entry: bytes_of(key, *entry, *entry[0]) + record_bytes(entry[1])
        )
        self._unsaved: Memo[str, SourceRecord] = Memo(2 * MIB, lambda key, record: bytes_of(key) + record_bytes(record))
        self._headers: Memo[str, tuple[tuple[int, int, int], Variant]] = Memo(
            12 * MIB, lambda path, _: bytes_of(path) + VARIANT_BYTES
        )
        self._current = os.path.join(self.folder, CURRENT)
        if self.max_bytes:
            self._lay_out()

    @property
    def degraded(self) -> str:
        """Why nothing can be stored, or nothing evicted; empty if all is well."""
        return self.health.reason if self.max_bytes else ""

    @property
    def temp_folder(self) -> Path:
        """The folder of files that are being written."""
        return self.folder / TEMP_FOLDER

    def try_writing(self) -> str:
        """Write and remove a small file. Return why nothing can be stored; empty if all is well."""
        temp = self.temp_path()
        if temp is not None and self._write(temp, bytes(_TRIED_BYTES)):
            remove_file(temp)
        return self.degraded

    def record(self, source_key: str) -> SourceRecord | None:
        """Return the record of a source; None if there is none."""
        # A record that could not be written comes first: the one on disk is older.
        unsaved = self._unsaved.get(source_key)
        if unsaved is not None or not self.max_bytes:
            return unsaved
        path = self._path(source_key, RECORD_NAME)
        try:
            stat = os.stat(path)
        except OSError:
            return None
        identity = (stat.st_ino, stat.st_mtime_ns)
        known = self._records.get(source_key)
        if known is not None and known[0] == identity:
            return known[1]
        record = self._load_record(path, stat)
        if record is not None:
            self._records.put(source_key, (identity, record))
        return record

    def read(
        self, source_key: str, key: str, format_name: str, *, body: bool = True, patient: bool = True
    ) -> Variant | None:
        """
        Return a variant.

        Args:
            body: Whether to read the body. A 304 needs only the header.
            patient: Whether to hash a large body that this process has not verified yet. If not, the result is None.

        Returns:
            None if there is no such file. A damaged file is removed and counts as missing.
        """
        if not self.max_bytes:
            return None
        path = self._path(source_key, variant_name(key, format_name))
        try:
            fd = os.open(path, READ)
        except OSError:
            return None
        try:
            return self._read_open(fd, path, key, body=body, patient=patient)
        except OSError as error:
            _log.warning("cannot read a variant: %s", error)
            return None
        finally:
            os.close(fd)

    def holds(self, source_key: str, key: str, format_name: str) -> bool:
        """Tell whether there is a file for a variant. It may be damaged."""
        return bool(self.max_bytes) and os.path.exists(self._path(source_key, variant_name(key, format_name)))

    def _read_open(self, fd: int, path: str, key: str, *, body: bool, patient: bool) -> Variant | None:
        stat = os.fstat(fd)
        identity = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        seen = self._headers.get(path)
        # Each process verifies a file once. Hashing 20 KB would be a tenth of the time of a hit.
        known = seen[1] if seen is not None and seen[0] == identity else None
        if known is None and not stat_flags.S_ISREG(stat.st_mode):
            return None
        if known is None and stat.st_size > LARGE_BYTES and not patient:
            return None
        variant = known if known and not body else read_variant(fd, stat.st_size, key=key, known=known)
        if variant is None:
            _log.warning("removed a damaged variant of %d bytes", stat.st_size)
            remove_if_same(path, stat)
            return None
        self.usage.count(path)
        if known is None:
            self._headers.put(path, (identity, replace(variant, body=b"")))
        return variant

    def _load_record(self, path: str, stat: os.stat_result) -> SourceRecord | None:
        try:
            record = unpack_record(read_file(path, MAX_RECORD_BYTES + 1))
        except OSError as error:
            _log.warning("cannot read a record: %s", error)
            return None
        if record is None:
            _log.warning("removed a damaged record")
            remove_if_same(path, stat)
        return record

    def original(self, source_key: str) -> Path | None:
        """
        Return the path of the copy of a remote original; None if there is no copy.

        This call counts as a use of the original, and the originals that were not used for longest are evicted first.
        The time of use is the record's mtime, because the original's own times are part of its stamp.
        """
        path = Path(self._path(source_key, ORIGINAL_NAME))
        if not self.max_bytes or path_stamp(path) is None:
            return None
        record = self._path(source_key, RECORD_NAME)
        with contextlib.suppress(OSError):
            now = self.clock()
            if now - os.lstat(record).st_mtime > TOUCH_AFTER_S:
                os.utime(record, (now, now), follow_symlinks=False)
        return path

    def open_folder(self, source_key: str) -> Folder:
        """
        Open a source's folder to publish into it later. Create it if it is missing.

        Open it before the original is fetched or read. After a purge, files are then published into the purged folder.
        """
        fd = -1
        if self.max_bytes:
            try:
                fd = create_and_open(self.path_of(source_key))
            except OSError as error:
                self.health.note(error)
        return self._opened(source_key, fd)

    def open_existing(self, source_key: str) -> Folder:
        """
        Open a source's folder as `open_folder` does, without creating it.

        Raises:
            OSError: It is not there, or cannot be opened.
        """
        return self._opened(source_key, os.open(self.path_of(source_key), FOLDER))

    def _opened(self, source_key: str, fd: int) -> Folder:
        places = self.path_of(source_key), self.temp_folder
        return Folder(source_key, fd, *places, note=self.health.note)

    def is_unsaved(self, source_key: str) -> bool:
        """Tell whether this process remembers a record that it could not write."""
        return self._unsaved.get(source_key) is not None

    def forget(self, source_key: str | None) -> None:
        """Drop what this process remembers of a source's record; None for all sources."""
        for memo in (self._unsaved, self._records):
            if source_key is None:
                memo.forget_all()
            else:
                memo.forget(source_key)

    def drop_if_empty(self, source_key: str) -> None:
        """Remove a source's folder if it is empty. A flight that has it open can no longer publish into it."""
        if self.max_bytes:
            with contextlib.suppress(OSError):
                os.rmdir(self.path_of(source_key))

    def temp_path(self) -> str | None:
        """Return a new path under `tmp/` to write a file to; None if nothing can be stored."""
        if not self.max_bytes or not self.space.suffices():
            return None
        return os.path.join(self.temp_folder, new_temp_name())

    def spill_path(self) -> str:
        """
        Return a new path, outside of the cache folder, for a file that the cache folder cannot take.

        Raises:
            OSError: There is no folder for it.
        """
        return os.path.join(spill_folder(create=True), new_temp_name())

    def save_record(self, folder: Folder, record: SourceRecord) -> SourceRecord:
        """
        Replace a source's record. If it cannot be written, this process remembers it.

        Returns:
            The record as it counts now: stale, if a purge has marked the source since its folder was opened.
        """
        is_marked = folder.was_marked()
        if is_marked:
            record = as_stale(record, self.clock())
        self._save(folder, record)
        # A purge marks the source first, and then its record, which may just have been replaced.
        return self.save_record(folder, record) if not is_marked and folder.was_marked() else record

    def _save(self, folder: Folder, record: SourceRecord) -> None:
        temp = self.temp_path()
        written = temp is not None and self._write(temp, pack_record(record))
        if temp is not None and written and folder.publish(temp, RECORD_NAME):
            self._unsaved.forget(folder.source_key)
            self._records.forget(folder.source_key)  # a new file may have the inode number and the time of the old one
            return
        self.discard(temp)
        if not folder.was_removed():
            self._unsaved.put(folder.source_key, record)

    def discard(self, temp: str | None) -> None:
        """Remove a temporary file that will not be published. A missing file is no error."""
        if temp is not None:
            remove_file(temp)

    def keep(self, folder: Folder, temp: str, name: str, *, most_bytes: int) -> Kept:
        """
        Publish a variant's file that a render child has written, and read it back.

        Args:
            folder: The source's folder.
            temp: The path that the file was written to.
            name: Its name in the folder, which has its key.
            most_bytes: The greatest possible size, because a child may be hostile. A larger file counts as damaged.

        Raises:
            OSError: The temporary file cannot be read back.
        """
        return self._keep(folder, temp, name, most_bytes) or Kept(None, is_stored=False)

    def keep_small(self, folder: Folder, temp: str, name: str) -> Kept | None:
        """Do as `keep` does, unless the file is so large that another thread should hash it. Then return None."""
        return self._keep(folder, temp, name, LARGE_BYTES)

    def _keep(self, folder: Folder, temp: str, name: str, most_bytes: int) -> Kept | None:
        fd, stat = open_regular(temp)
        try:
            if stat.st_size > most_bytes:
                return None
            variant = read_variant(fd, stat.st_size, key=key_in(name), known=None)
        finally:
            os.close(fd)
        self.health.note(None)
        if variant is not None and folder.publish(temp, name):
            return Kept(variant, is_stored=True)
        self.discard(temp)
        return Kept(variant, is_stored=False)

    def unwritten(self, file: bytes, name: str, *, error_number: int = 0) -> Kept:
        """
        Read a variant's file that could not be written, or was not to be.

        Args:
            file: Its bytes.
            name: As for `keep`.
            error_number: Why it was not written (an `errno`); 0 if no write was tried.
        """
        if error_number:
            self.health.note(OSError(error_number, "while writing a variant"))
        return Kept(unpack_variant(file, len(file), key=key_in(name)), is_stored=False)

    def _write(self, path: str, data: bytes) -> bool:
        failed = write_file(path, data)
        self.health.note(failed)
        return failed is None

    def path_of(self, source_key: str) -> str:
        """Return the path of a source's folder."""
        return f"{self._current}/{source_key[:2]}/{source_key}"

    def _path(self, source_key: str, name: str) -> str:
        return f"{self.path_of(source_key)}/{name}"

    def _lay_out(self) -> None:
        try:
            lay_out(self.folder)
            self.space.announce()
        except OSError as error:
            self.health.note(error)
