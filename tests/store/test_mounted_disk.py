"""Real disks that are full or read-only; the tests need the right to mount one."""

import os
import time
from pathlib import Path

import pytest

from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import run_eviction
from imgcdn.store.verification import verify_part
from tests.store.conftest import SmallDisk
from tests.store.test_eviction_originals import fill, kept_of
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


def test_a_variant_that_the_disk_cannot_read_is_logged_and_stays(
    small_disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1_800_000_000.0
    store = open_store(small_disk.folder / "cache", clock=lambda: now)
    assert publish(store, 1)
    assert verify_part(store, pause=lambda seconds: False) is None, "it notes the time"
    os.utime(store.folder / "verified", (now, now))
    path = variant_path(store, 1)
    with small_disk.unreadable(path):
        for _ in range(30):
            now += 86_400
            assert verify_part(store, pause=lambda seconds: False) == 0

    assert [record.getMessage() for record in caplog.records if "read" in record.getMessage()] == [
        "a stored variant cannot be read: [Errno 5] Input/output error"
    ]
    assert path.exists()


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
    numbers = [number for number in range(20) if publish(store, number, bytes(90_000))]
    swept = run_eviction(open_store(folder, max_bytes=10**9, min_free_bytes=100_000))

    assert swept
    assert 1 <= swept.evicted < len(numbers)
    assert _free_bytes(small_disk.folder) >= 100_000


def test_exactly_the_space_that_must_stay_free_is_enough(small_disk: SmallDisk) -> None:
    folder = small_disk.folder / "cache"
    open_store(folder)
    (small_disk.folder / "ballast").write_bytes(bytes(_free_bytes(small_disk.folder) - 81_920))
    free = _free_bytes(small_disk.folder)
    short = open_store(folder, min_free_bytes=free + 1)

    assert open_store(folder, min_free_bytes=free).temp_path() is not None
    assert short.temp_path() is None
    assert not publish(short)
    assert short.degraded == "less than min_free_bytes is free"


def test_a_disk_that_is_short_of_space_loses_all_copies_and_then_the_variants(small_disk: SmallDisk) -> None:
    store, copies = fill(small_disk.folder / "cache", originals_max_bytes=10**6, copy_bytes=1_000)
    small_disk.fill()
    done = run_eviction(open_store(store.folder, min_free_bytes=100_000))

    assert done
    assert (kept_of(copies), store.read(SOURCE, key(1), "webp")) == ([], None)
    assert (done.original_bytes, done.evicted) == (0, 11)


def test_at_most_a_tenth_of_a_small_disk_must_stay_free(
    small_disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    """With the default of 256 MB, a disk of one megabyte would keep nothing."""
    folder = small_disk.folder / "cache"
    store = open_store(folder, min_free_bytes=2**28)
    assert publish(store)
    assert store.space.missing_bytes() == 0
    (small_disk.folder / "ballast").write_bytes(bytes(_free_bytes(small_disk.folder) - 81_920))
    full = open_store(folder, min_free_bytes=2**28)
    assert [publish(full) for _ in range(3)] == [False] * 3
    assert full.degraded == "less than a tenth of the disk is free, and min_free_bytes is above that tenth"
    assert full.space.missing_bytes() == 2**20 // 10 - _free_bytes(small_disk.folder)
    assert caplog.messages == [
        *["min_free_bytes is above a tenth of the cache's disk: 104857 bytes are left free"] * 2,
        f"serving without storing: {_free_bytes(small_disk.folder)} bytes of the cache's disk are free, 104857 must be",
    ]


def _free_bytes(folder: Path) -> int:
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize
