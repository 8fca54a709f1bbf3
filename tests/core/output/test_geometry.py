from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imgcdn.core.output.geometry import (
    Area,
    Crop,
    Fit,
    Framing,
    Position,
    Size,
    Smart,
    fit_within,
    frame,
    move_crop,
    plan_resize,
    round_edge,
)
from imgcdn.errors import InvalidParam

PHOTO = (2725, 2225)

edges = st.integers(1, 8192)
sizes = st.tuples(edges, edges)
positions = st.tuples(st.integers(0, 100), st.integers(0, 100))
fits = st.sampled_from(Fit)
targets = st.tuples(st.none() | edges, st.none() | edges)
shares = st.integers(0, 99)
crops = st.builds(
    Crop, edges.map(lambda x: x - 1), edges.map(lambda x: x - 1), edges, edges, relative=st.just(False)
) | st.builds(Crop, shares, shares, st.integers(1, 100), st.integers(1, 100), relative=st.just(True))
framings = st.builds(Framing, st.none() | crops, targets, fits, positions | st.sampled_from(Smart), st.booleans())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Fraction(1, 9), 1, id="at least one"),
        pytest.param(Fraction(1, 2), 1, id="half becomes one"),
        pytest.param(Fraction(149, 100), 1, id="below a half"),
        pytest.param(Fraction(3, 2), 2, id="half rounds up to even"),
        pytest.param(Fraction(5, 2), 3, id="half rounds up to odd"),
        pytest.param(Fraction(251, 100), 3, id="above a half"),
        pytest.param(Fraction(7), 7, id="whole"),
        pytest.param(Fraction(2**60 + 1, 2), 2**59 + 1, id="too many digits for a float"),
    ],
)
def test_halves_round_up(value: Fraction, expected: int) -> None:
    assert round_edge(value) == expected


@pytest.mark.parametrize(
    ("target", "fit", "enlarge", "expected"),
    [
        pytest.param((None, None), Fit.CONTAIN, False, PHOTO, id="no target"),
        pytest.param((None, None), Fit.COVER, True, PHOTO, id="no target, may enlarge"),
        pytest.param((800, None), Fit.COVER, False, (800, 653), id="only a width"),
        pytest.param((None, 600), Fit.FILL, False, (735, 600), id="only a height"),
        pytest.param((9999, None), Fit.CONTAIN, False, PHOTO, id="width beyond the source"),
        pytest.param((5450, None), Fit.CONTAIN, True, (5450, 4450), id="width beyond the source, may enlarge"),
        pytest.param((300, 200), Fit.CONTAIN, False, (245, 200), id="contain"),
        pytest.param((300, 200), Fit.COVER, False, (300, 200), id="cover"),
        pytest.param((300, 200), Fit.FILL, False, (300, 200), id="fill"),
        pytest.param((3200, 2133), Fit.CONTAIN, False, (2612, 2133), id="contain, box wider than the source"),
        pytest.param((3200, 2133), Fit.COVER, False, (2725, 1816), id="cover, box wider than the source"),
        pytest.param((3200, 2133), Fit.FILL, False, (2725, 1816), id="fill, box wider than the source"),
        pytest.param((3200, 2133), Fit.COVER, True, (3200, 2133), id="cover, may enlarge"),
        pytest.param((3200, 2133), Fit.FILL, True, (3200, 2133), id="fill, may enlarge"),
        pytest.param((1, None), Fit.CONTAIN, False, (1, 1), id="one pixel wide"),
    ],
)
def test_the_target_decides_the_size_of_a_photograph(
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
def test_a_cover_crop_keeps_the_part_at_its_position(position: tuple[int, int], left: int) -> None:
    resize = plan_resize((300, 200), (100, 100), fit=Fit.COVER, position=position)

    assert resize.crop == (left, 0, left + 200, 200)


def test_a_box_with_the_sources_ratio_needs_no_crop() -> None:
    assert plan_resize((400, 300), (200, 150), fit=Fit.COVER).crop is None


def test_an_extreme_box_keeps_at_least_one_pixel() -> None:
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
    assert min(right - left, bottom - top) > 0.98  # one pixel, less the rounding to two decimals


@given(source=sizes, target=sizes)
def test_a_cover_crop_has_the_ratio_of_the_box(source: Size, target: Size) -> None:
    left, top, right, bottom = plan_resize(source, target, fit=Fit.COVER).crop or (0, 0, *source)
    width, height = right - left, bottom - top
    assume(min(width, height) > 1.01)  # a smaller length becomes one pixel, which changes the ratio

    # Each edge was rounded to a hundredth, so a length is off by a hundredth at most.
    assert abs(width * target[1] - height * target[0]) <= 0.011 * (target[0] + target[1])


@given(source=sizes, target=sizes, fit=st.sampled_from([Fit.COVER, Fit.FILL]))
def test_a_shrunk_box_keeps_its_ratio_within_rounding(source: Size, target: Size, fit: Fit) -> None:
    width, height = plan_resize(source, target, fit=fit).size
    assume(min(width, height) > 1)  # a smaller length becomes one pixel, which changes the ratio

    assert abs(width * target[1] - height * target[0]) <= (target[0] + target[1]) / 2


@given(source=sizes, target=st.tuples(st.none() | edges, st.none() | edges), fit=fits)
def test_a_picture_is_not_enlarged_without_enlarge(
    source: Size, target: tuple[int | None, int | None], fit: Fit
) -> None:
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
def test_contain_reaches_the_box_when_it_may_enlarge(source: Size, target: Size) -> None:
    size = plan_resize(source, target, fit=Fit.CONTAIN, enlarge=True).size

    assert size[0] == target[0] or size[1] == target[1]


@given(
    source=sizes, share=st.tuples(st.fractions(0, 1), st.fractions(0, 1)), fit=st.sampled_from([Fit.COVER, Fit.FILL])
)
def test_cover_and_fill_give_the_box_when_the_source_is_large_enough(
    source: Size, share: tuple[Fraction, Fraction], fit: Fit
) -> None:
    box = (round_edge(source[0] * share[0]), round_edge(source[1] * share[1]))

    assert plan_resize(source, box, fit=fit).size == box


@given(source=sizes, target=sizes, fit=st.sampled_from([Fit.COVER, Fit.FILL]))
def test_cover_and_fill_give_the_box_when_they_may_enlarge(source: Size, target: Size, fit: Fit) -> None:
    assert plan_resize(source, target, fit=fit, enlarge=True).size == target


@given(size=sizes, max_edge=edges)
def test_fitting_within_an_edge_keeps_the_ratio_within_rounding(size: Size, max_edge: int) -> None:
    width, height = fit_within(size, max_edge)

    assert max(width, height) == min(max_edge, max(size))
    assert min(width, height) == 1 or abs(width * size[1] - height * size[0]) <= (size[0] + size[1]) / 2


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        pytest.param(Crop(10, 20, 30, 40, relative=False), (10, 20, 40, 60), id="inside"),
        pytest.param(Crop(500, 300, 900, 900, relative=False), (500, 300, 600, 400), id="partly outside"),
        pytest.param(Crop(0, 0, 600, 400, relative=False), None, id="all"),
        pytest.param(Crop(0, 0, 9000, 9000, relative=False), None, id="larger than the picture"),
        pytest.param(Crop(599, 399, 1, 1, relative=False), (599, 399, 600, 400), id="last pixel"),
        pytest.param(Crop(50, 0, 50, 50, relative=True), (300, 0, 600, 200), id="shares"),
        pytest.param(Crop(90, 90, 90, 90, relative=True), (540, 360, 600, 400), id="fractions, partly outside"),
        pytest.param(Crop(0, 0, 100, 100, relative=True), None, id="fractions, everything"),
    ],
)
def test_a_crop_is_cut_to_the_picture(crop: Crop, expected: Area | None) -> None:
    assert frame((600, 400), Framing(crop), max_edge=8192).crop == expected


