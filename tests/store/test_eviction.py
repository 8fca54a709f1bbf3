import fcntl
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import Evictor, run_eviction
from imgcdn.store.files import HEADER_BYTES
from imgcdn.store.survey import disk_bytes
from tests.support.stored import (
    OTHER_SOURCE,
    RECORD,
    SOURCE,
    TEN_BLOCKS,
    age,
    numbers_kept,
    open_store,
    publish,
    record_path,
    size_on_disk,
    variant_path,
)

_DAY_S = 86_400


def _fill(folder: Path, *, max_bytes: int) -> DiskStore:
    """Make a store with ten variants of ten blocks; variant 0 was used longest ago."""
    store = open_store(folder, max_bytes=max_bytes)
    for number in range(10):
        publish(store, number, bytes(TEN_BLOCKS - HEADER_BYTES))
        age(variant_path(store, number), 1000 - number)
    return store


def test_the_least_recently_used_are_evicted_until_a_tenth_is_free(tmp_path: Path) -> None:
    store = _fill(tmp_path / "cache", max_bytes=6 * TEN_BLOCKS)
    done = run_eviction(store)

    assert done
    assert done.kept_bytes <= 0.9 * 6 * TEN_BLOCKS
    assert numbers_kept(store, range(10)) == list(range(done.evicted, 10))


def test_a_folder_below_its_limit_loses_nothing(tmp_path: Path) -> None:
    store = _fill(tmp_path / "cache", max_bytes=11 * TEN_BLOCKS)
    done = run_eviction(store)

    assert done
    assert done.evicted == 0
    assert len(numbers_kept(store, range(10))) == 10


