from dataclasses import fields, replace
from typing import Any

import pytest

from imgcdn.core.output.geometry import Crop, Fit, Size
from imgcdn.core.output.plan import NOT_PIXELS, Plan, changes_pixels
from imgcdn.core.request.arguments import RGB, RGBA
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts
from imgcdn.errors import InvalidParam
from tests.support.planning import ALPHA_PNG, ANIMATION, BOTH, NEITHER, OPAQUE_PNG, PHOTO, WEBP_FIRST, make_plan

STILL_GIF = Facts("gif", (600, 400), frames=1, alpha=False)
ANIMATED_WEBP = replace(ANIMATION, format="webp")

PLAIN = Params()


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
def test_a_client_that_accepts_neither_avif_nor_webp_gets_a_format_that_all_clients_show(
    facts: Facts, params: Params, expected: str
) -> None:
    assert make_plan(facts, params).format == expected


@pytest.mark.parametrize(
    ("facts", "client", "expected"),
    [
        pytest.param(PHOTO, BOTH, "avif", id="photograph, avif first"),
        pytest.param(PHOTO, WEBP_FIRST, "webp", id="photograph, webp first"),
        pytest.param(ALPHA_PNG, ("avif",), "avif", id="alpha, client accepts avif alone"),
        pytest.param(ALPHA_PNG, ("webp",), "webp", id="alpha, client accepts webp alone"),
        pytest.param(ANIMATION, BOTH, "webp", id="animation becomes webp"),
        pytest.param(ANIMATION, ("avif",), "gif", id="animation never becomes avif"),
    ],
)
def test_a_client_gets_the_format_it_prefers(facts: Facts, client: tuple[str, ...], expected: str) -> None:
    assert make_plan(facts, client=client).format == expected


@pytest.mark.parametrize("fmt", ["avif", "webp", "jpeg", "png", "gif"])
@pytest.mark.parametrize("facts", [PHOTO, ALPHA_PNG, ANIMATION])
def test_a_requested_format_is_never_negotiated(facts: Facts, fmt: str) -> None:
    formats = ("avif", "webp")
    params = Params(format=fmt)
    plans = {make_plan(facts, params, client, animation_formats=formats) for client in (NEITHER, BOTH, WEBP_FIRST)}

    assert {plan.format for plan in plans} == {fmt}
    assert len(plans) == 1


@pytest.mark.parametrize(
    ("facts", "params", "client", "expected"),
    [
        pytest.param(ANIMATION, Params(), BOTH, True, id="webp"),
        pytest.param(ANIMATION, Params(), NEITHER, True, id="gif"),
        pytest.param(ANIMATION, Params(format="webp"), NEITHER, True, id="webp requested"),
        pytest.param(ANIMATION, Params(format="jpeg"), NEITHER, False, id="jpeg implies still"),
        pytest.param(ANIMATION, Params(format="png"), NEITHER, False, id="png implies still"),
        pytest.param(ANIMATION, Params(format="avif", still=True), NEITHER, False, id="still avif requested"),
        pytest.param(ANIMATION, Params(still=True), BOTH, False, id="still requested"),
        pytest.param(ANIMATION, Params(still=True, format="gif"), BOTH, False, id="still gif requested"),
        pytest.param(PHOTO, Params(format="gif"), NEITHER, False, id="one frame"),
    ],
)
def test_frames_are_kept_when_the_format_supports_them(
    facts: Facts, params: Params, client: tuple[str, ...], expected: bool
) -> None:
    assert make_plan(facts, params, client).animated is expected


@pytest.mark.parametrize(
    ("facts", "fmt", "background", "expected"),
    [
        pytest.param(ALPHA_PNG, "jpeg", None, (255, 255, 255), id="white where alpha cannot be kept"),
        pytest.param(ALPHA_PNG, "jpeg", (0, 0, 0), (0, 0, 0), id="black is a colour"),
        pytest.param(ALPHA_PNG, "webp", None, None, id="alpha is kept"),
        pytest.param(ALPHA_PNG, "webp", (9, 9, 9), (9, 9, 9), id="alpha is laid on the colour requested"),
        pytest.param(PHOTO, "jpeg", (9, 9, 9), None, id="opaque pixels need no background"),
        pytest.param(ALPHA_PNG, "webp", (9, 9, 9, 128), (9, 9, 9, 128), id="a translucent colour is kept"),
        pytest.param(ALPHA_PNG, "webp", (0, 0, 0, 0), None, id="a fully transparent colour changes nothing"),
        pytest.param(
            ALPHA_PNG, "jpeg", (0, 0, 0, 0), (255, 255, 255), id="a fully transparent colour is white without alpha"
        ),
        pytest.param(
            ALPHA_PNG, "jpeg", (0, 100, 255, 51), (204, 224, 255), id="a translucent colour lies on white without alpha"
        ),
    ],
)
def test_transparent_pixels_are_composited_on_a_background(
    facts: Facts, fmt: str, background: RGB | RGBA | None, expected: RGB | RGBA | None
) -> None:
    assert make_plan(facts, Params(format=fmt, background=background)).background == expected


