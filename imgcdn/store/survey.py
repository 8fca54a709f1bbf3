"""
What is in the cache folder, and how much of the disk it takes.

Space is counted as the disk counts it: whole blocks, and folders too. A thousand variants of 100 bytes take 4 MB of a
usual disk, and the folders of a thousand sources another 4 MB.
"""

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imgcdn.store.files import ORIGINAL_NAME, RECORD_NAME, VARIANT_NAME

#: Size of the blocks that stat counts in (stat(2)).
_BLOCK_BYTES = 512

#: The names of folders of sources: the first two digits of the sources' keys.
_SHARD_NAME = re.compile(r"[0-9a-f]{2}")

#: The errors of a folder that was purged or evicted while it was looked at.
_GONE = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """
    A file in a source's folder.

    Args:
        path: Its path.
        used_at: Unix time of its last use.
        size: Bytes that it takes on the disk.
    """

    path: str
    used_at: float
    size: int


@dataclass(slots=True)
class StoredSource:
    """
    The folder of a source.

    Args:
        folder: Its path.
        opened_at: Unix time at which it was last opened or changed.
        folder_size: Bytes that the folder itself takes.
        variants, original, record: The files in it.
    """

    folder: str
    opened_at: float
    folder_size: int
    variants: list[StoredFile] = field(default_factory=list)
    original: StoredFile | None = None
    record: StoredFile | None = None

    @property
    def used_at(self) -> float:
        """Unix time of the last use of anything in it."""
        # The folder's own time says nothing beside a record: it also changes when a variant is evicted.
        own = self.record.used_at if self.record is not None else self.opened_at
        return max([own, *(variant.used_at for variant in self.variants)])

    @property
    def original_used_at(self) -> float:
        """Unix time of the last use of the original; 0 if there is none."""
        if self.original is None:
            return 0.0
        return self.record.used_at if self.record is not None else self.original.used_at

    @property
    def rest_size(self) -> int:
        """Bytes of the record and the folder, which stay as long as there is a variant."""
        return self.folder_size + (self.record.size if self.record is not None else 0)


@dataclass(slots=True)
class Shard:
    """A folder of sources: its path, the bytes that it takes itself, and the sources in it."""

    folder: str
    size: int
    sources: list[StoredSource] = field(default_factory=list)


def list_shards(tree: Path) -> list[Shard]:
    """
    List everything beneath a tree of sources. Other files are left out.

    Raises:
        OSError: A folder cannot be read.
    """
    shards = []
    for entry, stat in _stats(tree):
        if _SHARD_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            shards.append(Shard(entry.path, disk_bytes(stat), [_source(*each) for each in _folders(entry.path)]))
    return shards


def sources_in(tree: str | Path) -> Iterator[StoredSource]:
    """
    Yield what is stored of each source beneath a tree.

    Raises:
        OSError: A folder cannot be read.
    """
    for shard in entries(tree):
        if _SHARD_NAME.fullmatch(shard.name) and shard.is_dir(follow_symlinks=False):
            yield from (_source(*each) for each in _folders(shard.path))


def stored_source(folder: str) -> StoredSource:
    """
    Return what is stored of the source with a folder.

    Raises:
        OSError: The folder is not there, or cannot be read.
    """
    return _source(folder, os.lstat(folder))


def variant_paths(tree: str | Path) -> Iterator[str]:
    """
    Yield the path of each variant beneath a tree of sources. Nothing but names is read.

    Raises:
        OSError: A folder cannot be read.
    """
    for shard in entries(tree):
        if not _SHARD_NAME.fullmatch(shard.name) or not shard.is_dir(follow_symlinks=False):
            continue
        for source in entries(shard.path):
            for each in entries(source.path) if source.is_dir(follow_symlinks=False) else ():
                if VARIANT_NAME.fullmatch(each.name):
                    yield each.path


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """
    List a folder. One that is gone is empty.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError as error:
        if error.errno in _GONE:
            return []
        raise


def disk_bytes(stat: os.stat_result) -> int:
    """
    Return the bytes that a file takes on the disk.

    Some file systems compress a file, or count its blocks only when they have written it. Then its length counts.
    """
    return max(stat.st_size, stat.st_blocks * _BLOCK_BYTES)


def _folders(shard: str) -> Iterator[tuple[str, os.stat_result]]:
    for entry, stat in _stats(shard):
        if entry.is_dir(follow_symlinks=False):
            yield entry.path, stat


def _source(folder: str, own: os.stat_result) -> StoredSource:
    source = StoredSource(folder, own.st_mtime, disk_bytes(own))
    for entry, stat in _stats(folder):
        kept = StoredFile(entry.path, stat.st_mtime, disk_bytes(stat))
        if entry.is_dir(follow_symlinks=False):
            continue
        if entry.name == RECORD_NAME:
            source.record = kept
        elif entry.name == ORIGINAL_NAME:
            source.original = kept
        elif VARIANT_NAME.fullmatch(entry.name):
            source.variants.append(kept)
    return source


def _stats(folder: str | Path) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    for entry in entries(folder):
        try:
            yield entry, entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
