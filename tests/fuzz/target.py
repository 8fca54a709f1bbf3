"""What a fuzz target is, and how its inputs are drawn and checked."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import AnyStr, Generic, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

Input = TypeVar("Input")
Check = Callable[[Input], None]

_PATIENT = settings(
    database=None,  # a find becomes a case of its target, which everybody has
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


@dataclass(frozen=True, slots=True)
class Target(Generic[Input]):
    """
    One place where the service reads what others have written.

    Args:
        name: For the command line and the names of tests.
        inputs: Draws inputs, most of them nearly valid.
        opens: Prepares what a check needs, and yields the check. It raises when the reaction to an input is wrong.
        cases: Inputs that once got a wrong reaction. The tests check them first.
    """

    name: str
    inputs: SearchStrategy[Input]
    opens: Callable[[], AbstractContextManager[Check[Input]]]
    cases: tuple[Input, ...] = ()


def ready(check: Check[Input]) -> Callable[[], AbstractContextManager[Check[Input]]]:
    """Return the `opens` of a target whose check needs no preparation."""
    return lambda: nullcontext(check)


def attempt(inputs: SearchStrategy[Input], check: Check[Input], *, seed: int, examples: int) -> int:
    """
    Check inputs that follow from a seed, and return their number.

    Raises:
        Exception: What the check raised, for the smallest input that was found. A note names the input.
    """
    count = 0

    @hypothesis.seed(seed)
    @settings(_PATIENT, max_examples=examples)
    @given(inputs)
    def check_one(value: Input) -> None:
        nonlocal count
        count += 1
        check(value)

    check_one()
    return count


@st.composite
def spliced(
    draw: DrawFn, seeds: SearchStrategy[AnyStr], pieces: SearchStrategy[AnyStr], *, most: int = 4, cut: int = 8
) -> AnyStr:
    """
    Draw a text or bytes from `seeds`, with some parts replaced.

    Args:
        pieces: What replaces a part.
        most: How many parts are replaced at most.
        cut: How long a replaced part is at most.
    """
    text = draw(seeds)
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, cut))
        text = text[:start] + draw(pieces) + text[end:]
    return text
