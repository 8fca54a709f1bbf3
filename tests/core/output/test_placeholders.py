from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.output.formats import PLACEHOLDERS
from imgcdn.core.output.geometry import Fit, Frame, Framing, Size, frame, reduce_frame
from imgcdn.core.output.placeholders import COPY_EDGE, drop_irrelevant
from imgcdn.core.output.plan import Plan, plan_for, resolve_trim
from imgcdn.core.request.params import WHITE, Params
from imgcdn.core.values import Facts
from imgcdn.dialects.base import Target
from imgcdn.dialects.native import parse
from tests.support.planning import LIMITS, RULES

PHOTO = Facts("jpeg", (3000, 2000), frames=1, alpha=False)
CUT_OUT = Facts("png", (3000, 2000), frames=1, alpha=True)
ANIMATION = Facts("gif", (600, 400), frames=12, alpha=True)


def make_plan(query: str, fm: str = "lqip", facts: Facts = PHOTO, client: tuple[str, ...] = ()) -> Plan:
    params = parse(Target.read(f"/img/a.jpg?fm={fm}&{query}".rstrip("&")), RULES).params
    return plan_for(facts, params, client, LIMITS)


@pytest.mark.parametrize("fm", PLACEHOLDERS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("q=10", "", id="q"),
        pytest.param("blur=20&sharpen=3", "", id="blur and sharpen"),
        pytest.param("w=40", "w=4000", id="only a width"),
        pytest.param("w=40&h=400", "", id="contain box"),
        pytest.param("enlarge=1&dpr=3&still=1", "", id="enlarge, dpr, still"),
        pytest.param("w=30&h=30&fit=cover", "w=3000&h=3000&fit=cover&q=5", id="size of a box"),
        pytest.param("w=16&h=9&fit=cover", "w=1920&h=1080&fit=cover", id="small and large box"),
        pytest.param("w=1500&h=1000&fit=cover&position=left", "", id="box of the picture's own ratio"),
        pytest.param("w=40&h=40&fit=fill&enlarge=1", "w=400&h=400&fit=fill", id="size of a stretched picture"),
        pytest.param("w=200&h=200&fit=pad", "w=400&h=400&fit=pad", id="size of a margin"),
        pytest.param("trim=3&w=200", "trim=3&w=400&q=9", id="size of a trimmed picture"),
        pytest.param("rotate=180&flip=hv", "", id="turned and turned back"),
        pytest.param("bg=f00", "", id="background of an opaque picture"),
    ],
)
def test_params_that_do_not_change_a_placeholder_are_not_in_its_plan(fm: str, one: str, other: str) -> None:
    assert make_plan(one, fm) == make_plan(other, fm)


@pytest.mark.parametrize("fm", PLACEHOLDERS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("crop=0,0,99,99", "", id="crop"),
        pytest.param("trim=3", "", id="trim"),
        pytest.param("rotate=90", "rotate=270", id="rotate"),
        pytest.param("flip=h", "", id="flip"),
        pytest.param("w=30&h=30&fit=cover", "", id="shape of a box"),
        pytest.param("w=30&h=30&fit=cover", "w=30&h=30&fit=cover&position=left", id="position"),
        pytest.param("w=30&h=30&fit=fill", "w=30&h=30&fit=cover", id="stretched and cropped"),
        pytest.param("w=30&h=30&fit=pad&bg=000", "w=30&h=30&fit=pad&bg=fff", id="colour of a margin"),
    ],
)
def test_params_that_change_a_placeholder_are_in_its_plan(fm: str, one: str, other: str) -> None:
    assert make_plan(one, fm) != make_plan(other, fm)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param((1920, 1080), (64, 36), id="reduced"),
        pytest.param((16, 9), (64, 36), id="enlarged"),
        pytest.param((1080, 1920), (36, 64), id="upright"),
        pytest.param((50, 50), (64, 64), id="square"),
        pytest.param((3, 100), (3, 100), id="a shape that no smaller box has"),
        pytest.param((30, 20), (66, 44), id="a shape that the copy's edge does not divide"),
    ],
)
def test_a_box_becomes_the_smallest_one_of_its_shape_that_is_not_smaller_than_the_copy(
    box: Size, expected: Size
) -> None:
    for fit in (Fit.COVER, Fit.FILL):
        dropped = drop_irrelevant(Params(width=box[0], height=box[1], fit=fit, enlarge=True))
        assert dropped == Params(width=expected[0], height=expected[1], fit=fit)


def test_each_placeholder_has_one_plan_for_all_clients() -> None:
    plans = {make_plan("", fm, client=client) for fm in PLACEHOLDERS for client in ((), ("avif", "webp"))}
    assert {plan.format for plan in plans} == set(PLACEHOLDERS)
    assert len(plans) == len(PLACEHOLDERS)


@pytest.mark.parametrize(
    ("query", "size"),
    [
        pytest.param("", (64, 43), id="the picture's ratio"),
        pytest.param("rotate=90", (43, 64), id="turned"),
        pytest.param("w=1920&h=1080&fit=cover", (64, 36), id="cropped to a box"),
        pytest.param("w=10&h=10&fit=fill", (64, 64), id="stretched to a small box"),
        pytest.param("crop=0,0,30,10", (30, 10), id="crop smaller than the limit"),
        pytest.param("w=8192&h=8192&fit=pad", (64, 64), id="padded"),
    ],
)
def test_the_copy_is_small_and_has_the_ratio_of_the_picture(query: str, size: Size) -> None:
    assert make_plan(query).size == size


def test_a_margin_has_the_same_proportion_as_in_the_picture() -> None:
    assert make_plan("w=400&h=400&fit=pad").place == (0, 11, 64, 53)
    # Without enlarge, a small picture has a large margin.
    small = replace(PHOTO, size=(100, 100))
    assert make_plan("w=400&h=400&fit=pad", facts=small).place == (24, 24, 40, 40)
    assert make_plan("w=400&h=400&fit=pad&enlarge=1", facts=small).place is None


def test_a_trimmed_picture_is_reduced_too() -> None:
    plan = resolve_trim(make_plan("trim=3&w=600&h=600&fit=pad"), (3000, 2000), (0, 0, 1000, 2000))
    assert (plan.size, plan.place) == ((64, 64), (16, 0, 48, 64))


def test_only_json_describes_the_original() -> None:
    assert {fm: make_plan("", fm).original for fm in PLACEHOLDERS} == {
        "blurhash": None,
        "thumbhash": None,
        "lqip": None,
        "json": PHOTO,
    }


@pytest.mark.parametrize(
    ("fm", "background"), [("blurhash", WHITE), ("thumbhash", None), ("lqip", None), ("json", None)]
)
def test_transparency_is_kept_when_the_placeholder_supports_it(fm: str, background: tuple[int, ...] | None) -> None:
    assert make_plan("", fm, CUT_OUT).background == background
    assert make_plan("bg=102030", fm, CUT_OUT).background == (16, 32, 48)


@pytest.mark.parametrize("fm", PLACEHOLDERS)
def test_a_placeholder_of_an_animation_shows_its_first_frame(fm: str) -> None:
    assert not make_plan("", fm, ANIMATION).animated


@pytest.mark.parametrize("fm", PLACEHOLDERS)
def test_its_colours_are_srgb_even_when_pictures_keep_their_profile(fm: str) -> None:
    plan = plan_for(PHOTO, Params(format=fm), (), replace(LIMITS, keep_profile=True))
    assert not plan.keep_profile


edges = st.integers(1, 9000)
sizes = st.tuples(edges, edges)


@given(source=sizes, box=sizes, enlarge=st.booleans(), position=st.tuples(st.integers(0, 100), st.integers(0, 100)))
def test_a_reduced_frame_is_within_its_limit_and_keeps_a_pixel(
    source: Size, box: Size, enlarge: bool, position: tuple[int, int]
) -> None:
    framing = Framing(target=box, fit=Fit.PAD, position=position, enlarge=enlarge)
    framed: Frame = reduce_frame(frame(source, framing, max_edge=9000), COPY_EDGE)
    width, height = framed.size
    assert max(width, height) <= COPY_EDGE
    left, top, right, bottom = framed.place or (0, 0, width, height)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