@pytest.mark.parametrize(
    ("width", "client", "expected"),
    [
        pytest.param(99, BOTH, "webp", id="below the minimum, client accepts both"),
        pytest.param(99, ("avif",), "avif", id="below the minimum, client accepts avif alone"),
        pytest.param(100, BOTH, "avif", id="minimum"),
        pytest.param(200, BOTH, "avif", id="maximum"),
        pytest.param(201, BOTH, "webp", id="above the maximum, client accepts both"),
        pytest.param(201, ("avif",), "avif", id="above the maximum, client accepts avif alone"),
        pytest.param(201, WEBP_FIRST, "webp", id="above the maximum, client prefers webp"),
    ],
)
def test_webp_comes_first_when_avif_costs_too_much(width: int, client: tuple[str, ...], expected: str) -> None:
    square = Facts("jpeg", (1000, 1000), frames=1, alpha=False)

    plan = make_plan(square, Params(width=width), client, avif_min_pixels=100 * 100, avif_max_pixels=200 * 200)

    assert plan.format == expected


@pytest.mark.parametrize(
    ("size", "client", "expected"),
    [
        pytest.param((16_383, 4000), WEBP_FIRST, "webp", id="longest edge of webp"),
        pytest.param((16_384, 4000), WEBP_FIRST, "avif", id="one pixel too long for webp"),
        pytest.param((16_385, 4000), BOTH, "jpeg", id="too long for avif and webp"),
    ],
)
def test_a_format_that_cannot_have_the_size_is_not_chosen(size: Size, client: tuple[str, ...], expected: str) -> None:
    plan = make_plan(replace(PHOTO, size=size), client=client, avif_max_pixels=10**9)

    assert (plan.format, plan.size) == (expected, size)


@pytest.mark.parametrize(
    ("fmt", "longest"),
    [("webp", 16_383), ("avif", 16_384), ("jpeg", 65_500), ("png", 65_500), ("gif", 65_500)],
)
def test_a_requested_format_is_refused_for_a_picture_with_longer_edges(fmt: str, longest: int) -> None:
    assert make_plan(replace(PHOTO, size=(longest, 10)), Params(format=fmt)).size == (longest, 10)
    with pytest.raises(InvalidParam, match=f"{longest:,} pixels an edge.* {longest + 1:,} x 10") as caught:
        make_plan(replace(PHOTO, size=(longest + 1, 10)), Params(format=fmt))
    assert caught.value.param == "fm"
    assert make_plan(replace(PHOTO, size=(longest + 1, 10)), Params(format=fmt, width=800)).size == (800, 1)


@pytest.mark.parametrize(
    ("facts", "params", "nearest"),
    [
        pytest.param(PHOTO, Params(), "jpeg", id="photograph"),
        pytest.param(replace(PHOTO, format="png", alpha=True), Params(), "png", id="alpha"),
        pytest.param(replace(PHOTO, format="png", alpha=True), Params(background=(1, 2, 3)), "jpeg", id="alpha on bg"),
        pytest.param(replace(PHOTO, format="gif"), Params(), "png", id="flat colours"),
        pytest.param(ANIMATION, Params(), "gif", id="animation"),
        pytest.param(ANIMATION, Params(still=True), "png", id="its still"),
    ],
)
def test_a_picture_that_is_too_long_for_webp_is_offered_in_another_format(
    facts: Facts, params: Params, nearest: str
) -> None:
    for edge, expected in ((16_384, nearest), (65_501, "")):
        with pytest.raises(InvalidParam) as caught:
            make_plan(replace(facts, size=(edge, 10)), replace(params, format="webp"))
        assert caught.value.nearest == expected


def test_a_placeholder_is_made_of_a_picture_of_any_size() -> None:
    assert make_plan(replace(PHOTO, size=(80_000, 10)), Params(format="lqip")).size == (64, 1)


def test_an_animation_too_long_for_webp_becomes_a_gif_if_the_url_names_no_format() -> None:
    assert make_plan(replace(ANIMATION, size=(16_384, 10)), client=("webp",)).format == "gif"


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(ANIMATION, id="animation"),
        pytest.param(replace(ANIMATION, frames=1, all_frames=400), id="animation that is shown as a still"),
    ],
)
def test_avif_is_refused_for_an_animation_where_the_setting_does_not_name_it(facts: Facts) -> None:
    with pytest.raises(InvalidParam, match="animation_formats") as caught:
        make_plan(facts, Params(format="avif"))
    assert (caught.value.param, caught.value.nearest) == ("fm", "webp")
    assert make_plan(facts, Params(format="avif"), animation_formats=("avif",)).animated == (facts.frames > 1)
    assert not make_plan(facts, Params(format="avif", still=True)).animated


@pytest.mark.parametrize(
    ("params", "size", "expected"),
    [
        pytest.param(Params(width=2000, enlarge=True), (10, 400), (50, 2000), id="computed edge is bounded"),
        pytest.param(Params(width=2000, enlarge=True), (1000, 500), (2000, 1000), id="up to the limit"),
        pytest.param(Params(width=2000, enlarge=True), (1000, 3000), (1000, 3000), id="longer source is not reduced"),
        pytest.param(
            Params(width=2000, height=2000, fit=Fit.FILL, enlarge=True), (10, 400), (2000, 2000), id="width and height"
        ),
        pytest.param(Params(), (3000, 3000), (3000, 3000), id="no params"),
    ],
)
def test_a_source_is_enlarged_to_the_largest_dimension_at_most(params: Params, size: Size, expected: Size) -> None:
    assert make_plan(replace(PHOTO, size=size), params, max_dimension=2000).size == expected


@pytest.mark.parametrize(
    ("facts", "params", "expected"),
    [
        pytest.param(PHOTO, PLAIN, True, id="no params"),
        pytest.param(PHOTO, Params(width=9000), True, id="a width beyond the source"),
        pytest.param(PHOTO, Params(q=20), True, id="a quality"),
        pytest.param(PHOTO, Params(format="jpeg"), True, id="its own format"),
        pytest.param(OPAQUE_PNG, PLAIN, True, id="png"),
        pytest.param(ALPHA_PNG, PLAIN, True, id="png with alpha"),
        pytest.param(PHOTO, Params(width=2724), False, id="one pixel smaller"),
        pytest.param(PHOTO, Params(format="webp"), False, id="another format"),
        pytest.param(OPAQUE_PNG, Params(format="jpeg"), False, id="png as jpeg"),
        pytest.param(ALPHA_PNG, Params(background=(0, 0, 0)), False, id="background under alpha"),
        pytest.param(PHOTO, Params(background=(0, 0, 0)), True, id="background of an opaque picture"),
        pytest.param(PHOTO, Params(turn=3), False, id="upside down"),
        pytest.param(PHOTO, Params(trim=0), False, id="trimmed"),
        pytest.param(PHOTO, Params(blur=1.0), False, id="blurred"),
        pytest.param(PHOTO, Params(sharpen=1.0), False, id="sharpened"),
        pytest.param(PHOTO, Params(crop=Crop(0, 0, 100, 100, relative=False)), False, id="cropped"),
        pytest.param(replace(PHOTO, format="gif"), PLAIN, True, id="gif"),
        pytest.param(replace(OPAQUE_PNG, frames=3), Params(still=True), False, id="first frame of an animated png"),
    ],
)
def test_the_originals_coding_may_be_sent_when_no_step_changes_its_pixels(
    facts: Facts, params: Params, expected: bool
) -> None:
    for client in (NEITHER, BOTH):
        assert make_plan(facts, params, client).rewrap is expected


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        pytest.param(BOTH, True, id="both"),
        pytest.param(("webp",), True, id="client accepts webp alone"),
        pytest.param(("avif",), False, id="client accepts avif alone"),
        pytest.param(NEITHER, False, id="neither"),
    ],
)
def test_the_coding_of_a_webp_may_be_sent_to_clients_that_accept_webp(client: tuple[str, ...], expected: bool) -> None:
    assert make_plan(replace(PHOTO, format="webp"), client=client).rewrap is expected


def test_the_coding_of_an_animation_may_be_sent_when_all_frames_are_kept() -> None:
    assert make_plan(ANIMATION).rewrap
    assert not make_plan(ANIMATION, Params(still=True)).rewrap
    assert not make_plan(ANIMATION, Params(format="webp")).rewrap


def test_a_field_of_a_plan_changes_pixels_unless_it_is_declared_beside_the_pixels() -> None:
    """A new step must not be lost because somebody forgot to extend a list."""
    changing = {field.name for field in fields(Plan)} - NOT_PIXELS
    assert {field.name for field in fields(Plan)} >= NOT_PIXELS
    plain = replace(make_plan(PHOTO), rewrap=False)
    values: dict[str, Any] = {"size": (9, 9), "crop": (0, 0, 9, 9), "turn": 3, "blur": 1.0, "sharpen": 1.0}
    for name in changing:
        assert changes_pixels(replace(plain, **{name: values.get(name, "anything else")}), PHOTO), name
