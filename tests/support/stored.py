"""Helpers for the tests of the store: variants and records to put into it."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from imgcdn.core.output.file_size import MOST_BYTES
from imgcdn.core.values import Effort, EncodedImage, Facts, FileStamp, NegativeEntry, SourceRecord
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import ORIGINAL_NAME, pack_variant, variant_name
from imgcdn.store.settings import StoreSettings

SOURCE, OTHER_SOURCE = "ab" * 32, "cd" * 32
NOW = 1_700_000_000

#: Ten blocks of a usual disk. A file of this length takes just as much of it.
TEN_BLOCKS = 40_960

#: The name of variant 1 in its source's folder.
NAME = f"{1:064x}.webp"

RECORD = SourceRecord(
    version="12" * 32,
    stamp=FileStamp(10, 20, 30, 40),
    facts=Facts("jpeg", (90, 60), 1, alpha=False),
    negative=NegativeEntry("render-timeout", "It took too long.", 1234.5),
)


def open_store(
    folder: Path,
    *,
    max_bytes: int = 10**8,
    originals_max_bytes: int = 10**8,
    min_free_bytes: int = 0,
    clock: Callable[[], float] = time.time,
) -> DiskStore:
    """Open a store; by default it needs no free space to remain."""
    settings = StoreSettings(
        cache_dir=folder,
        cache_max_bytes=max_bytes,
        originals_max_bytes=originals_max_bytes,
        min_free_bytes=min_free_bytes,
    )
    return DiskStore(settings, clock=clock)


def key(number: int) -> str:
    """Return the variant key with a number."""
    return f"{number:064x}"


def variant_file(body: bytes = b"picture", number: int = 1) -> bytes:
    """Return the bytes of a variant file with this body."""
    image = EncodedImage(body, "webp", (90, 60), 1, Effort.THOROUGH)
    return pack_variant(image, key=key(number), made_at=NOW)


def publish(store: DiskStore, number: int = 1, body: bytes = b"picture", source: str = SOURCE) -> bool:
    """Put a variant into the store as the service does, and tell whether the store kept it."""
    temp = store.temp_path()
    data = variant_file(body, number)
    name = variant_name(key(number), "webp")
    with store.open_folder(source) as folder:
        if temp is None:
            return store.unwritten(data, name).is_stored
        try:
            Path(temp).write_bytes(data)
        except OSError as error:
            store.discard(temp)
            return store.unwritten(data, name, error_number=error.errno or 0).is_stored
        return store.keep(folder, temp, name, most_bytes=MOST_BYTES).is_stored


def keep_original(store: DiskStore, body: bytes = b"an original", source: str = SOURCE) -> Path:
    """Put a copy of an original and its record into the store, and return the path of the copy."""
    temp = store.temp_path()
    assert temp
    Path(temp).write_bytes(body)
    with store.open_folder(source) as folder:
        assert folder.publish(temp, ORIGINAL_NAME)
        store.save_record(folder, RECORD)
    return record_path(store, source).with_name(ORIGINAL_NAME)


def variant_path(store: DiskStore, number: int = 1, source: str = SOURCE) -> Path:
    """Return the path of a variant's file."""
    return store.folder / "current" / source[:2] / source / variant_name(key(number), "webp")


def record_path(store: DiskStore, source: str = SOURCE) -> Path:
    """Return the path of a source's record."""
    return store.folder / "current" / source[:2] / source / "record"


def numbers_kept(store: DiskStore, numbers: Iterable[int]) -> list[int]:
    """Return the numbers whose variants are on disk."""
    return [number for number in numbers if variant_path(store, number).exists()]


def size_on_disk(folder: Path) -> int:
    """Return the bytes that a folder takes with everything in it, as `du` counts."""
    return 512 * sum(path.lstat().st_blocks for path in (folder, *folder.rglob("*")))


def age(path: Path, seconds: float) -> None:
    """Set a file's or folder's times back by some seconds."""
    then = path.lstat().st_mtime - seconds
    os.utime(path, (then, then), follow_symlinks=False)
