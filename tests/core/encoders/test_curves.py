"""Compare the committed sweep with the committed curves, so that the documentation and the code stay in agreement."""

import statistics

import pytest

from bench.fit.curves import SCORED, USED, Sweep, held_out, interpolated, left_over, read, used_at

#: The same q may differ by this many SSIMULACRA2 points between encoders, at the median of the photographs.
TOLERANCE = 2.0


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return read()


USES = [
    pytest.param(encoder, q, id=f"{' '.join(encoder)} at q={q}")
    for encoder in USED
    for q in SCORED
    if used_at(encoder[0], q)
]


@pytest.mark.parametrize(("encoder", "q"), USES)
def test_the_same_q_looks_the_same_on_held_out_photographs(sweep: Sweep, encoder: tuple[str, str], q: int) -> None:
    first, second = held_out(sweep, encoder, q)
    assert len(first + second) == len(sweep.photos) > 40
    assert abs(statistics.median(first + second)) <= TOLERANCE


@pytest.mark.parametrize(("encoder", "q"), USES)
def test_the_curves_in_use_are_those_of_the_sweep(sweep: Sweep, encoder: tuple[str, str], q: int) -> None:
    assert abs(statistics.median(left_over(sweep, encoder, q))) <= TOLERANCE


def test_no_photograph_is_both_fitted_and_held_out(sweep: Sweep) -> None:
    first, second = sweep.halves
    assert not set(first) & set(second)
    assert sorted(first + second) == sweep.photos


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        pytest.param(15, 150.0, id="between two points"),
        pytest.param(20, 200.0, id="at a point"),
        pytest.param(5, 50.0, id="before the first"),
        pytest.param(40, 200.0, id="after the last"),
    ],
)
def test_values_between_points_lie_on_the_line(x: float, expected: float) -> None:
    assert interpolated([(30, 200), (10, 100), (20, 200)], x) == expected