@pytest.mark.parametrize(
    ("crop", "nearest"),
    [
        pytest.param(Crop(600, 0, 100, 100, relative=False), "500,0,100,100", id="to the right"),
        pytest.param(Crop(0, 400, 100, 100, relative=False), "0,300,100,100", id="below"),
        pytest.param(Crop(700, 900, 800, 50, relative=False), "0,350,600,50", id="wider than the picture"),
    ],
)
def test_a_crop_outside_the_picture_is_refused_with_the_nearest_inside(crop: Crop, nearest: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        frame((600, 400), Framing(crop), max_edge=8192)

    assert (caught.value.param, caught.value.nearest) == ("crop", nearest)
    assert "600 pixels wide and 400 high" in caught.value.detail


def test_a_crop_outside_a_trimmed_picture_is_refused_with_the_nearest_inside_the_border() -> None:
    with pytest.raises(InvalidParam) as caught:
        frame((600, 400), Framing(Crop(900, 900, 100, 50, relative=False)), max_edge=8192, kept=(40, 30, 540, 330))

    assert caught.value.nearest == "400,250,100,50"
    assert "500 pixels wide and 300 high" in caught.value.detail


def test_fractions_round_half_up_and_keep_a_pixel() -> None:
    assert frame((3, 1), Framing(Crop(50, 99, 1, 1, relative=True)), max_edge=9).crop == (2, 0, 3, 1)


def test_a_cover_crop_lies_inside_the_crop_and_both_lie_inside_the_trimmed_picture() -> None:
    framing = Framing(Crop(100, 50, 200, 100, relative=False), (50, 50), Fit.COVER, (100, 50))

    assert frame((600, 400), framing, max_edge=8192).crop == (200, 50, 300, 150)
    assert frame((600, 400), framing, max_edge=8192, kept=(10, 20, 500, 300)).crop == (210, 70, 310, 170)


@pytest.mark.parametrize(
    ("position", "place"),
    [
        pytest.param((50, 50), (0, 16, 100, 83), id="half a pixel rounds down"),
        pytest.param((0, 0), (0, 0, 100, 67), id="top left"),
        pytest.param((50, 100), (0, 33, 100, 100), id="bottom"),
    ],
)
def test_a_padded_picture_lies_at_its_position(position: tuple[int, int], place: Area) -> None:
    padded = frame((600, 400), Framing(None, (100, 100), Fit.PAD, position), max_edge=8192)

    assert (padded.size, padded.place) == ((100, 100), place)


@given(source=sizes, framing=framings, data=st.data())
def test_a_frame_lies_inside_the_kept_part_and_its_place_inside_the_output(
    source: Size, framing: Framing, data: st.DataObject
) -> None:
    lefts = sorted(data.draw(st.lists(st.integers(0, source[0]), min_size=2, max_size=2, unique=True)))
    tops = sorted(data.draw(st.lists(st.integers(0, source[1]), min_size=2, max_size=2, unique=True)))
    kept = (lefts[0], tops[0], lefts[1], tops[1])
    try:
        framed = frame(source, framing, max_edge=8192, kept=kept)
    except InvalidParam:
        assert framing.crop
        assert not framing.crop.relative
        return
    left, top, right, bottom = framed.crop or (0, 0, *source)
    assert kept[0] <= left < right <= kept[2]
    assert kept[1] <= top < bottom <= kept[3]
    assert min(right - left, bottom - top) > 0.98
    x0, y0, x1, y1 = framed.place or (0, 0, *framed.size)
    assert 0 <= x0 < x1 <= framed.size[0]
    assert 0 <= y0 < y1 <= framed.size[1]
    if not framing.enlarge:
        assert x1 - x0 <= kept[2] - kept[0]
        assert y1 - y0 <= kept[3] - kept[1]


@given(source=sizes, framing=framings, position=positions)
def test_a_crop_moves_within_its_bounds_and_keeps_its_size(source: Size, framing: Framing, position: Position) -> None:
    try:
        framed = frame(source, framing, max_edge=8192)
    except InvalidParam:
        return
    assert framed.crop_bounds is None or (framed.crop is not None and framing.position is Smart.SUBJECT)
    if framed.crop_bounds is None or framed.crop is None:
        return
    left, top, right, bottom = move_crop(framed.crop, framed.crop_bounds, position)

    assert framed.crop_bounds[0] <= left < right <= framed.crop_bounds[2]
    assert framed.crop_bounds[1] <= top < bottom <= framed.crop_bounds[3]
    lengths = [framed.crop[axis + 2] - framed.crop[axis] for axis in (0, 1)]
    assert [right - left, bottom - top] == pytest.approx(lengths, abs=0.001)
    assert move_crop(framed.crop, framed.crop_bounds, (50, 50)) == pytest.approx(framed.crop, abs=0.011)


@pytest.mark.parametrize("fit", [Fit.CONTAIN, Fit.FILL, Fit.OUTSIDE, Fit.PAD])
def test_only_a_cover_crop_can_move(fit: Fit) -> None:
    smart = frame((600, 400), Framing(None, (100, 100), fit, Smart.SUBJECT), max_edge=8192)

    assert smart == frame((600, 400), Framing(None, (100, 100), fit), max_edge=8192)


@given(source=sizes, target=sizes, position=positions, enlarge=st.booleans())
def test_pad_gives_exactly_the_box_around_the_result_of_contain(
    source: Size, target: Size, position: tuple[int, int], enlarge: bool
) -> None:
    padded = frame(source, Framing(None, target, Fit.PAD, position, enlarge), max_edge=8192)
    contained = plan_resize(source, target, enlarge=enlarge).size

    assert padded.size == target
    left, top, right, bottom = padded.place or (0, 0, *target)
    assert (right - left, bottom - top) == contained


@given(source=sizes, crop=crops)
def test_a_crop_of_a_crop_is_the_crop(source: Size, crop: Crop) -> None:
    try:
        once = frame(source, Framing(crop), max_edge=8192)
    except InvalidParam:
        return
    left, top, right, bottom = map(int, once.crop or (0, 0, *source))
    again = Framing(Crop(left, top, right - left, bottom - top, relative=False))

    assert frame(source, again, max_edge=8192) == once