def test_records_and_folders_count_towards_the_limit(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache", max_bytes=10**6)
    with store.open_folder(SOURCE) as folder:
        store.save_record(folder, RECORD)
    done = run_eviction(store)

    assert done
    tree = (store.folder / "current").resolve()
    assert done.kept_bytes == size_on_disk(tree) - disk_bytes(tree.stat())


@pytest.mark.parametrize(
    ("record_age_s", "with_variant", "stays"),
    [(2 * _DAY_S, False, False), (2 * _DAY_S, True, True), (0, False, True)],
    ids=["old and alone", "old with a variant", "new and alone"],
)
def test_an_old_record_without_variants_is_removed(
    store: DiskStore, record_age_s: float, *, with_variant: bool, stays: bool
) -> None:
    with store.open_folder(SOURCE) as folder:
        store.save_record(folder, RECORD)
    if with_variant:
        publish(store)
    age(record_path(store), record_age_s)
    age(record_path(store).parent, 4000)
    run_eviction(store)

    assert record_path(store).exists() is stays
    assert record_path(store).parent.exists() is stays


def test_a_record_that_is_removed_twice_is_subtracted_once(tmp_path: Path) -> None:
    """A foreign file keeps the folder, so the sweep comes back to it when it evicts for space."""
    store = open_store(tmp_path / "cache", max_bytes=1)
    with store.open_folder(SOURCE) as folder:
        store.save_record(folder, RECORD)
    folder_of_source = record_path(store).parent
    (folder_of_source / "notes.txt").write_text("not ours")
    age(record_path(store), 2 * _DAY_S)
    age(folder_of_source, 2 * _DAY_S)
    done = run_eviction(store)

    assert done
    assert not record_path(store).exists()
    assert done.kept_bytes == sum(disk_bytes(path.stat()) for path in (folder_of_source, folder_of_source.parent))


def test_a_folder_that_is_open_for_a_fetch_is_not_removed(store: DiskStore) -> None:
    temp = store.temp_path()
    assert temp
    Path(temp).write_bytes(b"an original")
    with store.open_folder(SOURCE) as folder:
        age(record_path(store).parent, 4000)
    with store.open_folder(SOURCE) as folder:
        run_eviction(store)
        assert folder.publish(temp, "original")


def test_an_old_empty_folder_is_removed(store: DiskStore) -> None:
    store.open_folder(SOURCE).close()
    age(record_path(store).parent, 4000)
    run_eviction(store)
    assert not record_path(store).parent.exists()


def test_old_files_of_killed_processes_are_removed(store: DiskStore) -> None:
    old, new = store.folder / "tmp" / f"123-{'0' * 16}", store.folder / "tmp" / f"123-{'1' * 16}"
    for path in (old, new):
        path.write_bytes(b"half")
    tree, fresh_tree = store.folder / "tree-00000000", store.folder / "tree-11111111"
    for folder in (tree, fresh_tree):
        (folder / "ab").mkdir(parents=True)
    age(old, 2 * 3600)
    age(tree, 2 * 3600)
    run_eviction(store)

    assert [path.exists() for path in (old, new, tree, fresh_tree)] == [False, True, False, True]


def test_the_trash_is_emptied(store: DiskStore) -> None:
    publish(store)
    variant_path(store).parent.rename(store.folder / "trash" / "purged")
    run_eviction(store)

    assert list((store.folder / "trash").iterdir()) == []


@pytest.mark.parametrize("through_link", [False, True], ids=["its own path", "a link to it"])
def test_the_current_tree_is_kept_at_any_age(tmp_path: Path, *, through_link: bool) -> None:
    folder = tmp_path / "cache"
    if through_link:
        (tmp_path / "disk").mkdir()
        folder.symlink_to(tmp_path / "disk")
    store = open_store(folder, max_bytes=10**6)
    publish(store)
    age((folder / "current").resolve(), 10 * 3600)
    run_eviction(store)

    assert variant_path(store).exists()


def test_files_that_are_not_ours_are_never_removed(tmp_path: Path) -> None:
    store = _fill(tmp_path / "cache", max_bytes=1)
    foreign = [
        store.folder / "notes.txt",
        store.folder / "tmp" / "notes.txt",
        store.folder / "current" / "notes.txt",
        store.folder / "current" / "ab" / "notes.txt",
        variant_path(store).parent / "photo.webp",
        store.folder / "tree-of-life" / "notes.txt",
    ]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
        age(path, 10 * _DAY_S)
    age(foreign[-1].parent, 10 * _DAY_S)
    done = run_eviction(store)

    assert done
    assert done.evicted == 10
    assert [path for path in foreign if not path.exists()] == []


def test_a_link_in_the_tree_is_not_followed(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache", max_bytes=1)
    publish(store, 1, source=SOURCE)
    elsewhere = open_store(tmp_path / "other", max_bytes=10**6)
    publish(elsewhere, 2, source=OTHER_SOURCE)
    (store.folder / "current" / "cd").symlink_to(elsewhere.folder / "current" / "cd")
    run_eviction(store)

    assert not variant_path(store, 1).exists()
    assert variant_path(elsewhere, 2, OTHER_SOURCE).exists()


_HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_only_one_process_sweeps_at_a_time(tmp_path: Path) -> None:
    store = _fill(tmp_path / "cache", max_bytes=1)
    command = [sys.executable, "-c", _HOLDER, str(store.folder / "trash")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        meanwhile = run_eviction(store)
        other.kill()
    afterwards = run_eviction(store)

    assert meanwhile is None
    assert afterwards
    assert afterwards.evicted == 10


def test_many_sweeps_at_once_evict_each_variant_once(tmp_path: Path) -> None:
    store = _fill(tmp_path / "cache", max_bytes=1)
    barrier = threading.Barrier(8)

    def run(_: int) -> int:
        barrier.wait()
        done = run_eviction(store)
        return done.evicted if done else 0

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(run, range(8))) == 10


def test_a_process_can_start_while_another_sweeps(tmp_path: Path) -> None:
    store = _fill(tmp_path / "cache", max_bytes=10**6)
    fd = os.open(store.folder / "trash", os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert publish(open_store(store.folder, max_bytes=10**6), 50)
    finally:
        os.close(fd)


def test_a_missing_folder_is_not_an_error(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache", max_bytes=10**6)
    os.rename(store.folder, tmp_path / "elsewhere")
    assert run_eviction(store) is None


def test_the_sweeper_brings_a_full_folder_below_its_limit_again_and_again(tmp_path: Path) -> None:
    store = _fill(tmp_path / "cache", max_bytes=6 * TEN_BLOCKS)
    evictor = Evictor(store, pause_s=0.05)
    evictor.start()
    try:
        for _ in range(2):
            deadline = time.monotonic() + 10
            while len(numbers_kept(store, range(10))) >= 6 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert len(numbers_kept(store, range(10))) < 6
            _fill(tmp_path / "cache", max_bytes=6 * TEN_BLOCKS)
    finally:
        evictor.stop()


def test_a_sweeper_that_was_never_started_can_be_stopped(store: DiskStore) -> None:
    Evictor(store).stop()
