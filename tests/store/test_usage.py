"""Uses are counted in memory, and the time of the last one is written later."""

import os
from pathlib import Path

import pytest

from imgcdn.store.usage import TOUCH_AFTER_S, Usage

NOW = 1_700_000_000


@pytest.fixture
def usage() -> Usage:
    return Usage(clock=lambda: float(NOW))


def used(folder: Path, name: str, *, ago: int) -> str:
    path = folder / name
    path.write_bytes(b"")
    os.utime(path, (NOW - ago, NOW - ago))
    return str(path)


def test_the_time_of_the_last_use_is_written_once_an_hour(usage: Usage, tmp_path: Path) -> None:
    ages = {"a": 0, "b": TOUCH_AFTER_S, "c": TOUCH_AFTER_S + 1}
    paths = {name: used(tmp_path, name, ago=ago) for name, ago in ages.items()}
    for path in paths.values():
        usage.count(path)
    usage.write()

    assert {name: NOW - int(os.stat(path).st_mtime) for name, path in paths.items()} == {**ages, "c": 0}


def test_each_use_is_counted_and_told_once(usage: Usage, tmp_path: Path) -> None:
    first, second = (used(tmp_path, name, ago=0) for name in "ab")
    for path in (first, second, first):
        usage.count(path)

    assert usage.write() == {first: 2, second: 1}
    assert usage.write() == {}


def test_a_file_that_has_gone_is_no_error(usage: Usage, tmp_path: Path) -> None:
    usage.count(str(tmp_path / "gone"))

    assert usage.write() == {str(tmp_path / "gone"): 1}


def test_the_files_that_are_counted_are_bounded(usage: Usage, tmp_path: Path) -> None:
    for number in range(20_000):
        usage.count(str(tmp_path / str(number)))
    usage.count(str(tmp_path / "0"))

    counts = usage.write()
    assert (len(counts), counts[str(tmp_path / "0")]) == (16_384, 2)
