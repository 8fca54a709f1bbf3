from dataclasses import replace
from typing import Any

import pytest

from imgcdn.core.encoders.coding import Coding, Limits, Setting
from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.geometry import CENTER, Crop, Fit, Framing, Size, Smart
from imgcdn.core.output.plan import Plan, Trim, plan_for, resolve_crop, resolve_trim
from imgcdn.core.request.arguments import RGB, RGBA
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, Facts

PHOTO = Facts("jpeg", (2725, 2225), frames=1, alpha=False)
OPAQUE_PNG = replace(PHOTO, format="png")
ALPHA_PNG = replace(PHOTO, format="png", alpha=True)
STILL_GIF = Facts("gif", (600, 400), frames=1, alpha=False)
ANIMATION = Facts("gif", (600, 400), frames=12, alpha=True)
ANIMATED_WEBP = replace(ANIMATION, format="webp")

PLAIN = Params()
NEITHER: tuple[str, ...] = ()
BOTH = ("avif", "webp")
WEBP_FIRST = ("webp", "avif")


def planned(facts: Facts, params: Params = PLAIN, client: tuple[str, ...] = NEITHER, **limits: Any) -> Plan:
    return plan_for(facts, params, client, replace(Limits(), **limits))


@pytest.mark.parametrize(
    ("facts", "params", "expected"),
    [
        pytest.param(PHOTO, Params(), "jpeg", id="photograph"),
        pytest.param(OPAQUE_PNG, Params(), "jpeg", id="png without alpha"),
        pytest.param(ALPHA_PNG, Params(), "png", id="png with alpha"),
        pytest.param(ALPHA_PNG, Params(background=(0, 0, 0)), "jpeg", id="png with alpha on a background"),
        pytest.param(replace(PHOTO, format="webp"), Params(), "jpeg", id="webp without alpha"),
        pytest.param(replace(PHOTO, format="webp", alpha=True), Params(), "png", id="webp with alpha"),
        pytest.param(replace(PHOTO, format="avif"), Params(), "jpeg", id="avif without alpha"),
        pytest.param(replace(PHOTO, format="avif", alpha=True), Params(), "png", id="avif with alpha"),
        pytest.param(STILL_GIF, Params(), "png", id="gif of one frame"),
        pytest.param(ANIMATION, Params(), "gif", id="animation"),
        pytest.param(ANIMATED_WEBP, Params(), "gif", id="animated webp"),
        pytest.param(ANIMATION, Params(still=True), "png", id="first frame of an animation"),
    ],
)
def test_a_client_that_names_neither_gets_what_every_client_shows(facts: Facts, params: Params, expected: str) -> None:
    assert planned(facts, params).format == expected


@pytest.mark.parametrize(
    ("facts", "client", "expected"),
    [
        pytest.param(PHOTO, BOTH, "avif", id="photograph, avif first"),
        pytest.param(PHOTO, WEBP_FIRST, "webp", id="photograph, webp first"),
        pytest.param(ALPHA_PNG, ("avif",), "avif", id="alpha, avif alone"),
        pytest.param(ALPHA_PNG, ("webp",), "webp", id="alpha, webp alone"),
        pytest.param(ANIMATION, BOTH, "webp", id="animation goes to webp"),
        pytest.param(ANIMATION, ("avif",), "gif", id="animation never to avif"),
    ],
)
def test_a_client_gets_the_format_it_likes_best(facts: Facts, client: tuple[str, ...], expected: str) -> None:
    assert planned(facts, client=client).format == expected


@pytest.mark.parametrize("fmt", ["avif", "webp", "jpeg", "png", "gif"])
@pytest.mark.parametrize("facts", [PHOTO, ALPHA_PNG, ANIMATION])
def test_a_format_that_was_asked_for_is_never_negotiated(facts: Facts, fmt: str) -> None:
    plans = {planned(facts, Params(format=fmt), client) for client in (NEITHER, BOTH, WEBP_FIRST)}

    assert {plan.format for plan in plans} == {fmt}
    assert len(plans) == 1


@pytest.mark.parametrize(
    ("facts", "params", "client", "expected"),
    [
        pytest.param(ANIMATION, Params(), BOTH, True, id="webp"),
        pytest.param(ANIMATION, Params(), NEITHER, True, id="gif"),
        pytest.param(ANIMATION, Params(format="webp"), NEITHER, True, id="webp asked for"),
        pytest.param(ANIMATION, Params(format="jpeg"), NEITHER, False, id="jpeg implies still"),
        pytest.param(ANIMATION, Params(format="png"), NEITHER, False, id="png implies still"),
        pytest.param(ANIMATION, Params(format="avif"), NEITHER, False, id="avif implies still"),
        pytest.param(ANIMATION, Params(still=True), BOTH, False, id="still asked for"),
        pytest.param(ANIMATION, Params(still=True, format="gif"), BOTH, False, id="still gif asked for"),
        pytest.param(PHOTO, Params(format="gif"), NEITHER, False, id="one frame"),
    ],
)
def test_frames_are_kept_where_the_format_holds_them(
    facts: Facts, params: Params, client: tuple[str, ...], expected: bool
) -> None:
    assert planned(facts, params, client).animated is expected


@pytest.mark.parametrize(
    ("facts", "fmt", "asked", "expected"),
    [
        pytest.param(ALPHA_PNG, "jpeg", None, (255, 255, 255), id="white where alpha cannot be kept"),
        pytest.param(ALPHA_PNG, "jpeg", (0, 0, 0), (0, 0, 0), id="black is a colour"),
        pytest.param(ALPHA_PNG, "webp", None, None, id="alpha is kept"),
        pytest.param(ALPHA_PNG, "webp", (9, 9, 9), (9, 9, 9), id="alpha is laid on the colour asked for"),
        pytest.param(PHOTO, "jpeg", (9, 9, 9), None, id="nothing lies beneath opaque pixels"),
        pytest.param(ALPHA_PNG, "webp", (9, 9, 9, 128), (9, 9, 9, 128), id="a clear colour is kept"),
        pytest.param(ALPHA_PNG, "webp", (0, 0, 0, 0), None, id="a wholly clear one changes nothing"),
        pytest.param(ALPHA_PNG, "jpeg", (0, 0, 0, 0), (255, 255, 255), id="a wholly clear one is white without alpha"),
        pytest.param(ALPHA_PNG, "jpeg", (0, 100, 255, 51), (204, 224, 255), id="a clear colour lies on white there"),
    ],
)
def test_transparent_pixels_are_laid_on_a_background(
    facts: Facts, fmt: str, asked: RGB | RGBA | None, expected: RGB | RGBA | None
) -> None:
    assert planned(facts, Params(format=fmt, background=asked)).background == expected


@pytest.mark.parametrize(
    ("width", "client", "expected"),
    [
        pytest.param(99, BOTH, "webp", id="below the least, both known"),
        pytest.param(99, ("avif",), "avif", id="below the least, avif alone"),
        pytest.param(100, BOTH, "avif", id="the least"),
        pytest.param(200, BOTH, "avif", id="the most"),
        pytest.param(201, BOTH, "webp", id="above the most, both known"),
        pytest.param(201, ("avif",), "avif", id="above the most, avif alone"),
        pytest.param(201, WEBP_FIRST, "webp", id="above the most, webp first"),
    ],
)
def test_webp_comes_first_where_avif_is_not_worth_its_price(width: int, client: tuple[str, ...], expected: str) -> None:
    square = Facts("jpeg", (1000, 1000), frames=1, alpha=False)

    plan = planned(square, Params(width=width), client, avif_min_pixels=100 * 100, avif_max_pixels=200 * 200)

    assert plan.format == expected


@pytest.mark.parametrize(
    ("size", "client", "expected"),
    [
        pytest.param((16_383, 4000), WEBP_FIRST, "webp", id="webp takes it"),
        pytest.param((16_384, 4000), WEBP_FIRST, "avif", id="a pixel too long for webp"),
        pytest.param((16_385, 4000), BOTH, "jpeg", id="too long for either"),
    ],
)
def test_a_format_that_cannot_hold_the_size_is_passed_over(size: Size, client: tuple[str, ...], expected: str) -> None:
    plan = planned(replace(PHOTO, size=size), client=client, avif_max_pixels=10**9)

    assert (plan.format, plan.size) == (expected, size)


@pytest.mark.parametrize(
    ("fmt", "expected"),
    [("webp", (16_383, 819)), ("avif", (16_384, 819)), ("jpeg", (20_000, 1000)), ("png", (20_000, 1000))],
)
def test_a_format_that_was_asked_for_shrinks_what_it_cannot_hold(fmt: str, expected: Size) -> None:
    assert planned(replace(PHOTO, size=(20_000, 1000)), Params(format=fmt)).size == expected


@pytest.mark.parametrize(
    ("params", "size", "expected"),
    [
        pytest.param(Params(width=2000, enlarge=True), (10, 400), (50, 2000), id="the edge that follows is bounded"),
        pytest.param(Params(width=2000, enlarge=True), (1000, 500), (2000, 1000), id="up to the limit"),
        pytest.param(Params(width=2000, enlarge=True), (1000, 3000), (1000, 3000), id="a longer source is not shrunk"),
        pytest.param(
            Params(width=2000, height=2000, fit=Fit.FILL, enlarge=True), (10, 400), (2000, 2000), id="both edges asked"
        ),
        pytest.param(Params(), (3000, 3000), (3000, 3000), id="nothing asked"),
    ],
)
def test_a_source_is_enlarged_to_the_largest_dimension_at_most(params: Params, size: Size, expected: Size) -> None:
    assert planned(replace(PHOTO, size=size), params, max_dimension=2000).size == expected


@pytest.mark.parametrize(
    ("fmt", "q", "expected"),
    [
        pytest.param("jpeg", 75, Setting("jpeg", 75, full_chroma=False), id="jpeg"),
        pytest.param("jpeg", 89, Setting("jpeg", 89, full_chroma=False), id="jpeg, just below full colour"),
        pytest.param("jpeg", 90, Setting("jpeg", 90, full_chroma=True), id="jpeg in full colour"),
        pytest.param("webp", 75, Setting("webp", 80, full_chroma=False, speed=2), id="webp"),
        pytest.param("webp", 95, Setting("webp", 97, full_chroma=False, speed=2), id="webp has no full colour"),
        pytest.param("avif", 75, Setting("aom", 55, full_chroma=True, speed=9), id="avif in full colour at any q"),
        pytest.param("png", 30, Setting("png", None, full_chroma=False), id="png has no quality"),
        pytest.param("png", 95, Setting("png", None, full_chroma=False), id="png at any q"),
        pytest.param("gif", 95, Setting("gif", None, full_chroma=False), id="gif has no quality"),
        pytest.param("jpeg", None, Setting("jpeg", None, full_chroma=False, target=75), id="jpeg, auto"),
        pytest.param("webp", None, Setting("webp", None, full_chroma=False, target=75, speed=2), id="webp, auto"),
        pytest.param("avif", None, Setting("aom", None, full_chroma=True, target=75, speed=9), id="avif, auto"),
        pytest.param("png", None, Setting("png", None, full_chroma=False), id="png, auto"),
        pytest.param("gif", None, Setting("gif", None, full_chroma=False), id="gif, auto"),
    ],
)
def test_q_sets_the_encoder(fmt: str, q: int | None, expected: Setting) -> None:
    assert planned(PHOTO, Params(format=fmt, q=q)).setting == expected


@pytest.mark.parametrize(
    ("size", "q", "expected"),
    [
        pytest.param((5000, 4000), 75, ("aom", True), id="the largest that is negotiated"),
        pytest.param((5000, 4001), 75, ("svt", False), id="larger"),
        pytest.param((5000, 4001), 90, ("aom", True), id="larger, in full colour"),
        pytest.param((1, 1), 75, ("aom", True), id="tiny"),
    ],
)
def test_avif_that_only_a_url_wants_so_large_is_made_by_the_quicker_encoder(
    size: Size, q: int, expected: tuple[str, bool]
) -> None:
    setting = planned(replace(PHOTO, size=size), Params(format="avif", q=q)).setting

    assert (setting.encoder, setting.full_chroma) == expected


@pytest.mark.parametrize(
    ("size", "fmt", "expected"),
    [
        pytest.param((1000, 500), "avif", (Effort.THOROUGH, 5), id="avif with time"),
        pytest.param((2000, 2000), "avif", (Effort.THOROUGH, 7), id="avif with less for a pixel"),
        pytest.param((5000, 4000), "avif", (Effort.FAST, 9), id="avif with none: the same as without effort"),
        pytest.param((1000, 500), "webp", (Effort.THOROUGH, 6), id="webp"),
        pytest.param((5000, 4000), "webp", (Effort.THOROUGH, 4), id="webp with less time"),
        pytest.param((1000, 500), "jpeg", (Effort.THOROUGH, None), id="jpeg"),
        pytest.param((1000, 500), "png", (Effort.FAST, None), id="png has no effort"),
        pytest.param((1000, 500), "gif", (Effort.FAST, None), id="gif has no effort"),
    ],
)
def test_thorough_encoders_try_as_hard_as_their_budget_allows(
    size: Size, fmt: str, expected: tuple[Effort, int | None]
) -> None:
    setting = planned(replace(PHOTO, size=size), Params(format=fmt), budget=Budget(Effort.THOROUGH)).setting

    assert (setting.effort, setting.speed) == expected


def test_a_wider_budget_makes_thorough_encoders_slower() -> None:
    speeds = [
        planned(
            replace(PHOTO, size=(800, 500)), Params(format="avif"), budget=Budget(Effort.THOROUGH, seconds)
        ).setting.speed
        for seconds in (0.05, 0.5, 1.0, 6.0, 60.0)
    ]

    assert speeds == [9, 8, 7, 5, 5]
    assert planned(PHOTO, Params(width=800), BOTH, budget=Budget(Effort.FAST, 60.0)).setting.speed == 9


@pytest.mark.parametrize("fmt", ["webp", "gif"])
def test_an_animation_is_encoded_fast_in_any_case(fmt: str) -> None:
    params = Params(format=fmt)

    assert planned(ANIMATION, params, budget=Budget(Effort.THOROUGH)) == planned(ANIMATION, params)


BOX: dict[str, Any] = {"width": 300, "height": 300}


@pytest.mark.parametrize(
    ("facts", "params", "expected"),
    [
        pytest.param(PHOTO, Params(**BOX, fit=Fit.PAD), ("jpeg", (255, 255, 255)), id="white around a photograph"),
        pytest.param(
            PHOTO, Params(**BOX, fit=Fit.PAD, background=(1, 2, 3)), ("jpeg", (1, 2, 3)), id="the colour asked for"
        ),
        pytest.param(
            PHOTO, Params(**BOX, fit=Fit.PAD, background=(1, 2, 3, 4)), ("png", (1, 2, 3, 4)), id="a clear colour"
        ),
        pytest.param(ALPHA_PNG, Params(**BOX, fit=Fit.PAD), ("png", None), id="as the picture is"),
        pytest.param(ALPHA_PNG, Params(**BOX, fit=Fit.PAD, format="jpeg"), ("jpeg", (255, 255, 255)), id="no alpha"),
        pytest.param(ANIMATION, Params(**BOX, fit=Fit.PAD), ("gif", (255, 255, 255)), id="white around an animation"),
        pytest.param(PHOTO, Params(width=300, fit=Fit.PAD, background=(1, 2, 3, 4)), ("jpeg", None), id="no box"),
        pytest.param(
            replace(PHOTO, size=(900, 900)),
            Params(**BOX, fit=Fit.PAD, background=(1, 2, 3, 4)),
            ("jpeg", None),
            id="fits",
        ),
    ],
)
def test_a_margin_has_a_colour_and_a_format_that_shows_it(
    facts: Facts, params: Params, expected: tuple[str, RGB | RGBA | None]
) -> None:
    plan = planned(facts, params)

    assert (plan.format, plan.margin) == expected


def test_a_padded_picture_is_not_enlarged_but_its_box_is_filled() -> None:
    plan = planned(replace(PHOTO, size=(100, 50)), Params(**BOX, fit=Fit.PAD))

    assert (plan.size, plan.place, plan.resampled) == ((300, 300), (100, 125, 200, 175), (100, 50))


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_picture_is_measured_as_it_stands(turn: int) -> None:
    plan = planned(replace(PHOTO, size=(600, 400)), Params(width=200, turn=turn))

    assert plan.size == ((200, 133) if turn < 5 else (200, 300))


def test_what_does_not_change_the_picture_is_not_in_the_plan() -> None:
    whole = Params(crop=Crop(0, 0, 9999, 9999, relative=False), fit=Fit.PAD, position=(0, 0), background=(1, 2, 3))

    assert planned(PHOTO, whole) == planned(PHOTO)


def test_a_trim_leaves_the_outline_to_the_pixels() -> None:
    params = Params(width=500, height=500, fit=Fit.COVER, position=(0, 50), trim=9)

    plan = planned(PHOTO, params)

    assert (plan.crop, plan.size) == (None, (500, 500))
    assert plan.trim == Trim(9, Framing(None, (500, 500), Fit.COVER, (0, 50)), max_edge=8192)


def test_a_trim_that_finds_nothing_is_no_trim() -> None:
    for params in (Params(), Params(**BOX, fit=Fit.PAD), Params(**BOX, fit=Fit.COVER, turn=6)):
        without = replace(planned(ALPHA_PNG, params), rewrap=False)  # whether anything is cut away is known too late
        size = ALPHA_PNG.size if params.turn == 1 else ALPHA_PNG.size[::-1]

        assert resolve_trim(planned(ALPHA_PNG, replace(params, trim=3)), size, (0, 0, *size)) == without


def test_what_is_trimmed_is_framed_as_a_picture_of_its_own() -> None:
    plan = resolve_trim(planned(PHOTO, Params(**BOX, fit=Fit.PAD, trim=0)), PHOTO.size, (100, 200, 700, 500))

    assert (plan.crop, plan.size, plan.place) == ((100, 200, 700, 500), (300, 300), (0, 75, 300, 225))
    assert plan.trim is None


def test_what_trimming_leaves_may_need_no_margin() -> None:
    plan = resolve_trim(planned(PHOTO, Params(**BOX, fit=Fit.PAD, trim=0)), PHOTO.size, (0, 0, 900, 900))

    assert (plan.place, plan.margin) == (None, None)


def test_an_enlarged_trim_is_bounded_as_a_picture_is() -> None:
    plan = planned(PHOTO, Params(width=8000, enlarge=True, trim=0, format="webp"))

    assert max(resolve_trim(plan, PHOTO.size, (0, 0, 10, 2000)).size) == 8192


def test_the_crop_of_a_cover_goes_into_the_plan() -> None:
    plan = planned(PHOTO, Params(width=500, height=500, fit=Fit.COVER, position=(0, 50)))

    assert (plan.crop, plan.size) == ((0, 0, 2225, 2225), (500, 500))


SMART = Params(**BOX, fit=Fit.COVER, position=Smart.SUBJECT)


def test_a_smart_crop_is_planned_at_the_center_with_the_room_it_has() -> None:
    plan = planned(PHOTO, SMART)

    assert (plan.crop, plan.size, plan.crop_bounds) == ((250, 0, 2475, 2225), (300, 300), (0, 0, 2725, 2225))
    assert replace(plan, crop_bounds=None) == planned(PHOTO, replace(SMART, position=CENTER))


def test_a_smart_crop_at_the_center_is_the_crop_at_the_center() -> None:
    assert resolve_crop(planned(PHOTO, SMART), CENTER) == planned(PHOTO, replace(SMART, position=CENTER))


def test_a_smart_crop_goes_where_it_is_told() -> None:
    for place, left in ((0, 0.0), (1, 5.0), (100, 500.0)):
        plan = resolve_crop(planned(PHOTO, SMART), (place, 50))

        assert (plan.crop, plan.crop_bounds) == ((left, 0, left + 2225, 2225), None)


def test_a_smart_crop_stays_in_the_crop_asked_for() -> None:
    plan = planned(PHOTO, replace(SMART, crop=Crop(100, 200, 500, 300, relative=False)))

    assert (plan.crop_bounds, plan.crop) == ((100, 200, 600, 500), (200, 200, 500, 500))
    assert resolve_crop(plan, (100, 50)).crop == (300, 200, 600, 500)


def test_a_trimmed_smart_crop_has_the_room_that_trimming_left() -> None:
    plan = planned(PHOTO, replace(SMART, trim=9))
    assert (plan.crop, plan.crop_bounds) == (None, None)

    plan = resolve_trim(plan, PHOTO.size, (100, 0, 900, 400))
    assert (plan.crop, plan.crop_bounds) == ((300, 0, 700, 400), (100, 0, 900, 400))
    assert resolve_crop(plan, (0, 50)).crop == (100, 0, 500, 400)


def test_what_has_no_room_stays() -> None:
    plan = planned(PHOTO, replace(SMART, fit=Fit.CONTAIN))

    assert resolve_crop(plan, (0, 0)) == plan


LOSSLESS_WEBP = Coding("webp", Setting("webp", None, full_chroma=False))
LOSSY_WEBP = Coding("webp", Setting("webp", 80, full_chroma=False, speed=2))
FULL_AVIF = Coding("avif", Setting("aom", 69, full_chroma=True, speed=8))
FINEST_AVIF = Coding("avif", Setting("aom", 86, full_chroma=True, speed=8))
PHOTO_AVIF = Coding("avif", Setting("aom", 55, full_chroma=True, speed=9))
FULL_JPEG = Coding("jpeg", Setting("jpeg", 75, full_chroma=True))
PLAIN_PNG = Coding("png", Setting("png", None, full_chroma=False))


