"""Real disks that are full or read-only; the tests need the right to mount one."""

import os
import time
from pathlib import Path

import pytest

from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import run_eviction
from tests.store.conftest import SmallDisk
from tests.support.stored import RECORD, SOURCE, key, open_store, publish, variant_path

# Longer than the store remembers the free space.
_PATIENCE_S = 5.0


def _save(store: DiskStore) -> None:
    with store.open_folder(SOURCE) as folder:
        store.save_record(folder, RECORD)


def _publish_soon(store: DiskStore, number: int) -> bool:
    """Try to publish until it works: the store checks the free space once a second."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if publish(store, number):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def disk_store(small_disk: SmallDisk) -> DiskStore:
    return open_store(small_disk.folder / "cache", max_bytes=10**6)


def test_a_read_only_disk_still_serves_what_it_has(small_disk: SmallDisk, disk_store: DiskStore) -> None:
    publish(disk_store)
    _save(disk_store)
    small_disk.read_only(yes=True)
    restarted = open_store(disk_store.folder, max_bytes=10**6)

    for store in (disk_store, restarted):
        assert store.read(SOURCE, key(1), "webp")
        assert store.record(SOURCE) == RECORD
        assert not publish(store, 2)
        assert "Read-only" in store.degraded
        assert run_eviction(store) is not None

    small_disk.read_only(yes=False)
    for store in (disk_store, restarted):
        assert publish(store, 3)
        assert store.degraded == ""


def test_a_read_only_disk_without_a_cache_serves_without_storing(small_disk: SmallDisk) -> None:
    small_disk.read_only(yes=True)
    store = open_store(small_disk.folder / "cache", max_bytes=10**6)
    kept = publish(store)
    _save(store)

    assert not kept
    assert store.record(SOURCE) == RECORD
    assert "Read-only" in store.degraded

    small_disk.read_only(yes=False)
    publish(store)
    assert publish(store, 2)
    assert store.degraded == ""


def test_a_damaged_variant_on_a_read_only_disk_is_a_miss(small_disk: SmallDisk, disk_store: DiskStore) -> None:
    publish(disk_store)
    variant_path(disk_store).write_bytes(b"damaged")
    small_disk.read_only(yes=True)

    assert disk_store.read(SOURCE, key(1), "webp") is None


def test_a_full_disk_serves_without_storing_and_recovers(small_disk: SmallDisk, disk_store: DiskStore) -> None:
    publish(disk_store)
    small_disk.fill()
    kept = publish(disk_store, 2, bytes(100_000))
    _save(disk_store)

    assert not kept
    assert disk_store.record(SOURCE) == RECORD
    assert disk_store.degraded
    assert disk_store.read(SOURCE, key(1), "webp")
    assert list((disk_store.folder / "tmp").iterdir()) == []

    small_disk.free()
    assert _publish_soon(disk_store, 3)
    assert disk_store.degraded == ""


def test_a_disk_that_becomes_full_during_a_write_keeps_no_partial_file(
    small_disk: SmallDisk, disk_store: DiskStore
) -> None:
    numbers = range(1, 30)
    kept = [number for number in numbers if publish(disk_store, number, bytes(90_000))]

    assert 0 < len(kept) < len(numbers)
    assert [number for number in numbers if disk_store.read(SOURCE, key(number), "webp")] == kept
    assert list((disk_store.folder / "tmp").iterdir()) == []


def test_space_that_must_stay_free_is_gained_by_eviction(small_disk: SmallDisk) -> None:
    folder = small_disk.folder / "cache"
    store = open_store(folder, max_bytes=10**6)
    for number in range(8):
        publish(store, number, bytes(90_000))
    swept = run_eviction(open_store(folder, max_bytes=10**9, min_free_bytes=700_000))

    assert swept
    assert swept.evicted >= 4
    assert _free_bytes(small_disk.folder) >= 700_000


def test_exactly_the_space_that_must_stay_free_is_enough(small_disk: SmallDisk) -> None:
    folder = small_disk.folder / "cache"
    open_store(folder)
    free = _free_bytes(small_disk.folder)

    assert open_store(folder, min_free_bytes=free).temp_path() is not None
    assert open_store(folder, min_free_bytes=free + 1).temp_path() is None


def _free_bytes(folder: Path) -> int:
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize
