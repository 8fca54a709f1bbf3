"""Estimates of renders. Only their order and rough size matter: the queue measures the machine."""

import pytest

from imgcdn.core.encoders.cost import cost_ms
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import Facts
from tests.support.planning import FAST

PHOTOGRAPH = Facts("jpeg", (4000, 3000), 1, alpha=False)
THUMBNAIL = Plan(size=(200, 150), format="webp", q=75)


def cost(facts: Facts = PHOTOGRAPH, plan: Plan = THUMBNAIL) -> float:
    return cost_ms(facts, plan, FAST)


@pytest.mark.parametrize(
    ("facts", "plan", "low", "high"),
    [
        # Measured CPU milliseconds of renders like these: 36, 74, 409, 94, 563, 2231, 8.
        pytest.param(PHOTOGRAPH, THUMBNAIL, 20, 80, id="12 MP to a thumbnail"),
        pytest.param(PHOTOGRAPH, Plan(size=(800, 600), format="webp", q=75), 40, 150, id="12 MP to 800 wide"),
        pytest.param(PHOTOGRAPH, Plan(size=(2000, 1500), format="webp", q=75), 200, 800, id="12 MP to 2000 wide"),
        pytest.param(PHOTOGRAPH, Plan(size=(800, 600), format="avif", q=75), 50, 200, id="avif, 800 wide"),
        pytest.param(PHOTOGRAPH, Plan(size=(2000, 1500), format="avif", q=75), 300, 1100, id="avif, 2000 wide"),
        pytest.param(
            Facts("jpeg", (3000, 2000), 1, alpha=False), Plan(size=(3000, 2000), format="png"), 1100, 4500, id="png"
        ),
        pytest.param(Facts("png", (400, 250), 1, alpha=False), THUMBNAIL, 4, 16, id="a small picture"),
    ],
)
def test_estimates_are_right_by_a_factor_of_two(facts: Facts, plan: Plan, low: float, high: float) -> None:
    assert low <= cost(facts, plan) <= high


def test_frames_count_only_where_they_are_kept() -> None:
    animation = Facts("gif", (480, 270), 100, alpha=False)
    still, animated = (
        Plan(size=(480, 270), format="webp", q=75),
        Plan(size=(480, 270), format="webp", q=75, animated=True),
    )
    assert cost(animation, animated) > 50 * cost(animation, still)


def test_a_crop_is_decoded_whole() -> None:
    crop = Plan(size=(200, 150), format="webp", q=75, crop=(0.0, 0.0, 400.0, 300.0))
    assert cost(plan=crop) > 3 * cost()


def test_a_text_costs_its_decoding_alone() -> None:
    assert cost(plan=Plan(size=(32, 24), format="blurhash")) < cost()


def test_a_search_for_a_quality_costs_more() -> None:
    fixed, searched = Plan(size=(2000, 1500), format="avif", q=75), Plan(size=(2000, 1500), format="avif", target=75)
    assert cost(plan=searched) > cost(plan=fixed)
