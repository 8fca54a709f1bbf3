"""Purges in the store: what they count, remove and mark."""

import os
from pathlib import Path

import pytest

from imgcdn.core.stale import NO_FILE, as_stale
from imgcdn.core.values import OriginState, SourceRecord
from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import run_eviction
from imgcdn.store.purging import Purged, mark_all, mark_source, remove_all, remove_source
from tests.support.stored import OTHER_SOURCE, RECORD, SOURCE, age, keep_original, open_store, publish, size_on_disk

VALIDATED = 1_700_000_000.0


def remote(fresh_until: float) -> SourceRecord:
    state = OriginState((), (("cache-control", "max-age=31536000"),), VALIDATED, fresh_until, storable=True)
    return SourceRecord(RECORD.version, RECORD.stamp, RECORD.facts, RECORD.negative, state)


def save(store: DiskStore, record: SourceRecord, source: str = SOURCE) -> None:
    with store.open_folder(source) as folder:
        store.save_record(folder, record)


def fill(store: DiskStore) -> None:
    """Store a source with an original and two variants, one with a variant alone, and an empty folder."""
    keep_original(store)
    publish(store, 1)
    publish(store, 2)
    publish(store, 1, source=OTHER_SOURCE)
    store.open_folder("ef" * 32).close()


def always() -> bool:
    return True


def test_a_purge_counts_what_it_removes(store: DiskStore) -> None:
    fill(store)
    size = size_on_disk(Path(store.path_of(SOURCE)))

    assert remove_source(store, SOURCE) == Purged(1, 2, size)
    assert remove_source(store, SOURCE) == Purged()
    assert remove_source(store, "ef" * 32) == Purged()
    assert not os.path.exists(store.path_of("ef" * 32)), "a fetch that is under way must not publish"


@pytest.mark.parametrize("source", [SOURCE, None], ids=["one source", "all sources"])
def test_a_soft_purge_counts_what_it_marks_and_removes_nothing(store: DiskStore, source: str | None) -> None:
    fill(store)
    size = size_on_disk(Path(store.path_of(SOURCE)))
    purged = mark_source(store, source) if source else mark_all(store, goes_on=always)

    assert purged == Purged(1, 2, size)
    assert store.record(SOURCE) == as_stale(RECORD, 0)
    assert store.original(SOURCE) is not None
    assert store.read(SOURCE, f"{2:064x}", "webp")
    assert mark_source(store, "01" * 32) == Purged()
    assert not os.path.exists(store.path_of("01" * 32))


def test_after_a_purge_of_everything_the_next_sweep_removes_the_old_tree(store: DiskStore) -> None:
    fill(store)
    old = (store.folder / "current").resolve()

    purged = remove_all(store, goes_on=always)
    assert (purged.sources, purged.variants) == (2, 3)
    assert store.record(SOURCE) is None
    assert list((store.folder / "current").iterdir()) == []
    assert (store.folder / "current").resolve() != old
    assert publish(store)
    run_eviction(store)
    assert list((store.folder / "trash").iterdir()) == []
    assert len([each for each in store.folder.iterdir() if each.name.startswith("tree-")]) == 1
    assert remove_all(store, goes_on=lambda: False) == Purged(), "nothing is counted when the process ends"
    assert list((store.folder / "current").iterdir()) == []


def test_what_marks_a_purge_is_swept_after_an_hour(store: DiskStore) -> None:
    mark_source(store, SOURCE)
    mark_all(store, goes_on=always)
    run_eviction(store)
    marks = list((store.folder / "tmp").iterdir())
    assert len(marks) == 2
    for mark in marks:
        age(mark, 3700)
    run_eviction(store)
    assert list((store.folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("purged_source", [SOURCE, None], ids=["one source", "all sources"])
def test_a_fetch_that_began_before_a_soft_purge_saves_a_stale_record(
    store: DiskStore, tmp_path: Path, purged_source: str | None
) -> None:
    other = open_store(tmp_path / "cache")  # as another process has it
    save(store, remote(VALIDATED))
    fresh = remote(store.clock() + 1000)
    with store.open_folder(SOURCE) as folder:
        if purged_source:
            mark_source(other, purged_source)
        else:
            mark_all(other, goes_on=always)
        saved = store.save_record(folder, fresh)
    with store.open_folder(SOURCE) as folder:
        later = store.save_record(folder, fresh)

    assert saved.origin
    assert saved.origin.fresh_until <= store.clock()
    assert later == fresh, "a fetch that began after it counts"


@pytest.mark.parametrize("is_file", [False, True], ids=["remote", "file"])
def test_a_stale_record_is_validated_again(is_file: bool) -> None:
    record = RECORD if is_file else remote(VALIDATED + 1000)
    stale = as_stale(record, VALIDATED + 1)

    assert (stale.version, stale.facts, stale.negative) == (record.version, record.facts, None)
    if stale.origin is None:
        assert stale.stamp == NO_FILE
    else:
        assert stale.stamp == record.stamp
        assert stale.origin.fresh_until == VALIDATED + 1
        assert VALIDATED + 1 - stale.origin.validated_at > 10
        assert as_stale(stale, VALIDATED + 500).origin == stale.origin, "it does not become fresher"


def test_a_store_that_stores_nothing_purges_its_memory(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache", max_bytes=0)
    for work in (remove_source, mark_source):
        save(store, RECORD)
        assert work(store, SOURCE) == Purged()
        assert store.record(SOURCE) is None
    for every in (remove_all, mark_all):
        save(store, RECORD)
        assert every(store, goes_on=always) == Purged()
        assert store.record(SOURCE) is None


def test_a_purge_that_cannot_be_written_is_an_error(store: DiskStore) -> None:
    fill(store)
    (store.folder / "current").unlink()
    (store.folder / "current").mkdir()
    with pytest.raises(OSError, match="Invalid argument"):
        remove_all(store, goes_on=always)


def test_other_processes_see_that_a_record_is_stale(store: DiskStore, tmp_path: Path) -> None:
    other = open_store(tmp_path / "cache")
    save(store, RECORD)
    assert other.record(SOURCE) == RECORD
    mark_source(store, SOURCE)
    found = other.record(SOURCE)
    assert found
    assert found.stamp == NO_FILE
    remove_source(store, SOURCE)
    assert other.record(SOURCE) is None
