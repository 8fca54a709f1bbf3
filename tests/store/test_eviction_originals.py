"""Copies of originals have a limit of their own, and are evicted first when the disk is short of space."""

import logging
import os
from pathlib import Path

import pytest

from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import run_eviction
from imgcdn.store.survey import disk_bytes
from tests.support.stored import (
    RECORD,
    TEN_BLOCKS,
    age,
    keep_original,
    key,
    numbers_kept,
    open_store,
    publish,
    record_path,
)

_DAY_S = 86_400


def fill(folder: Path, *, originals_max_bytes: int, copy_bytes: int = TEN_BLOCKS) -> tuple[DiskStore, list[Path]]:
    """Make a store with a variant and ten sources with copies; copy 0 was used longest ago."""
    store = open_store(folder, originals_max_bytes=originals_max_bytes)
    copies = []
    for number in range(10):
        copies.append(keep_original(store, bytes(copy_bytes), key(number)))
        age(copies[number], 1000 * number)
        age(record_path(store, key(number)), 1000 - number)
    publish(store)
    return store, copies


def kept_of(copies: list[Path]) -> list[int]:
    return [number for number, path in enumerate(copies) if path.exists()]


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        pytest.param(10 * TEN_BLOCKS, range(10), id="exactly the limit"),
        pytest.param(10 * TEN_BLOCKS - 1, range(2, 10), id="a byte more: until a tenth is free"),
        pytest.param(0, range(0), id="a limit of 0"),
    ],
)
def test_the_least_recently_used_copies_are_evicted_by_the_time_of_their_record(
    tmp_path: Path, limit: int, kept: range
) -> None:
    store, copies = fill(tmp_path / "cache", originals_max_bytes=limit)
    done = run_eviction(store)

    assert done
    assert kept_of(copies) == list(kept)
    assert (done.original_bytes, done.evicted) == (TEN_BLOCKS * len(kept), 10 - len(kept))
    assert numbers_kept(store, range(2)) == [1]
    assert store.record(key(0)) == RECORD


def test_the_bytes_of_variants_records_and_copies_are_counted_apart(tmp_path: Path) -> None:
    store, _ = fill(tmp_path / "cache", originals_max_bytes=10**6)
    files = list((tmp_path / "cache" / "current").resolve().rglob("*"))
    done = run_eviction(store)

    assert done
    assert done.original_bytes == 10 * TEN_BLOCKS
    assert done.kept_bytes == sum(disk_bytes(path.stat()) for path in files if path.name != "original")


def test_a_disk_with_enough_free_space_loses_nothing(tmp_path: Path) -> None:
    store, copies = fill(tmp_path / "cache", originals_max_bytes=10**6)
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    roomy = open_store(store.folder, min_free_bytes=free // 2)
    done = run_eviction(roomy)

    assert done
    assert done.evicted == 0
    assert kept_of(copies) == list(range(10))


def test_a_copy_without_a_record_goes_by_its_own_time_and_its_folder_stays(tmp_path: Path) -> None:
    store, copies = fill(tmp_path / "cache", originals_max_bytes=10 * TEN_BLOCKS - 1)
    for path in copies:
        record_path(store, path.parent.name).unlink()
        age(path.parent, 10 * _DAY_S)
    run_eviction(store)

    assert kept_of(copies) == list(range(8))


def test_an_old_record_beside_a_copy_stays(tmp_path: Path) -> None:
    store, copies = fill(tmp_path / "cache", originals_max_bytes=10**6)
    record = record_path(store, key(3))
    age(record, 3 * _DAY_S)
    age(record.parent, 3 * _DAY_S)
    run_eviction(store)

    assert record.exists()
    assert copies[3].exists()


@pytest.mark.parametrize(
    ("limit", "logged"),
    [pytest.param(TEN_BLOCKS, 1, id="evicted"), pytest.param(10 * TEN_BLOCKS, 0, id="nothing evicted")],
)
def test_a_sweep_is_logged_if_it_evicts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, limit: int, logged: int
) -> None:
    store, _ = fill(tmp_path / "cache", originals_max_bytes=limit)
    with caplog.at_level(logging.INFO, logger="imgcdn.store.eviction"):
        run_eviction(store)

    assert len([record for record in caplog.records if "evicted" in record.getMessage()]) == logged