@pytest.mark.parametrize(
    ("facts", "params", "client", "expected"),
    [
        pytest.param(PHOTO, Params(width=640), BOTH, (LOSSLESS_WEBP, FULL_AVIF), id="avif and webp"),
        pytest.param(PHOTO, Params(width=640), WEBP_FIRST, (LOSSLESS_WEBP, FULL_AVIF), id="webp and avif"),
        pytest.param(PHOTO, Params(width=100), BOTH, (LOSSLESS_WEBP, FULL_AVIF), id="below avif's least pixels"),
        pytest.param(PHOTO, Params(width=640), ("webp",), (LOSSLESS_WEBP, LOSSY_WEBP), id="webp alone"),
        pytest.param(PHOTO, Params(width=640), ("avif",), (PLAIN_PNG, FULL_AVIF), id="avif alone"),
        pytest.param(PHOTO, Params(width=640), NEITHER, (PLAIN_PNG, FULL_JPEG), id="neither"),
        pytest.param(ALPHA_PNG, Params(width=640), NEITHER, (), id="neither, and alpha"),
        pytest.param(PHOTO, Params(width=640, format="avif"), BOTH, (FULL_AVIF,), id="avif asked for"),
        pytest.param(PHOTO, Params(width=640, format="webp"), BOTH, (LOSSLESS_WEBP, LOSSY_WEBP), id="webp asked for"),
        pytest.param(PHOTO, Params(width=640, format="jpeg"), BOTH, (FULL_JPEG,), id="jpeg asked for"),
        pytest.param(PHOTO, Params(width=640, format="png"), BOTH, (), id="png asked for"),
        pytest.param(PHOTO, Params(width=640, format="gif"), BOTH, (), id="gif asked for"),
        pytest.param(PHOTO, Params(width=640, format="jpeg", q=90), BOTH, (), id="jpeg in full colour anyway"),
        pytest.param(PHOTO, Params(width=640, format="avif", q=95), BOTH, (FINEST_AVIF,), id="avif of a high quality"),
        pytest.param(PHOTO, Params(width=1550), BOTH, (LOSSLESS_WEBP, PHOTO_AVIF), id="too large for a slow avif too"),
        pytest.param(PHOTO, Params(width=1550, format="avif"), BOTH, (FULL_AVIF,), id="not for that alone"),
        pytest.param(PHOTO, Params(width=2000, format="avif"), BOTH, (), id="too large for a slow avif"),
        pytest.param(replace(PHOTO, size=(5000, 4000)), PLAIN, BOTH, (), id="too large for a second encoding"),
        pytest.param(replace(PHOTO, size=(16_384, 100)), PLAIN, BOTH, (PLAIN_PNG, PHOTO_AVIF), id="too long for webp"),
        pytest.param(ANIMATION, PLAIN, BOTH, (), id="animation"),
        pytest.param(ANIMATION, Params(still=True), ("webp",), (LOSSLESS_WEBP, LOSSY_WEBP), id="its first frame"),
    ],
)
def test_a_graphic_may_be_coded_in_other_ways_that_the_client_shows(
    facts: Facts, params: Params, client: tuple[str, ...], expected: tuple[Coding, ...]
) -> None:
    assert planned(facts, params, client).if_graphic == expected


def test_a_graphics_profile_is_kept_in_every_coding() -> None:
    for client in (NEITHER, BOTH, ("avif",), ("webp",)):
        codings = planned(PHOTO, Params(width=640), client, keep_profile=True).if_graphic
        assert codings
        assert all(coding.setting.keep_profile for coding in codings)


@pytest.mark.parametrize(
    ("facts", "params", "expected"),
    [
        pytest.param(PHOTO, PLAIN, True, id="nothing asked"),
        pytest.param(PHOTO, Params(width=9000), True, id="a width beyond the source"),
        pytest.param(PHOTO, Params(q=20), True, id="a quality"),
        pytest.param(PHOTO, Params(format="jpeg"), True, id="its own format"),
        pytest.param(OPAQUE_PNG, PLAIN, True, id="png"),
        pytest.param(ALPHA_PNG, PLAIN, True, id="png with alpha"),
        pytest.param(PHOTO, Params(width=2724), False, id="a pixel less"),
        pytest.param(PHOTO, Params(format="webp"), False, id="another format"),
        pytest.param(OPAQUE_PNG, Params(format="jpeg"), False, id="png as jpeg"),
        pytest.param(ALPHA_PNG, Params(background=(0, 0, 0)), False, id="a background beneath alpha"),
        pytest.param(PHOTO, Params(background=(0, 0, 0)), True, id="a background beneath nothing"),
        pytest.param(PHOTO, Params(turn=3), False, id="upside down"),
        pytest.param(PHOTO, Params(trim=0), False, id="trimmed"),
        pytest.param(PHOTO, Params(blur=1.0), False, id="blurred"),
        pytest.param(PHOTO, Params(sharpen=1.0), False, id="sharpened"),
        pytest.param(PHOTO, Params(crop=Crop(0, 0, 100, 100, relative=False)), False, id="cropped"),
        pytest.param(replace(PHOTO, format="webp"), PLAIN, False, id="webp"),
        pytest.param(replace(OPAQUE_PNG, frames=3), Params(still=True), False, id="first frame of an animated png"),
    ],
)
def test_the_originals_own_coding_may_be_sent_where_nothing_changes_its_pixels(
    facts: Facts, params: Params, expected: bool
) -> None:
    for client in (NEITHER, BOTH):
        assert planned(facts, params, client).rewrap is expected
