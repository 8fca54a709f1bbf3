"""Estimates of renders. Only their order and rough size matter: the queue measures the machine."""

from dataclasses import replace
from typing import Any

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
        # Measured CPU milliseconds of renders like these: 36, 74, 409, 94, 563, 2231, 8, 8200.
        pytest.param(PHOTOGRAPH, THUMBNAIL, 20, 80, id="12 MP to a thumbnail"),
        pytest.param(PHOTOGRAPH, Plan(size=(800, 600), format="webp", q=75), 40, 150, id="12 MP to 800 wide"),
        pytest.param(PHOTOGRAPH, Plan(size=(2000, 1500), format="webp", q=75), 200, 800, id="12 MP to 2000 wide"),
        pytest.param(PHOTOGRAPH, Plan(size=(800, 600), format="avif", q=75), 50, 200, id="avif, 800 wide"),
        pytest.param(PHOTOGRAPH, Plan(size=(2000, 1500), format="avif", q=75), 300, 1100, id="avif, 2000 wide"),
        pytest.param(
            Facts("jpeg", (3000, 2000), 1, alpha=False), Plan(size=(3000, 2000), format="png"), 1100, 4500, id="png"
        ),
        pytest.param(Facts("png", (400, 250), 1, alpha=False), THUMBNAIL, 4, 16, id="a small picture"),
        pytest.param(
            Facts("png", (400, 300), 1, alpha=False),
            Plan(
                size=(8192, 8192),
                format="jpeg",
                q=75,
                blur=250.0,
                sharpen=10.0,
                saturation=2.0,
                contrast=2.0,
                brightness=2.0,
            ),
            4100,
            16400,
            id="every effect on 67 MP",
        ),
    ],
)
def test_estimates_are_right_by_a_factor_of_two(facts: Facts, plan: Plan, low: float, high: float) -> None:
    assert low <= cost(facts, plan) <= high


@pytest.mark.parametrize(
    ("effect", "measured"),
    [
        # CPU milliseconds for a megapixel in RGB, beside 6.5 for decoding a JPEG and 15 for enlarging.
        pytest.param({"blur": 0.3}, 41, id="a small blur"),
        pytest.param({"blur": 250.0}, 42, id="a large blur"),
        pytest.param({"sharpen": 2.0}, 49, id="sharpen"),
        pytest.param({"saturation": 1.5}, 10.5, id="saturation"),
        pytest.param({"brightness": 1.5}, 4.2, id="brightness"),
        pytest.param({"contrast": 1.5}, 4.2, id="contrast"),
        pytest.param({"grayscale": True}, 3.2, id="grayscale"),
    ],
)
def test_each_effect_has_its_cost_twice_with_alpha(effect: dict[str, Any], measured: float) -> None:
    plain = Plan(size=(1000, 1000), format="webp", q=75)
    opaque, transparent = (
        cost(facts, replace(plain, **effect)) - cost(facts, plain)
        for facts in (Facts("png", (2000, 2000), 1, alpha=alpha) for alpha in (False, True))
    )
    assert measured / 2 <= opaque <= 2 * measured
    assert transparent == pytest.approx(2 * opaque)


def test_enlarging_costs_its_output() -> None:
    small = Facts("png", (400, 300), 1, alpha=False)
    sizes = ((800, 600), (8000, 6000))
    once, hundredfold = (cost(small, Plan(size=size, format="jpeg", q=75)) for size in sizes)
    encoding = 25 * (48 - 0.48)
    assert hundredfold - once - encoding > 100, "resampling 48 megapixels takes more than 100 ms, with SIMD too"


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
