from dataclasses import replace
from typing import Any

import pytest

from imgcdn.core.output.geometry import CENTER, Crop, Fit, Framing, Smart
from imgcdn.core.output.plan import Trim, resolve_crop, resolve_trim
from imgcdn.core.request.arguments import RGB, RGBA
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts
from tests.support.planning import ALPHA_PNG, ANIMATION, PHOTO, make_plan

BOX: dict[str, Any] = {"width": 300, "height": 300}


@pytest.mark.parametrize(
    ("facts", "params", "expected"),
    [
        pytest.param(PHOTO, Params(**BOX, fit=Fit.PAD), ("jpeg", (255, 255, 255)), id="white around a photograph"),
        pytest.param(
            PHOTO, Params(**BOX, fit=Fit.PAD, background=(1, 2, 3)), ("jpeg", (1, 2, 3)), id="requested colour"
        ),
        pytest.param(
            PHOTO, Params(**BOX, fit=Fit.PAD, background=(1, 2, 3, 4)), ("png", (1, 2, 3, 4)), id="translucent colour"
        ),
        pytest.param(
            ALPHA_PNG, Params(**BOX, fit=Fit.PAD), ("png", None), id="transparent around a picture with alpha"
        ),
        pytest.param(
            ALPHA_PNG,
            Params(**BOX, fit=Fit.PAD, format="jpeg"),
            ("jpeg", (255, 255, 255)),
            id="white in a format without alpha",
        ),
        pytest.param(ANIMATION, Params(**BOX, fit=Fit.PAD), ("gif", (255, 255, 255)), id="white around an animation"),
        pytest.param(PHOTO, Params(width=300, fit=Fit.PAD, background=(1, 2, 3, 4)), ("jpeg", None), id="no box"),
        pytest.param(
            replace(PHOTO, size=(900, 900)),
            Params(**BOX, fit=Fit.PAD, background=(1, 2, 3, 4)),
            ("jpeg", None),
            id="picture that fills the box",
        ),
    ],
)
def test_the_format_can_show_the_colour_of_the_margin(
    facts: Facts, params: Params, expected: tuple[str, RGB | RGBA | None]
) -> None:
    plan = make_plan(facts, params)

    assert (plan.format, plan.margin) == expected


def test_a_padded_picture_is_not_enlarged_but_its_box_is_filled() -> None:
    plan = make_plan(replace(PHOTO, size=(100, 50)), Params(**BOX, fit=Fit.PAD))

    assert (plan.size, plan.place, plan.resampled) == ((300, 300), (100, 125, 200, 175), (100, 50))


@pytest.mark.parametrize(
    ("position", "top"),
    [
        pytest.param((50, 0), 0, id="top"),
        pytest.param((50, 100), 250, id="bottom"),
        pytest.param(CENTER, 125, id="mid"),
    ],
)
def test_a_padded_picture_is_planned_at_its_position(position: tuple[int, int], top: int) -> None:
    plan = make_plan(replace(PHOTO, size=(100, 50)), Params(**BOX, fit=Fit.PAD, position=position))

    assert plan.place == (100, top, 200, top + 50)


@pytest.mark.parametrize("trim", [None, 9])
def test_a_padded_picture_has_no_subject_to_move_to(trim: int | None) -> None:
    params = Params(**BOX, fit=Fit.PAD, trim=trim)

    assert make_plan(PHOTO, replace(params, position=Smart.SUBJECT)) == make_plan(PHOTO, params)


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_size_of_a_turned_picture_is_that_after_the_turn(turn: int) -> None:
    plan = make_plan(replace(PHOTO, size=(600, 400)), Params(width=200, turn=turn))

    assert plan.size == ((200, 133) if turn < 5 else (200, 300))


def test_params_that_do_not_change_the_picture_are_not_in_the_plan() -> None:
    whole = Params(crop=Crop(0, 0, 9999, 9999, relative=False), fit=Fit.PAD, position=(0, 0), background=(1, 2, 3))

    assert make_plan(PHOTO, whole) == make_plan(PHOTO)


def test_a_plan_with_a_trim_has_no_frame_until_the_border_is_found() -> None:
    params = Params(width=500, height=500, fit=Fit.COVER, position=(0, 50), trim=9)

    plan = make_plan(PHOTO, params)

    assert (plan.crop, plan.size) == (None, (500, 500))
    assert plan.trim == Trim(9, Framing(None, (500, 500), Fit.COVER, (0, 50)), max_edge=8192)


def test_a_trim_that_removes_nothing_gives_the_plan_without_a_trim() -> None:
    for params in (Params(), Params(**BOX, fit=Fit.PAD), Params(**BOX, fit=Fit.COVER, turn=6)):
        untrimmed = replace(make_plan(ALPHA_PNG, params), rewrap=False)  # a plan with a trim never allows it
        size = ALPHA_PNG.size if params.turn == 1 else ALPHA_PNG.size[::-1]

        assert resolve_trim(make_plan(ALPHA_PNG, replace(params, trim=3)), size, (0, 0, *size)) == untrimmed


def test_a_trimmed_picture_is_framed_like_a_source_of_that_size() -> None:
    plan = resolve_trim(make_plan(PHOTO, Params(**BOX, fit=Fit.PAD, trim=0)), PHOTO.size, (100, 200, 700, 500))

    assert (plan.crop, plan.size, plan.place) == ((100, 200, 700, 500), (300, 300), (0, 75, 300, 225))
    assert plan.trim is None


def test_a_trimmed_picture_may_need_no_margin() -> None:
    plan = resolve_trim(make_plan(PHOTO, Params(**BOX, fit=Fit.PAD, trim=0)), PHOTO.size, (0, 0, 900, 900))

    assert (plan.place, plan.margin) == (None, None)


def test_a_picture_that_fills_its_box_may_need_a_margin_when_it_is_trimmed() -> None:
    square = replace(PHOTO, size=(900, 900))
    plan = make_plan(square, Params(**BOX, fit=Fit.PAD, trim=0))
    trimmed = resolve_trim(plan, square.size, (0, 0, 900, 450))

    assert (trimmed.place, trimmed.margin) == ((0, 75, 300, 225), (255, 255, 255))


@pytest.mark.parametrize("fit", [Fit.COVER, Fit.CONTAIN, Fit.FILL])
def test_only_a_padded_picture_has_a_margin(fit: Fit) -> None:
    plan = make_plan(PHOTO, Params(**BOX, fit=fit, trim=0, background=(1, 2, 3, 4)))

    assert (plan.margin, plan.format) == (None, "jpeg")


def test_an_enlarged_trimmed_picture_is_at_most_max_edge_long() -> None:
    plan = make_plan(PHOTO, Params(width=8000, enlarge=True, trim=0, format="webp"))

    assert max(resolve_trim(plan, PHOTO.size, (0, 0, 10, 2000)).size) == 8192


def test_the_plan_of_a_cover_has_its_crop() -> None:
    plan = make_plan(PHOTO, Params(width=500, height=500, fit=Fit.COVER, position=(0, 50)))

    assert (plan.crop, plan.size) == ((0, 0, 2225, 2225), (500, 500))


SMART = Params(**BOX, fit=Fit.COVER, position=Smart.SUBJECT)


def test_a_smart_crop_is_planned_at_the_center_with_its_bounds() -> None:
    plan = make_plan(PHOTO, SMART)

    assert (plan.crop, plan.size, plan.crop_bounds) == ((250, 0, 2475, 2225), (300, 300), (0, 0, 2725, 2225))
    assert replace(plan, crop_bounds=None) == make_plan(PHOTO, replace(SMART, position=CENTER))


def test_a_smart_crop_at_the_center_is_the_crop_at_the_center() -> None:
    assert resolve_crop(make_plan(PHOTO, SMART), CENTER) == make_plan(PHOTO, replace(SMART, position=CENTER))


def test_a_smart_crop_moves_to_the_resolved_position() -> None:
    for place, left in ((0, 0.0), (1, 5.0), (100, 500.0)):
        plan = resolve_crop(make_plan(PHOTO, SMART), (place, 50))

        assert (plan.crop, plan.crop_bounds) == ((left, 0, left + 2225, 2225), None)


def test_a_smart_crop_stays_inside_the_requested_crop() -> None:
    plan = make_plan(PHOTO, replace(SMART, crop=Crop(100, 200, 500, 300, relative=False)))

    assert (plan.crop_bounds, plan.crop) == ((100, 200, 600, 500), (200, 200, 500, 500))
    assert resolve_crop(plan, (100, 50)).crop == (300, 200, 600, 500)


def test_a_smart_crop_of_a_trimmed_picture_moves_inside_what_is_left() -> None:
    plan = make_plan(PHOTO, replace(SMART, trim=9))
    assert (plan.crop, plan.crop_bounds) == (None, None)

    plan = resolve_trim(plan, PHOTO.size, (100, 0, 900, 400))
    assert (plan.crop, plan.crop_bounds) == ((300, 0, 700, 400), (100, 0, 900, 400))
    assert resolve_crop(plan, (0, 50)).crop == (100, 0, 500, 400)


def test_a_plan_without_crop_bounds_stays_the_same() -> None:
    plan = make_plan(PHOTO, replace(SMART, fit=Fit.CONTAIN))

    assert resolve_crop(plan, (0, 0)) == plan
