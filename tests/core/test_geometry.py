from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imgcdn.core.geometry import Fit, Size, fit_within, plan_resize, round_half_up

PHOTO = (2725, 2225)

edges = st.integers(1, 8192)
sizes = st.tuples(edges, edges)
positions = st.tuples(st.integers(0, 100), st.integers(0, 100))
fits = st.sampled_from(Fit)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Fraction(1, 9), 1, id="never nothing"),
        pytest.param(Fraction(1, 2), 1, id="half of one"),
        pytest.param(Fraction(149, 100), 1, id="below the half"),
        pytest.param(Fraction(3, 2), 2, id="half goes up to even"),
        pytest.param(Fraction(5, 2), 3, id="half goes up to odd"),
        pytest.param(Fraction(251, 100), 3, id="above the half"),
        pytest.param(Fraction(7), 7, id="whole"),
        pytest.param(Fraction(2**60 + 1, 2), 2**59 + 1, id="beyond a float's digits"),
    ],
)
def test_halves_round_up(value: Fraction, expected: int) -> None:
    assert round_half_up(value) == expected


@pytest.mark.parametrize(
    ("target", "fit", "enlarge", "expected"),
    [
        pytest.param((None, None), Fit.CONTAIN, False, PHOTO, id="nothing asked"),
        pytest.param((None, None), Fit.COVER, True, PHOTO, id="nothing asked, may enlarge"),
        pytest.param((800, None), Fit.COVER, False, (800, 653), id="width alone"),
        pytest.param((None, 600), Fit.FILL, False, (735, 600), id="height alone"),
        pytest.param((9999, None), Fit.CONTAIN, False, PHOTO, id="width beyond the source"),
        pytest.param((5450, None), Fit.CONTAIN, True, (5450, 4450), id="width beyond the source, may enlarge"),
        pytest.param((300, 200), Fit.CONTAIN, False, (245, 200), id="contain"),
        pytest.param((300, 200), Fit.COVER, False, (300, 200), id="cover"),
        pytest.param((300, 200), Fit.FILL, False, (300, 200), id="fill"),
        pytest.param((3200, 2133), Fit.CONTAIN, False, (2612, 2133), id="contain in a box wider than the source"),
        pytest.param((3200, 2133), Fit.COVER, False, (2725, 1816), id="cover of a box wider than the source"),
        pytest.param((3200, 2133), Fit.FILL, False, (2725, 1816), id="fill of a box wider than the source"),
        pytest.param((3200, 2133), Fit.COVER, True, (3200, 2133), id="cover enlarges when asked"),
        pytest.param((3200, 2133), Fit.FILL, True, (3200, 2133), id="fill enlarges when asked"),
        pytest.param((1, None), Fit.CONTAIN, False, (1, 1), id="one pixel wide"),
    ],
)
def test_a_photograph_becomes_this_large(
    target: tuple[int | None, int | None], fit: Fit, enlarge: bool, expected: Size
) -> None:
    assert plan_resize(PHOTO, target, fit=fit, enlarge=enlarge).size == expected


@pytest.mark.parametrize(
    ("position", "left"),
    [
        pytest.param((0, 50), 0, id="left"),
        pytest.param((50, 50), 50, id="center"),
        pytest.param((100, 50), 100, id="right"),
    ],
)
def test_a_cover_crop_keeps_the_part_named(position: tuple[int, int], left: int) -> None:
    resize = plan_resize((300, 200), (100, 100), fit=Fit.COVER, position=position)

    assert resize.crop == (left, 0, left + 200, 200)


def test_a_box_with_the_sources_ratio_needs_no_crop() -> None:
    assert plan_resize((400, 300), (200, 150), fit=Fit.COVER).crop is None


def test_an_extreme_box_still_keeps_a_pixel() -> None:
    assert plan_resize((10, 10), (8192, 1), fit=Fit.COVER, enlarge=True).crop == (0, 4.5, 10, 5.5)


