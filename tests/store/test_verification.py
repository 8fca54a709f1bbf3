"""Stored variants are hashed again, a part at a time, and the damaged ones are removed."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import run_eviction
from imgcdn.store.verification import due_after, verify_part
from tests.support.stored import (
    OTHER_SOURCE,
    SOURCE,
    key,
    numbers_kept,
    open_store,
    publish,
    variant_file,
    variant_path,
)

_HOUR_S, _DAY_S = 3_600, 86_400
_START = 1_800_000_000.0


def _spread(number: int) -> int:
    """Return the number of a key that is `number` sixtieths, half a day each, into the period."""
    return (2**32 * number // 60) << 224


def _go_on(seconds: float) -> bool:
    return False


class _Cache:
    """A cache with 60 variants whose times are spread over the 30 days, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.now = _START
        self.store = self.open(folder)
        self.numbers = [_spread(number) for number in range(60)]
        for number in self.numbers:
            publish(self.store, number, bytes(3_000_000) if number == 0 else b"picture")

    def open(self, folder: Path) -> DiskStore:
        return open_store(folder, clock=lambda: self.now)

    def verify(self) -> int | None:
        return verify_part(self.store, pause=_go_on)

    def begin(self) -> None:
        """Do what the first process does: note the time from which on variants are verified."""
        assert self.verify() is None
        os.utime(self.store.folder / "verified", (self.now, self.now))


@pytest.fixture
def cache(tmp_path: Path) -> _Cache:
    return _Cache(tmp_path / "cache")


def _damage(path: Path) -> None:
    """Flip a bit, as a disk does: neither times nor length tell it."""
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_each_variant_is_verified_once_in_thirty_days(cache: _Cache) -> None:
    cache.begin()
    counts = []
    for _ in range(30):
        cache.now += _DAY_S
        counts.append(cache.verify())

    assert counts == [2] * 30


def test_each_time_belongs_to_one_part() -> None:
    keys = [key(_spread(number)) for number in range(60)] + ["f" * 64, "0" * 64]
    times = [int(_START) + hour * _HOUR_S for hour in range(30 * 24 + 1)]
    found = [sum(due_after(each, since) < until for since, until in itertools.pairwise(times)) for each in keys]

    assert found == [1] * len(keys)


def test_a_part_is_done_at_most_once_an_hour_by_all_processes(cache: _Cache) -> None:
    cache.begin()
    cache.now += _HOUR_S - 1
    assert cache.verify() is None
    cache.now += 1
    assert cache.verify() is not None
    assert verify_part(cache.open(cache.store.folder), pause=_go_on) is None


@pytest.mark.parametrize("later_s", [-_DAY_S, 100 * _DAY_S], ids=["the clock was set back", "after a long stop"])
def test_at_most_the_part_of_a_day_is_done_at_a_time(cache: _Cache, later_s: float) -> None:
    cache.begin()
    cache.now += later_s
    done = cache.verify()

    assert done is not None
    assert done <= 2
    assert (cache.store.folder / "verified").stat().st_mtime == cache.now


def test_damaged_variants_are_removed_and_logged_once_each(cache: _Cache, caplog: pytest.LogCaptureFixture) -> None:
    for number in cache.numbers:
        assert cache.store.read(SOURCE, key(number), "webp"), "it was good when it was read for the first time"
    damaged = [cache.numbers[number] for number in (0, 7, 59)]
    for number in damaged:
        _damage(variant_path(cache.store, number))
        assert cache.store.read(SOURCE, key(number), "webp"), "a reader does not notice"
    cache.begin()
    for _ in range(60):
        cache.now += _DAY_S
        cache.verify()

    assert numbers_kept(cache.store, cache.numbers) == [each for each in cache.numbers if each not in damaged]
    assert len([record for record in caplog.records if "damaged" in record.getMessage()]) == 3


def test_a_header_that_is_damaged_or_of_another_variant_is_removed(cache: _Cache) -> None:
    first, second, third = (variant_path(cache.store, number) for number in cache.numbers[:3])
    first.write_bytes(b"short")
    second.write_bytes(third.read_bytes())
    cache.begin()
    for _ in range(30):
        cache.now += _DAY_S
        cache.verify()

    assert [path.exists() for path in (first, second, third)] == [False, False, True]


def test_a_good_file_that_is_published_while_a_damaged_one_is_hashed_stays(cache: _Cache) -> None:
    cache.now = due_after(key(0), int(cache.now)) - _HOUR_S
    cache.begin()
    path = variant_path(cache.store, 0)
    _damage(path)
    good = variant_file(b"good", 0)

    new = path.with_name("new")
    new.write_bytes(good)

    def publish_meanwhile(seconds: float) -> bool:
        if new.exists():
            new.rename(path)
        return False

    cache.now += 2 * _HOUR_S
    assert verify_part(cache.store, pause=publish_meanwhile) == 1
    assert path.read_bytes() == good


def test_links_and_other_files_are_left_alone(cache: _Cache) -> None:
    foreign = variant_path(cache.store, 1).with_name("photo.webp")
    foreign.write_bytes(b"mine")
    link = variant_path(cache.store, _spread(10) + 1)
    link.symlink_to(foreign)
    (cache.store.folder / "current" / OTHER_SOURCE[:2]).symlink_to(cache.store.folder)
    cache.begin()
    for _ in range(30):
        cache.now += _DAY_S
        cache.verify()

    assert foreign.read_bytes() == b"mine"
    assert link.is_symlink()


def test_a_part_that_is_ended_is_done_again(cache: _Cache) -> None:
    cache.begin()
    cache.now += _DAY_S
    assert verify_part(cache.store, pause=lambda seconds: True) == 0
    assert cache.verify() == 2


def test_a_call_works_for_about_a_second_and_the_next_one_goes_on_where_it_stopped(tmp_path: Path) -> None:
    store = open_store(tmp_path / "cache", clock=lambda: _START + _DAY_S)
    due_together = 3
    numbers = [_spread(number) + each for number in range(60) for each in range(due_together)]
    for number in numbers:
        publish(store, number, b"picture")
    seconds = itertools.count()

    def verify() -> int | None:
        return verify_part(store, pause=_go_on, monotonic=lambda: next(seconds))

    assert verify() is None, "the first process notes the time"
    os.utime(store.folder / "verified", (_START, _START))
    counts = [verify() for _ in range(3)]

    assert counts == [due_together, due_together, None]


def test_a_sweep_runs_while_variants_are_verified(cache: _Cache) -> None:
    cache.begin()
    cache.now += _DAY_S
    other, passes = cache.open(cache.store.folder), []

    def sweep(seconds: float) -> bool:
        passes.append(run_eviction(other))
        return False

    assert verify_part(cache.store, pause=sweep) == 2
    assert passes
    assert None not in passes


_HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_one_process_at_a_time_verifies(cache: _Cache) -> None:
    cache.begin()
    cache.now += _DAY_S
    command = [sys.executable, "-c", _HOLDER, str(cache.store.folder / "verified")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        assert cache.verify() is None
        other.kill()
    assert cache.verify() == 2


def test_nothing_is_verified_where_nothing_is_kept(tmp_path: Path) -> None:
    assert verify_part(open_store(tmp_path / "cache", max_bytes=0), pause=_go_on) is None
    assert list(tmp_path.iterdir()) == []
