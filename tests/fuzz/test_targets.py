"""
Every fuzz target, for a second or two, with the same inputs in every run.

`make fuzz SECONDS=60` gives each target a minute and other inputs. What it finds goes into the target's `cases`.
"""

from typing import Any

import pytest

from tests.fuzz.target import Target, attempt
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", [pytest.param(target, id=target.name) for target in TARGETS])
def test_no_input_gets_a_wrong_reaction(target: Target[Any]) -> None:
    with target.opens() as check:
        for case in target.cases:
            check(case)
        assert attempt(target.inputs, check, seed=1, examples=150) > 100


def test_the_targets_have_names_of_their_own() -> None:
    names = [target.name for target in TARGETS]

    assert len(names) == len(set(names))
