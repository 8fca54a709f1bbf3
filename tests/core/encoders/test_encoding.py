from dataclasses import replace

import pytest

from imgcdn.core.encoders.encoding import (
    Encoding,
    graphic_encodings,
    photograph_encoding,
    quick_encoding,
    textured_encoding,
    tiny_encodings,
)
from imgcdn.core.output.geometry import Size
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, Facts
from tests.support.planning import (
    ALPHA_PNG,
    ANIMATION,
    BOTH,
    FAST,
    NEITHER,
    PHOTO,
    THOROUGH,
    WEBP_FIRST,
    make_plan,
)


@pytest.mark.parametrize(
    ("fmt", "q", "expected"),
    [
        pytest.param("jpeg", 75, Encoding("jpeg", "jpeg", 75, full_chroma=False), id="jpeg"),
        pytest.param("jpeg", 89, Encoding("jpeg", "jpeg", 89, full_chroma=False), id="jpeg, just below full chroma"),
        pytest.param("jpeg", 90, Encoding("jpeg", "jpeg", 90, full_chroma=True), id="jpeg with full chroma"),
        pytest.param("webp", 75, Encoding("webp", "webp", 80, full_chroma=False, speed=2), id="webp"),
        pytest.param(
            "webp", 95, Encoding("webp", "webp", 97, full_chroma=False, speed=2), id="webp never has full chroma"
        ),
        pytest.param(
            "avif", 75, Encoding("avif", "aom", 55, full_chroma=True, speed=9), id="avif has full chroma at any q"
        ),
        pytest.param("png", 30, Encoding("png", "png", None, full_chroma=False), id="png has no quality"),
        pytest.param("png", 95, Encoding("png", "png", None, full_chroma=False), id="png at any q"),
        pytest.param("gif", 95, Encoding("gif", "gif", None, full_chroma=False), id="gif has no quality"),
        pytest.param("jpeg", None, Encoding("jpeg", "jpeg", None, full_chroma=False, target=75), id="jpeg, auto"),
        pytest.param(
            "webp", None, Encoding("webp", "webp", None, full_chroma=False, target=75, speed=2), id="webp, auto"
        ),
        pytest.param(
            "avif", None, Encoding("avif", "aom", None, full_chroma=True, target=75, speed=9), id="avif, auto"
        ),
        pytest.param("png", None, Encoding("png", "png", None, full_chroma=False), id="png, auto"),
        pytest.param("gif", None, Encoding("gif", "gif", None, full_chroma=False), id="gif, auto"),
    ],
)
def test_q_sets_the_encoder(fmt: str, q: int | None, expected: Encoding) -> None:
    assert photograph_encoding(make_plan(PHOTO, Params(format=fmt, q=q)), FAST) == expected


@pytest.mark.parametrize(
    ("size", "q", "expected"),
    [
        pytest.param((5000, 4000), 75, ("aom", True), id="largest that is negotiated"),
        pytest.param((5000, 4001), 75, ("svt", False), id="larger"),
        pytest.param((5000, 4001), 90, ("aom", True), id="larger, with full chroma"),
        pytest.param((1, 1), 75, ("aom", True), id="tiny"),
    ],
)
def test_a_large_avif_that_a_url_requests_is_made_by_the_faster_encoder(
    size: Size, q: int, expected: tuple[str, bool]
) -> None:
    encoding = photograph_encoding(make_plan(replace(PHOTO, size=size), Params(format="avif", q=q)), FAST)

    assert (encoding.encoder, encoding.full_chroma) == expected


@pytest.mark.parametrize(
    ("size", "fmt", "expected"),
    [
        pytest.param((1000, 500), "avif", (Effort.THOROUGH, 5), id="avif with time"),
        pytest.param((2000, 2000), "avif", (Effort.THOROUGH, 7), id="avif with less time per pixel"),
        pytest.param((5000, 4000), "avif", (Effort.FAST, 9), id="avif with no time: as in fast"),
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
    encoding = photograph_encoding(make_plan(replace(PHOTO, size=size), Params(format=fmt)), THOROUGH)

    assert (encoding.effort, encoding.speed) == expected


def test_a_wider_budget_makes_thorough_encoders_slower() -> None:
    plan = make_plan(replace(PHOTO, size=(800, 500)), Params(format="avif"))
    budgets = [replace(THOROUGH, s_per_megapixel=seconds) for seconds in (0.05, 0.5, 1.0, 6.0, 60.0)]

    assert [photograph_encoding(plan, budget).speed for budget in budgets] == [9, 8, 7, 5, 5]
    assert photograph_encoding(plan, replace(FAST, s_per_megapixel=60.0)).speed == 9


@pytest.mark.parametrize("fmt", ["webp", "gif"])
def test_an_animation_is_always_encoded_fast(fmt: str) -> None:
    plan = make_plan(ANIMATION, Params(format=fmt))

    assert photograph_encoding(plan, THOROUGH) == photograph_encoding(plan, FAST)


LOSSLESS_WEBP = Encoding("webp", "webp", None, full_chroma=False)
LOSSY_WEBP = Encoding("webp", "webp", 80, full_chroma=False, speed=2)
FULL_AVIF = Encoding("avif", "aom", 69, full_chroma=True, speed=8)
FINEST_AVIF = Encoding("avif", "aom", 86, full_chroma=True, speed=8)
PHOTO_AVIF = Encoding("avif", "aom", 55, full_chroma=True, speed=9)
FULL_JPEG = Encoding("jpeg", "jpeg", 75, full_chroma=True)
PLAIN_PNG = Encoding("png", "png", None, full_chroma=False)


@pytest.mark.parametrize(
    ("facts", "params", "client", "expected"),
    [
        pytest.param(PHOTO, Params(width=640), BOTH, (LOSSLESS_WEBP, FULL_AVIF), id="client prefers avif to webp"),
        pytest.param(
            PHOTO, Params(width=640), WEBP_FIRST, (LOSSLESS_WEBP, FULL_AVIF), id="client prefers webp to avif"
        ),
        pytest.param(PHOTO, Params(width=100), BOTH, (LOSSLESS_WEBP, FULL_AVIF), id="below avif_min_pixels"),
        pytest.param(PHOTO, Params(width=640), ("webp",), (LOSSLESS_WEBP, LOSSY_WEBP), id="client accepts webp alone"),
        pytest.param(PHOTO, Params(width=640), ("avif",), (PLAIN_PNG, FULL_AVIF), id="client accepts avif alone"),
        pytest.param(PHOTO, Params(width=640), NEITHER, (PLAIN_PNG, FULL_JPEG), id="client accepts neither"),
        pytest.param(ALPHA_PNG, Params(width=640), NEITHER, None, id="client accepts neither, with alpha"),
        pytest.param(PHOTO, Params(width=640, format="avif"), BOTH, (FULL_AVIF,), id="avif requested"),
        pytest.param(PHOTO, Params(width=640, format="webp"), BOTH, (LOSSLESS_WEBP, LOSSY_WEBP), id="webp requested"),
        pytest.param(PHOTO, Params(width=640, format="jpeg"), BOTH, (FULL_JPEG,), id="jpeg requested"),
        pytest.param(PHOTO, Params(width=640, format="png"), BOTH, None, id="png requested"),
        pytest.param(PHOTO, Params(width=640, format="gif"), BOTH, None, id="gif requested"),
        pytest.param(PHOTO, Params(width=640, format="jpeg", q=90), BOTH, None, id="jpeg that has full chroma already"),
        pytest.param(PHOTO, Params(width=640, format="avif", q=95), BOTH, (FINEST_AVIF,), id="avif of a high quality"),
        pytest.param(
            PHOTO,
            Params(width=1550),
            BOTH,
            (LOSSLESS_WEBP, PHOTO_AVIF),
            id="too large for avif with full chroma beside webp",
        ),
        pytest.param(
            PHOTO, Params(width=1550, format="avif"), BOTH, (FULL_AVIF,), id="not too large for that avif alone"
        ),
        pytest.param(PHOTO, Params(width=2000, format="avif"), BOTH, None, id="too large for avif with full chroma"),
        pytest.param(replace(PHOTO, size=(5000, 4000)), Params(), BOTH, None, id="too large for a second encoding"),
        pytest.param(
            replace(PHOTO, size=(16_384, 100)), Params(), BOTH, (PLAIN_PNG, PHOTO_AVIF), id="too long for webp"
        ),
        pytest.param(
            ANIMATION, Params(still=True), ("webp",), (LOSSLESS_WEBP, LOSSY_WEBP), id="first frame of an animation"
        ),
    ],
)
def test_a_graphic_has_other_encodings_that_the_client_can_show(
    facts: Facts, params: Params, client: tuple[str, ...], expected: tuple[Encoding, ...] | None
) -> None:
    plan = make_plan(facts, params, client)

    assert graphic_encodings(plan, FAST) == (expected or (photograph_encoding(plan, FAST),))


def test_every_encoding_of_a_graphic_has_a_format_that_the_plan_names() -> None:
    for client in (NEITHER, BOTH, WEBP_FIRST, ("avif",), ("webp",)):
        for width in (50, 640, 1550, 2725):
            plan = make_plan(PHOTO, Params(width=width), client)
            formats = {encoding.format for encoding in graphic_encodings(plan, FAST)}
            assert formats <= {plan.format, *plan.others}
            assert set(plan.others) <= formats


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        pytest.param("aom", Encoding("avif", "aom", 60, full_chroma=True, speed=9), id="aom writes avif, in 4:4:4"),
        pytest.param("svt", Encoding("avif", "svt", 60, full_chroma=False, speed=8), id="svt writes avif, in 4:2:0"),
        pytest.param("webp", Encoding("webp", "webp", 60, full_chroma=False, speed=2), id="webp"),
        pytest.param("jpeg", Encoding("jpeg", "jpeg", 60, full_chroma=False), id="jpeg has no speed"),
    ],
)
def test_the_quickest_encoding_has_the_quality_of_its_encoder(encoder: str, expected: Encoding) -> None:
    assert quick_encoding(encoder, 60) == expected


