"""Space is counted as the disk counts it, and whatever counts towards a limit can be evicted for it."""

import os
from pathlib import Path

import pytest

from imgcdn.core.values import SourceRecord
from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import run_eviction
from tests.support.stored import (
    RECORD,
    SOURCE,
    age,
    keep_original,
    key,
    numbers_kept,
    open_store,
    publish,
    record_path,
    size_on_disk,
    variant_path,
)

_LIMIT = 1_000_000

#: What the cache folder takes when it is empty: itself, four folders and a tag.
_OVERHEAD = 65_536


def _save(store: DiskStore, source: str, record: SourceRecord = RECORD) -> None:
    with store.open_folder(source) as folder:
        store.save_record(folder, record)


def test_many_tiny_variants_take_no_more_of_the_disk_than_the_limit(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache", max_bytes=_LIMIT)
    for number in range(300):
        source = key(number % 100 << 248 | number % 100)
        publish(store, number, b"tiny", source)
        _save(store, source)
    before = size_on_disk(store.folder)
    done = run_eviction(store)

    assert done
    assert (done.evicted > 0) is (before > _LIMIT), "on some disks a small file takes less than a block"
    assert size_on_disk(store.folder) <= _LIMIT + _OVERHEAD
    assert done.kept_bytes <= size_on_disk(store.folder) <= done.kept_bytes + _OVERHEAD


def test_sources_without_variants_are_evicted_before_a_picture_that_was_used_later(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache", max_bytes=_LIMIT)
    for number in range(200):
        _save(store, key(number))
        age(record_path(store, key(number)), 5000 - number)
    publish(store)
    _save(store, SOURCE)
    run_eviction(store)

    left = [number for number in range(200) if record_path(store, key(number)).exists()]
    assert numbers_kept(store, [1]) == [1]
    assert store.record(SOURCE) == RECORD
    assert left == list(range(200 - len(left), 200)), "the oldest ones went, each with its folder"
    assert all(record_path(store, key(number)).parent.exists() is (number in left) for number in range(200))
    assert size_on_disk(store.folder) <= _LIMIT + _OVERHEAD


def test_a_record_goes_after_the_last_variant_of_its_source(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache", max_bytes=1)
    for number in range(5):
        publish(store, number)
    keep_original(store)
    age(record_path(store), 10_000)
    done = run_eviction(store)

    assert done
    assert (done.kept_bytes, done.original_bytes, done.evicted) == (0, 0, 6)
    assert list((store.folder / "current").iterdir()) == []
    assert publish(store), "the folders are made again"


def test_eviction_of_a_variant_does_not_make_its_source_look_used(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache")
    for number, source in enumerate((SOURCE, key(7))):
        publish(store, number, bytes(100_000), source)
        _save(store, source)
        age(variant_path(store, number, source), 1000 - number)
        age(record_path(store, source), 1000 - number)
    variant_path(store, 0, SOURCE).unlink()  # as an eviction does: the folder's own time is now
    total = run_eviction(store)
    assert total
    run_eviction(open_store(store.folder, max_bytes=total.kept_bytes - 1))

    assert not record_path(store, SOURCE).exists()


def test_empty_folders_are_removed_at_once(store: DiskStore) -> None:
    for number in range(3):
        (store.folder / "current" / f"{number:02x}").mkdir()
    run_eviction(store)

    assert list((store.folder / "current").iterdir()) == []


@pytest.mark.parametrize("lost", ["shard", "source"])
def test_a_folder_that_is_evicted_while_it_is_opened_is_made_again(store: DiskStore, lost: str) -> None:
    publish(store)
    variant_path(store).unlink()
    os.rmdir(variant_path(store).parent)
    if lost == "shard":
        os.rmdir(variant_path(store).parent.parent)

    assert publish(store)
    assert store.degraded == ""
