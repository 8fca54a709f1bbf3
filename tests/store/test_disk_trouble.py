"""A disk that cannot be written: these tests need no privilege; test_mounted_disk.py uses real disks."""

import contextlib
import errno
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgcdn.core.output.file_size import MOST_BYTES
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import LARGE_BYTES
from imgcdn.store.folder import Kept
from tests.support.paths import ROOT
from tests.support.stored import NAME, RECORD, SOURCE, key, open_store, publish, variant_file, variant_path


@contextlib.contextmanager
def no_file_may_grow() -> Iterator[None]:
    """
    Make every write fail half-way with EFBIG; Python ignores the signal that comes with the error.

    This is not a fixture: pytest prints the result before it undoes fixtures, and its output may be a file.
    """
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _save(store: DiskStore) -> None:
    with store.open_folder(SOURCE) as folder:
        store.save_record(folder, RECORD)


def test_a_record_that_cannot_be_written_stays_in_memory(store: DiskStore) -> None:
    with no_file_may_grow():
        _save(store)

    assert store.record(SOURCE) == RECORD
    assert "too large" in store.degraded
    assert list((store.folder / "tmp").iterdir()) == []


def test_an_attempt_to_write_reports_the_fault(store: DiskStore) -> None:
    with no_file_may_grow():
        said = store.try_writing()

    assert "too large" in said


def test_an_attempt_to_write_to_a_good_disk_leaves_nothing(store: DiskStore) -> None:
    assert store.try_writing() == ""
    assert list((store.folder / "tmp").iterdir()) == []


def test_a_variant_that_cannot_be_written_is_returned_and_the_fault_is_reported(store: DiskStore) -> None:
    variant, is_stored = store.unwritten(variant_file(), NAME, error_number=errno.ENOSPC)

    assert not is_stored
    assert variant
    assert variant.body == b"picture"
    assert "space" in store.degraded


def test_a_file_above_the_greatest_size_is_not_read(store: DiskStore) -> None:
    temp = store.temp_path()
    assert temp
    with open(temp, "wb") as file:
        file.truncate(2**42)  # it has no blocks, but to hash it would take an hour
    with store.open_folder(SOURCE) as folder:
        assert store.keep(folder, temp, NAME, most_bytes=2**20) == Kept(None, is_stored=False)
        assert store.keep_small(folder, temp, NAME) is None


def test_a_large_file_is_left_to_another_thread(store: DiskStore) -> None:
    temp = store.temp_path()
    assert temp
    Path(temp).write_bytes(variant_file(bytes(LARGE_BYTES)))
    with store.open_folder(SOURCE) as folder:
        assert store.keep_small(folder, temp, NAME) is None
        assert store.keep(folder, temp, NAME, most_bytes=MOST_BYTES).is_stored


def test_a_damaged_variant_is_not_stored(store: DiskStore) -> None:
    temp = store.temp_path()
    assert temp
    Path(temp).write_bytes(variant_file()[:-1])
    with store.open_folder(SOURCE) as folder:
        assert store.keep(folder, temp, NAME, most_bytes=MOST_BYTES) == Kept(None, is_stored=False)

    assert not Path(temp).exists()
    assert not variant_path(store).with_name(NAME).exists()


def test_a_file_whose_place_is_taken_by_a_folder_is_not_stored_and_the_fault_is_reported(store: DiskStore) -> None:
    variant_path(store).mkdir(parents=True)

    assert not publish(store)
    assert "directory" in store.degraded
    assert list((store.folder / "tmp").iterdir()) == []


def test_each_new_fault_is_logged_once(store: DiskStore, caplog: pytest.LogCaptureFixture) -> None:
    faults = (errno.ENOSPC, errno.ENOSPC, errno.EROFS, None, errno.EROFS, None, None)
    logged = []
    for number in faults:
        caplog.clear()
        store.health.note(None if number is None else OSError(number, ""))
        logged.append(len(caplog.records))

    assert logged == [1, 0, 1, 0, 1, 0, 0]


def test_the_fault_ends_with_the_next_successful_write(store: DiskStore) -> None:
    store.health.note(OSError(errno.ENOSPC, ""))
    publish(store)
    assert store.degraded == ""


def test_a_record_on_disk_does_not_hide_a_newer_one_that_the_disk_refused(store: DiskStore) -> None:
    _save(store)
    with no_file_may_grow(), store.open_folder(SOURCE) as folder:
        store.save_record(folder, newer := type(RECORD)("34" * 32, RECORD.stamp, RECORD.facts))
    assert store.record(SOURCE) == newer

    _save(store)
    assert store.record(SOURCE) == RECORD


@pytest.mark.parametrize("place", ["ab", f"ab/{SOURCE}"], ids=["shard", "source"])
def test_with_a_file_in_the_place_of_a_folder_only_storing_fails(store: DiskStore, place: str) -> None:
    blocked = store.folder / "current" / place
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("in the way")
    kept = publish(store)
    _save(store)

    assert not kept
    assert store.record(SOURCE) == RECORD
    assert list((store.folder / "tmp").iterdir()) == []

    blocked.unlink()
    assert publish(store)
    assert store.degraded == ""


@pytest.mark.parametrize("what", ["tmp", "current", "everything in it", "all of it"])
def test_a_cache_that_is_deleted_while_the_service_runs_is_made_again(store: DiskStore, what: str) -> None:
    publish(store)
    if what == "all of it":
        shutil.rmtree(store.folder)
    elif what == "everything in it":
        for path in store.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    elif what == "current":
        shutil.rmtree((store.folder / "current").resolve())
    else:
        shutil.rmtree(store.folder / what)
    publish(store, 2)

    assert publish(store, 3)
    assert store.read(SOURCE, key(3), "webp")
    assert store.degraded == ""


def test_with_a_cache_folder_that_cannot_be_made_only_storing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = open_store(tmp_path / "file" / "cache", max_bytes=10**6)

    assert not publish(store)
    assert store.degraded


_WRITER = """
import sys
from pathlib import Path
from tests.support.stored import open_store, publish
store = open_store(Path(sys.argv[1]), max_bytes=10**9)
print("writing", flush=True)
number = 0
while True:
    number += 1
    publish(store, number % 50, bytes([number % 256]) * 200_000)
"""


def test_a_writer_killed_at_any_time_leaves_at_most_one_temporary_file_and_no_damaged_variant(store: DiskStore) -> None:
    rounds = 6
    for _ in range(rounds):
        command = [sys.executable, "-c", _WRITER, str(store.folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as writer:
            assert writer.stdout
            writer.stdout.readline()
            while not variant_path(store, 20).exists():
                pass
            writer.kill()
        assert len(list((store.folder / "tmp").iterdir())) <= 1
        shutil.rmtree(store.folder / "tmp")
        (store.folder / "tmp").mkdir()
        kept = [number for number in range(50) if variant_path(store, number).exists()]
        assert all(store.read(SOURCE, key(number), "webp") for number in kept)
        variant_path(store, 20).unlink()
