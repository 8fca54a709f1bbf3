from dataclasses import replace

import pytest

from imgcdn.core.encoders.effort import Budget, quickest, speed_within
from imgcdn.core.values import Effort
from tests.support.planning import FAST, THOROUGH

MEGAPIXEL = 1_000_000
ENCODERS = ("aom", "webp")


def _cost_s(encoder: str, budget: Budget, pixels: int) -> float:
    """Return the smallest total budget, to 0.01 s, that gives the same speed as this budget."""
    speed = speed_within(budget, encoder, pixels)
    steps = [count / 100 for count in range(1, 10_000)]
    return next(
        s for s in steps if speed_within(replace(THOROUGH, s_per_megapixel=1000.0, total_s=s), encoder, pixels) == speed
    )


@pytest.mark.parametrize("pixels", [100_000, MEGAPIXEL, 4 * MEGAPIXEL, 20 * MEGAPIXEL])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_thorough_encode_takes_at_most_a_third_of_the_render_timeout(encoder: str, pixels: int) -> None:
    budget = replace(THOROUGH, s_per_megapixel=1000.0)

    assert _cost_s(encoder, budget, pixels) <= 10 / 3


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_larger_picture_never_gets_more_time_per_pixel(encoder: str) -> None:
    costs = [
        _cost_s(encoder, replace(THOROUGH, s_per_megapixel=60.0), pixels) / pixels for pixels in (10**6, 10**7, 10**8)
    ]

    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_fastest_speed_is_used_when_no_speed_fits_the_budget(encoder: str) -> None:
    assert speed_within(replace(THOROUGH, s_per_megapixel=0.001), encoder, MEGAPIXEL) == quickest(encoder)


@pytest.mark.parametrize("encoder", ["jpeg", "png", "gif"])
@pytest.mark.parametrize("effort", Effort)
def test_other_encoders_have_no_speed(encoder: str, effort: Effort) -> None:
    assert speed_within(replace(FAST, effort=effort), encoder, MEGAPIXEL) is None