@pytest.mark.parametrize(
    ("size", "textured_share", "speed"),
    [
        pytest.param((640, 400), 0.1, 8, id="smooth"),
        pytest.param((640, 400), 0.5, 9, id="textured"),
        pytest.param((300, 200), 0.5, 9, id="textured and small"),
        pytest.param((640, 400), 0.3, 9, id="too much of it is textured"),
        pytest.param((400, 300), 0.45, 8, id="half smooth and small"),
        pytest.param((3000, 2000), 0.1, 9, id="smooth and large"),
    ],
)
def test_smooth_pictures_get_more_time(size: Size, textured_share: float, speed: int) -> None:
    planned = Encoding("avif", "aom", 55, full_chroma=True, speed=9)
    assert textured_encoding(planned, size, textured_share).speed == speed


def test_a_thorough_encoding_stays_as_slow_as_it_is() -> None:
    planned = Encoding("avif", "aom", 55, full_chroma=True, speed=6, effort=Effort.THOROUGH)
    assert textured_encoding(planned, (640, 400), 0.0) == planned


@pytest.mark.parametrize(
    ("client", "formats"),
    [
        pytest.param(BOTH, ["webp", "webp"], id="avif and webp"),
        pytest.param(NEITHER, ["jpeg", "png"], id="neither"),
    ],
)
def test_a_tiny_picture_is_also_tried_without_loss(client: tuple[str, ...], formats: list[str]) -> None:
    plan = make_plan(PHOTO, Params(width=40), client)
    lossy, lossless = tiny_encodings(plan, FAST)
    assert [lossy.format, lossless.format] == formats
    assert lossy.quality is not None
    assert lossless.quality is None
