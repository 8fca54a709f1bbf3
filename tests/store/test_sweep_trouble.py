"""A sweep that fails: the health of the store says so, until one succeeds."""

import time
from pathlib import Path

import pytest

from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import Evictor, run_eviction
from tests.support.stored import SOURCE, age, open_store, publish, variant_path
from tests.support.users import as_nobody, open_to_others


def _sweep_as_nobody(folder: Path, max_bytes: int = 10**8) -> str:
    """Sweep as a user without privileges, and return what the store says is wrong."""
    with as_nobody():
        store = open_store(folder, max_bytes=max_bytes)
        run_eviction(store)
        return store.degraded


@pytest.fixture
def open_to_all(tmp_path: Path) -> Path:
    """A cache folder that every user may write to."""
    store = open_store(tmp_path / "cache")
    publish(store)
    open_to_others(tmp_path)
    for path in [store.folder, *store.folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o777)
    return store.folder


@pytest.mark.parametrize(
    ("shut", "mode", "max_bytes"),
    [
        pytest.param("trash", 0, 10**8, id="the trash cannot be opened"),
        pytest.param("current/ab", 0, 10**8, id="a folder cannot be read"),
        pytest.param(f"current/ab/{SOURCE}", 0o555, 1, id="a variant cannot be removed"),
    ],
)
def test_a_sweep_that_fails_is_told_until_one_succeeds(open_to_all: Path, shut: str, mode: int, max_bytes: int) -> None:
    assert _sweep_as_nobody(open_to_all) == ""
    folder = open_to_all / shut
    folder.chmod(mode)
    said = _sweep_as_nobody(open_to_all, max_bytes)
    folder.chmod(0o777)

    assert "denied" in said
    assert _sweep_as_nobody(open_to_all, max_bytes) == ""


def test_a_sweep_that_breaks_is_told_and_the_next_one_runs(store: DiskStore, caplog: pytest.LogCaptureFixture) -> None:
    times = iter([ZeroDivisionError(), ZeroDivisionError()])

    def clock() -> float:
        for error in times:
            raise error
        return time.time()

    store.clock = clock
    evictor = Evictor(store, pause_s=0.01)
    evictor.start()
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and (store.degraded or not (store.folder / "verified").exists()):
            time.sleep(0.01)
    finally:
        evictor.stop()

    assert (store.folder / "verified").exists(), "this follows each sweep"
    assert store.degraded == ""
    assert len([each for each in caplog.records if "a sweep failed" in each.getMessage()]) == 1


def test_work_that_goes_on_failing_is_logged_once(store: DiskStore, caplog: pytest.LogCaptureFixture) -> None:
    (store.folder / "verified").touch()
    calls = 0

    def clock() -> float:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    store.clock = clock
    evictor = Evictor(store, pause_s=0.01)
    evictor.start()
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and calls < 10:
            time.sleep(0.01)
    finally:
        evictor.stop()

    assert calls >= 10
    told = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert told == ["the cache folder: a sweep failed", "the cache folder: a verification failed"]


def test_only_a_new_reason_is_logged(store: DiskStore, caplog: pytest.LogCaptureFixture) -> None:
    logged = []
    for trouble in ("full", "full", "denied", "", "denied", ""):
        caplog.clear()
        store.health.note_sweep(trouble)
        logged.append(len(caplog.records))
        assert store.degraded == trouble

    assert logged == [1, 0, 1, 0, 1, 0]


def test_a_store_that_keeps_nothing_is_not_swept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(tmp_path / "cache", max_bytes=0)

    assert run_eviction(store) is None
    assert (store.degraded, caplog.records) == ("", [])
    assert not store.folder.exists()


def test_a_sweep_does_not_make_a_cache_that_was_removed(store: DiskStore, tmp_path: Path) -> None:
    store.folder.rename(tmp_path / "elsewhere")

    assert run_eviction(store) is None
    assert not store.folder.exists()
    assert store.degraded


class TestOriginalsBesideTheCache:
    """Originals that the cache folder cannot take lie in a folder of ours, in the system's folder for such files."""

    @pytest.fixture(autouse=True)
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        return tmp_path

    @pytest.mark.parametrize("max_bytes", [0, 10**8], ids=["nothing is kept", "a cache"])
    def test_leftovers_of_killed_processes_are_removed(self, tmp_path: Path, max_bytes: int) -> None:
        store = open_store(tmp_path / "cache", max_bytes=max_bytes)
        old, new, foreign = Path(store.spill_path()), Path(store.spill_path()), Path(store.spill_path() + ".txt")
        for path in (old, new, foreign):
            path.write_bytes(b"half an original")
        age(old, 2 * 3600)
        age(foreign, 2 * 3600)
        run_eviction(store)

        assert [path.exists() for path in (old, new, foreign)] == [False, True, True]

    def test_only_this_user_can_enter_the_folder(self, store: DiskStore, tmp_path: Path) -> None:
        folder = Path(store.spill_path()).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent == tmp_path

    @pytest.mark.parametrize("kind", ["open to others", "a link", "a file"])
    def test_a_folder_that_is_not_ours_alone_is_not_used(self, store: DiskStore, tmp_path: Path, kind: str) -> None:
        folder = Path(store.spill_path()).parent
        folder.rmdir()
        if kind == "a link":
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            folder.symlink_to(tmp_path / "elsewhere")
        elif kind == "a file":
            folder.write_text("in the way")
        else:
            folder.mkdir(mode=0o777)
            folder.chmod(0o777)

        with pytest.raises(PermissionError):
            store.spill_path()
        run_eviction(store)
        assert variant_path(store).parent.parent.parent.exists()