@given(source=sizes, target=sizes, position=positions, enlarge=st.booleans())
def test_a_crop_lies_inside_the_source_and_is_never_empty(
    source: Size, target: Size, position: tuple[int, int], enlarge: bool
) -> None:
    left, top, right, bottom = plan_resize(source, target, fit=Fit.COVER, position=position, enlarge=enlarge).crop or (
        0,
        0,
        *source,
    )

    assert 0 <= left < right <= source[0]
    assert 0 <= top < bottom <= source[1]
    assert min(right - left, bottom - top) > 0.98  # a pixel, less the rounding to two decimals


@given(source=sizes, target=sizes)
def test_a_cover_crop_has_the_ratio_of_the_box(source: Size, target: Size) -> None:
    left, top, right, bottom = plan_resize(source, target, fit=Fit.COVER).crop or (0, 0, *source)
    width, height = right - left, bottom - top
    assume(min(width, height) > 1.01)  # below, a pixel is kept whatever the ratio

    # Each edge was rounded to a hundredth, so a length is off by that much at most.
    assert abs(width * target[1] - height * target[0]) <= 0.011 * (target[0] + target[1])


@given(source=sizes, target=sizes, fit=st.sampled_from([Fit.COVER, Fit.FILL]))
def test_a_shrunk_box_keeps_its_ratio_within_rounding(source: Size, target: Size, fit: Fit) -> None:
    width, height = plan_resize(source, target, fit=fit).size
    assume(min(width, height) > 1)  # below, a pixel is kept whatever the ratio

    assert abs(width * target[1] - height * target[0]) <= (target[0] + target[1]) / 2


@given(source=sizes, target=st.tuples(st.none() | edges, st.none() | edges), fit=fits)
def test_no_pixel_is_invented_unless_asked(source: Size, target: tuple[int | None, int | None], fit: Fit) -> None:
    size = plan_resize(source, target, fit=fit).size

    assert 1 <= size[0] <= source[0]
    assert 1 <= size[1] <= source[1]


@given(source=sizes, target=sizes, enlarge=st.booleans())
def test_contain_stays_inside_the_box_and_crops_nothing(source: Size, target: Size, enlarge: bool) -> None:
    resize = plan_resize(source, target, fit=Fit.CONTAIN, enlarge=enlarge)

    assert resize.crop is None
    assert resize.size[0] <= target[0]
    assert resize.size[1] <= target[1]


@given(source=sizes, target=sizes)
def test_contain_touches_the_box_when_it_may_enlarge(source: Size, target: Size) -> None:
    size = plan_resize(source, target, fit=Fit.CONTAIN, enlarge=True).size

    assert size[0] == target[0] or size[1] == target[1]


@given(
    source=sizes, share=st.tuples(st.fractions(0, 1), st.fractions(0, 1)), fit=st.sampled_from([Fit.COVER, Fit.FILL])
)
def test_cover_and_fill_give_the_box_when_the_source_is_large_enough(
    source: Size, share: tuple[Fraction, Fraction], fit: Fit
) -> None:
    box = (round_half_up(source[0] * share[0]), round_half_up(source[1] * share[1]))

    assert plan_resize(source, box, fit=fit).size == box


@given(source=sizes, target=sizes, fit=st.sampled_from([Fit.COVER, Fit.FILL]))
def test_cover_and_fill_give_the_box_when_they_may_enlarge(source: Size, target: Size, fit: Fit) -> None:
    assert plan_resize(source, target, fit=fit, enlarge=True).size == target


@given(size=sizes, max_edge=edges)
def test_fitting_within_an_edge_keeps_the_ratio_within_rounding(size: Size, max_edge: int) -> None:
    width, height = fit_within(size, max_edge)

    assert max(width, height) == min(max_edge, max(size))
    assert min(width, height) == 1 or abs(width * size[1] - height * size[0]) <= (size[0] + size[1]) / 2
