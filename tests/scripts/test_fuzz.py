"""What the fuzzer does with one target."""

import pytest
from hypothesis import strategies as st

from scripts.fuzz import fuzz
from tests.fuzz.target import Target, ready


def _check(value: int) -> None:
    assert value < 9


def test_a_target_that_is_out_of_time_gets_one_round(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz(Target("small", st.integers(0, 8), ready(_check)), 7, 0.0)
    assert " 0 inputs" not in capsys.readouterr().out


def test_a_wrong_reaction_is_printed_with_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert not fuzz(Target("large", st.integers(0, 99), ready(_check)), 7, 0.0)
    assert "with seed 7" in capsys.readouterr().out
