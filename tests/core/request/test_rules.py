from dataclasses import replace

import pytest

from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.params import Params, collect
from imgcdn.core.request.rules import Rules, parse_preset
from imgcdn.core.request.widths import WidthPolicy, Widths
from imgcdn.errors import InvalidParam
from tests.support.planning import RULES

THUMB = parse_preset("thumb", "w=200&h=200&fit=cover")
CARD = parse_preset("card", "width=600&q=60&dpr=2")
WITH_PRESETS = replace(RULES, presets=(THUMB, CARD))
CLOSED = replace(WITH_PRESETS, only_presets=True)


def params_of(rules: Rules, **arguments: str) -> Params:
    return rules.params(collect([("url", "/a.jpg"), *arguments.items()]))


def error_of(rules: Rules, **arguments: str) -> InvalidParam:
    with pytest.raises(InvalidParam) as caught:
        params_of(rules, **arguments)
    return caught.value


def test_a_preset_stands_for_its_parameters() -> None:
    assert params_of(WITH_PRESETS, p="thumb") == Params(width=200, height=200, fit=Fit.COVER)
    assert params_of(WITH_PRESETS, p="card") == Params(width=1200, q=60)


def test_the_url_takes_precedence_over_the_preset() -> None:
    assert params_of(WITH_PRESETS, p="thumb", width="90", fm="png") == Params(90, 200, Fit.COVER, format="png")
    assert params_of(WITH_PRESETS, p="card", dpr="1").width == 600


def test_an_unknown_preset_is_refused_with_the_nearest_name() -> None:
    error = error_of(WITH_PRESETS, p="thum")

    assert (error.param, error.nearest) == ("p", "thumb")
    assert "p must be one of thumb, card" in error.detail


def test_p_is_refused_when_no_presets_are_configured() -> None:
    assert error_of(RULES, p="thumb").param == "p"


@pytest.mark.parametrize(
    "arguments",
    [
        {"p": "thumb"},
        {"p": "card", "v": "7", "dl": "a.png"},
        {"p": "card", "exp": "9", "kid": "k", "s": "x"},
    ],
    ids=["preset", "preset, version and download", "preset and signature"],
)
def test_the_policy_presets_admits_these_requests(arguments: dict[str, str]) -> None:
    assert params_of(CLOSED, **arguments) == params_of(WITH_PRESETS, **arguments)


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        pytest.param({}, "p", id="url alone, which asks for the full size"),
        pytest.param({"w": "200"}, "w", id="width"),
        pytest.param({"p": "thumb", "width": "9"}, "w", id="preset and another parameter"),
        pytest.param({"p": "thumb", "fm": "png"}, "fm", id="format"),
    ],
)
def test_the_policy_presets_refuses_everything_else(arguments: dict[str, str], param: str) -> None:
    error = error_of(CLOSED, **arguments)

    assert error.param == param
    assert "p=thumb, p=card" in error.detail


def test_widths_are_snapped_after_they_are_multiplied_by_dpr() -> None:
    rules = replace(RULES, widths=Widths(WidthPolicy.SNAP, (320, 640)))

    assert (params_of(rules, w="300", h="100", dpr="2").width, params_of(rules, h="100").height) == (640, 320)


def test_the_error_about_a_width_names_the_parameter_and_dpr() -> None:
    error = error_of(replace(RULES, widths=Widths(WidthPolicy.STRICT, (320, 640))), h="310", dpr="2")

    assert (error.param, error.nearest) == ("h", "320")
    assert error.detail == "h times dpr must be one of 320, 640"


@pytest.mark.parametrize("policy", WidthPolicy)
def test_the_edges_of_a_preset_need_not_be_in_the_ladder(policy: WidthPolicy) -> None:
    rules = replace(WITH_PRESETS, widths=Widths(policy, (256, 480)))

    assert (params_of(rules, p="thumb").width, params_of(rules, p="thumb").height) == (200, 200)
    assert params_of(rules, p="card").width == 1200  # its own dpr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param({"p": "thumb", "w": "90"}, (256, 200), id="a width in the URL"),
        pytest.param({"p": "thumb", "h": "300"}, (200, 480), id="a height in the URL"),
        pytest.param({"p": "thumb", "dpr": "1.01"}, (256, 256), id="a dpr in the URL, which multiplies both"),
        pytest.param({"p": "card", "w": "200"}, (480, None), id="a width in the URL, times the dpr of the preset"),
    ],
)
def test_what_a_url_changes_in_a_preset_follows_the_ladder(
    arguments: dict[str, str], expected: tuple[int, int | None]
) -> None:
    params = params_of(replace(WITH_PRESETS, widths=Widths(WidthPolicy.SNAP, (256, 480))), **arguments)

    assert (params.width, params.height) == expected


def test_strict_refuses_what_a_url_changes_in_a_preset() -> None:
    strict = replace(WITH_PRESETS, widths=Widths(WidthPolicy.STRICT, (256, 480)))

    assert error_of(strict, p="thumb", w="90").param == "w"
    assert error_of(strict, p="thumb", h="90").param == "h"
    assert error_of(strict, p="thumb", dpr="1.5").detail == "w times dpr must be one of 256, 480"


@pytest.mark.parametrize(
    ("name", "query", "param"),
    [
        pytest.param("", "w=9", "a preset's name", id="no name"),
        pytest.param("a b", "w=9", "a preset's name", id="a space in the name"),
        pytest.param("x" * 65, "w=9", "a preset's name", id="a long name"),
        pytest.param("a", "w=wide", "w", id="a value out of range"),
        pytest.param("a", "wdth=9", "wdth", id="an unknown parameter"),
        pytest.param("a", "w=9&width=9", "width", id="a parameter given twice"),
        pytest.param("a", "w", "w", id="a parameter without a value"),
        pytest.param("a", "url=/a.jpg", "url", id="a source"),
        pytest.param("a", "p=b", "p", id="another preset"),
        pytest.param("a", "v=1", "v", id="a version"),
        pytest.param("a", "dl=a", "dl", id="a download"),
        pytest.param("a", "exp=9", "exp", id="an expiry"),
        pytest.param("a", "s=x", "s", id="a signature"),
    ],
)
def test_an_invalid_preset_is_refused(name: str, query: str, param: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        parse_preset(name, query)

    assert caught.value.param == param


def test_a_preset_may_be_empty() -> None:
    assert parse_preset("plain", "").arguments == ()
