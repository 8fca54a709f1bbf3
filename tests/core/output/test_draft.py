"""How far a JPEG is reduced by its decoder."""

import pytest

from imgcdn.core.output.draft import draft_factor
from imgcdn.core.output.plan import Plan


@pytest.mark.parametrize(
    ("width", "factor"),
    [
        pytest.param(4000, 1, id="own size"),
        pytest.param(1020, 1, id="half is less than twice the output"),
        pytest.param(1001, 2, id="one pixel does not matter"),
        pytest.param(1000, 2, id="half is twice the output, and the whole is costly"),
        pytest.param(500, 4, id="a quarter is twice the output, and half is costly"),
        pytest.param(200, 4, id="an eighth is more than twice the output, but a quarter is cheap"),
        pytest.param(166, 8, id="an eighth is three times the output"),
        pytest.param(1, 8, id="an eighth at most"),
    ],
)
def test_a_draft_of_twelve_megapixels(width: int, factor: int) -> None:
    assert draft_factor((4000, 3000), Plan(size=(width, max(1, width * 3 // 4)), format="webp", q=75)) == factor


def test_the_kept_part_is_what_counts() -> None:
    plan = Plan(size=(250, 188), format="webp", q=75, crop=(0.0, 0.0, 1000.0, 750.0))
    assert draft_factor((4000, 3000), plan) == 2


def test_a_turned_picture_is_measured_along_its_own_edges() -> None:
    plan = Plan(size=(375, 500), format="webp", q=75)
    assert draft_factor((4000, 3000), plan, orientation=6) == 4
