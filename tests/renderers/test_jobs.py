"""The outcomes of jobs."""

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.errors import CorruptImage, Overloaded
from imgcdn.renderers.jobs import Failed, remove_half_written
from tests.support.brokers import render_job
from tests.support.collecting import cycles, errors_among


def test_a_frame_that_raises_the_error_of_an_outcome_is_in_no_cycle() -> None:
    def give() -> None:
        outcome = Failed(CorruptImage("damaged"))
        outcome.raise_error()

    with cycles() as left, contextlib.suppress(CorruptImage):
        give()
    assert errors_among(left) == []


def test_the_error_of_an_outcome_is_raised_with_all_that_it_says() -> None:
    with pytest.raises(Overloaded) as raised:
        Failed(Overloaded("Try again later.", after_s=7)).raise_error()
    assert (raised.value.detail, raised.value.after_s) == ("Try again later.", 7)


def test_what_a_killed_child_has_written_is_removed_and_nothing_else(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (".hidden", "temp", "temp.1", "tempo")
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    for temp in (None, ""):
        remove_half_written(replace(render_job(small), temp=temp))
    assert all((tmp_path / name).exists() for name in names)
    remove_half_written(render_job(small, temp=tmp_path / "temp"))
    assert [name for name in names if (tmp_path / name).exists()] == [".hidden", "tempo"]
