"""The outcomes of jobs."""

import contextlib

import pytest

from imgcdn.errors import CorruptImage, Overloaded
from imgcdn.renderers.jobs import Failed
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
