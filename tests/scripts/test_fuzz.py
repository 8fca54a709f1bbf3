"""What the fuzzer does with one target."""

import logging

import pytest
from hypothesis import strategies as st

from scripts.fuzz import fuzz, main, verdict
from tests.fuzz.target import Target, ready


def _check(value: int) -> None:
    assert value < 9


def test_a_target_that_is_out_of_time_gets_one_round(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz(Target("small", st.integers(0, 8), ready(_check)), 7, 0.0)
    assert " 0 inputs" not in capsys.readouterr().out


def test_a_wrong_reaction_is_printed_with_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert not fuzz(Target("large", st.integers(0, 99), ready(_check)), 7, 0.0)
    assert "with seed 7" in capsys.readouterr().out


def test_a_run_ends_with_a_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["fuzz", "--seconds", "0", "--target", "accept"])
    try:
        assert main() == 0
    finally:
        logging.disable(logging.NOTSET)  # it silences the service for the rest of its process
    assert capsys.readouterr().out.splitlines()[-1] == "passed: 1 of 1 targets"


def test_the_verdict_names_the_targets_that_failed() -> None:
    assert verdict(14, ["bytes", "accept"]) == "FAILED: 2 of 14 targets: bytes, accept"
