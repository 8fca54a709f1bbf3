"""Copies of originals, records and purges in the store."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.store.disk import DiskStore
from imgcdn.store.purging import remove_source
from imgcdn.store.usage import TOUCH_AFTER_S
from tests.support.stored import (
    OTHER_SOURCE,
    RECORD,
    SOURCE,
    keep_original,
    key,
    open_store,
    publish,
    record_path,
    variant_path,
)


def test_a_copy_is_found_until_it_is_removed(store: DiskStore) -> None:
    assert store.original(SOURCE) is None
    path = keep_original(store)
    assert store.original(SOURCE) == path
    assert path.read_bytes() == b"an original"
    assert store.original(OTHER_SOURCE) is None

    path.unlink()
    assert store.original(SOURCE) is None


def test_a_limit_of_0_ignores_existing_copies_and_records(store: DiskStore) -> None:
    keep_original(store)
    without = open_store(store.folder, max_bytes=0)

    assert without.original(SOURCE) is None
    assert without.record(SOURCE) is None
    remove_source(without, SOURCE)
    assert store.original(SOURCE) is not None


def test_a_copy_without_a_record_is_found(store: DiskStore) -> None:
    path = keep_original(store)
    record_path(store).unlink()
    assert store.original(SOURCE) == path


def test_the_last_use_of_a_copy_is_the_time_of_its_record_to_the_hour(tmp_path: Path) -> None:
    now = [0.0]
    store = open_store(tmp_path / "cache", max_bytes=10**6, clock=lambda: now[0])
    path = keep_original(store)
    stamp, published = path.stat().st_mtime_ns, record_path(store).stat().st_mtime
    seen = []
    for later in (0, TOUCH_AFTER_S - 1, TOUCH_AFTER_S + 1, 2 * TOUCH_AFTER_S, 2 * TOUCH_AFTER_S + 2):
        now[0] = published + later
        assert store.original(SOURCE) == path
        seen.append(round(record_path(store).stat().st_mtime - published))

    assert seen == [0, 0, TOUCH_AFTER_S + 1, TOUCH_AFTER_S + 1, 2 * TOUCH_AFTER_S + 2]
    assert path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("used_at", "touched"),
    [
        pytest.param(-TOUCH_AFTER_S, False, id="exactly an hour ago"),
        pytest.param(-TOUCH_AFTER_S - 1, True, id="longer ago"),
    ],
)
@pytest.mark.parametrize("what", ["a variant", "a copy"])
def test_the_time_of_use_is_written_when_it_is_more_than_an_hour_old(
    tmp_path: Path, used_at: int, what: str, *, touched: bool
) -> None:
    now = 1_700_000_000
    store = open_store(tmp_path / "cache", max_bytes=10**6, clock=lambda: float(now))
    keep_original(store)
    publish(store)
    path = variant_path(store) if what == "a variant" else record_path(store)
    os.utime(path, (now + used_at, now + used_at))
    assert store.read(SOURCE, key(1), "webp") if what == "a variant" else store.original(SOURCE)
    store.usage.write()

    assert path.stat().st_mtime == now + (0 if touched else used_at)


def test_a_purged_source_has_no_record_no_copy_and_no_variant(store: DiskStore) -> None:
    keep_original(store)
    publish(store)
    remove_source(store, SOURCE)

    assert store.record(SOURCE) is None
    assert store.original(SOURCE) is None
    assert store.read(SOURCE, key(1), "webp") is None
    assert not record_path(store).parent.exists()


def test_purging_an_unknown_source_changes_nothing(store: DiskStore) -> None:
    publish(store)
    (store.folder / "trash").rmdir()
    remove_source(store, OTHER_SOURCE)

    assert store.degraded == ""
    assert not (store.folder / "trash").exists()
    assert variant_path(store).exists()


def test_a_record_that_is_only_in_memory_is_purged_too(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache", max_bytes=0)
    with store.open_folder(SOURCE) as folder:
        store.save_record(folder, RECORD)
    remove_source(store, SOURCE)

    assert store.record(SOURCE) is None


def test_a_source_that_is_not_stored_has_no_record(store: DiskStore) -> None:
    assert store.record(SOURCE) is None


def test_a_record_that_another_process_replaced_is_read_again(store: DiskStore) -> None:
    keep_original(store)
    other = open_store(store.folder, max_bytes=store.max_bytes)
    assert other.record(SOURCE) == RECORD
    newer = replace(RECORD, version="34" * 32)
    with store.open_folder(SOURCE) as folder:
        store.save_record(folder, newer)

    assert other.record(SOURCE) == newer


@pytest.mark.parametrize(
    ("path_of", "look"),
    [
        pytest.param(record_path, lambda store: store.record(SOURCE), id="a record"),
        pytest.param(variant_path, lambda store: store.read(SOURCE, key(1), "webp"), id="a variant"),
    ],
)
def test_a_file_that_cannot_be_read_counts_as_missing(
    store: DiskStore, path_of: Callable[[DiskStore], Path], look: Callable[[DiskStore], object]
) -> None:
    keep_original(store)
    publish(store)
    path = path_of(store)
    path.unlink()
    path.mkdir()

    assert look(store) is None
    assert path.is_dir()


def test_a_temporary_file_can_be_discarded_more_than_once(store: DiskStore) -> None:
    temp = store.temp_path()
    assert temp
    Path(temp).write_bytes(b"half")
    for _ in range(2):
        store.discard(temp)
        assert not Path(temp).exists()
    store.discard(None)
