from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.request.widths import LADDER, WidthPolicy, Widths
from imgcdn.errors import InvalidParam
from imgcdn.markup import layout

STEPS = (320, 640, 1280)


def admit_edge(policy: WidthPolicy, edge: int | None, dpr: str = "1") -> int | None:
    return Widths(policy, STEPS).resolve(edge, name="w", dpr=Decimal(dpr))


@pytest.mark.parametrize(
    ("policy", "edge", "expected"),
    [
        pytest.param(WidthPolicy.ANY, 321, 321, id="any accepts every width"),
        pytest.param(WidthPolicy.SNAP, 1, 320, id="below the ladder"),
        pytest.param(WidthPolicy.SNAP, 320, 320, id="a step"),
        pytest.param(WidthPolicy.SNAP, 321, 640, id="between two steps"),
        pytest.param(WidthPolicy.SNAP, 8192, 1280, id="above the ladder"),
        pytest.param(WidthPolicy.SNAP, None, None, id="not given"),
        pytest.param(WidthPolicy.STRICT, 640, 640, id="strict accepts a step"),
        pytest.param(WidthPolicy.STRICT, None, None, id="strict, not given"),
    ],
)
def test_an_edge_becomes_a_step(policy: WidthPolicy, edge: int | None, expected: int | None) -> None:
    assert admit_edge(policy, edge) == expected


@pytest.mark.parametrize(
    ("edge", "dpr", "nearest"),
    [
        pytest.param(321, "1", "320", id="above a step"),
        pytest.param(600, "1", "640", id="below a step"),
        pytest.param(480, "1", "320", id="halfway between two steps: the smaller"),
        pytest.param(9000, "1", "1280", id="above the ladder"),
        pytest.param(600, "2", "320", id="times dpr"),
        pytest.param(300, "1.5", "213", id="times a dpr that does not divide the step"),
        pytest.param(330, "3", "", id="times a dpr that reaches no step"),
    ],
)
def test_strict_names_the_nearest_value_that_gives_a_step(edge: int, dpr: str, nearest: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        admit_edge(WidthPolicy.STRICT, edge, dpr)

    assert (caught.value.param, caught.value.nearest) == ("w", nearest)
    assert "must be one of 320, 640, 1280" in caught.value.detail


@given(edge=st.integers(1, 8192), dpr=st.integers(50, 400).map(lambda percent: Decimal(percent) / 100))
def test_snap_takes_the_smallest_step_that_is_wide_enough(edge: int, dpr: Decimal) -> None:
    step = Widths(WidthPolicy.SNAP, LADDER).resolve(edge, name="h", dpr=dpr)

    assert step in LADDER
    assert step >= edge or step == LADDER[-1]
    assert not [other for other in LADDER if edge <= other < step]


def test_the_ladder_ascends_and_contains_the_ladder_of_the_helper() -> None:
    assert list(LADDER) == sorted(set(LADDER))
    assert layout.LADDER == (320, 480, 640, 828, 1080, 1280, 1668, 2048, 2560, 3200, 3840)
