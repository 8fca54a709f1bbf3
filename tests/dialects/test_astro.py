import csv
from pathlib import Path

import pytest

from imgcdn.core.output.geometry import Fit, Smart
from imgcdn.core.output.plan import Plan, plan_for
from imgcdn.core.request.params import Params
from imgcdn.core.request.routes import Routes
from imgcdn.core.values import Source
from imgcdn.dialects.astro import matches, parse
from imgcdn.dialects.base import Target
from imgcdn.errors import Forbidden, ImgcdnError, InvalidParam
from tests.support.paths import ROOT
from tests.support.planning import BOTH, LIMITS, PHOTO, RULES

#: URLs that Astro's own build wrote, with the status and the size that each must get. Optional.
VECTORS = ROOT.parent / "shared" / "vectors" / "clients" / "astro.tsv"


def params_of(query: str) -> Params:
    return parse(Target.read(f"/_image?href=/a.jpg&{query}"), RULES).params


def plan_of(target: str) -> Plan:
    request = parse(Target.read(target), RULES)
    Routes([], []).route(request.source)
    return plan_for(PHOTO, request.params, BOTH, LIMITS)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/_image", True), ("/_image/", True), ("/_image/a.jpg", False), ("/_images", False), ("/x/_image", False)],
)
def test_a_path_belongs_to_the_dialect_or_not(path: str, expected: bool) -> None:
    assert matches(Target.read(path)) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", Params(), id="nothing asked"),
        pytest.param("w=300", Params(width=300), id="width"),
        pytest.param("h=200", Params(height=200), id="height"),
        pytest.param("w=300&h=200", Params(width=300, height=200), id="a box without fit"),
        pytest.param("w=300&h=200&fit=", Params(width=300, height=200), id="an empty fit is absent"),
        pytest.param("w=300&h=200&fit=cover", Params(width=300, height=200, fit=Fit.COVER), id="cover"),
        pytest.param("w=300&h=200&fit=contain", Params(width=300, height=200), id="contain"),
        pytest.param("w=300&h=200&fit=inside", Params(width=300, height=200), id="inside"),
        pytest.param("w=300&h=200&fit=scale-down", Params(width=300, height=200), id="scale-down"),
        pytest.param("w=300&h=200&fit=fill", Params(width=300, height=200, fit=Fit.FILL), id="fill"),
        pytest.param("w=300&h=200&fit=none", Params(width=300, height=200, fit=Fit.OUTSIDE), id="none"),
        pytest.param("f=webp", Params(format="webp"), id="webp"),
        pytest.param("f=jpg", Params(format="jpeg"), id="jpg"),
        pytest.param("q=60", Params(q=60), id="a number"),
        pytest.param("q=low", Params(q=25), id="low"),
        pytest.param("q=mid", Params(q=50), id="mid"),
        pytest.param("q=high", Params(q=80), id="high"),
        pytest.param("q=max", Params(q=100), id="max"),
        pytest.param("position=top+left", Params(position=(0, 0)), id="a pair"),
        pytest.param("position=attention", Params(position=Smart.SUBJECT), id="a strategy of sharp"),
        pytest.param("background=%23ff0000", Params(background=(255, 0, 0)), id="digits with #"),
        pytest.param("background=Red", Params(background=(255, 0, 0)), id="a name"),
        pytest.param("background=transparent", Params(background=(0, 0, 0, 0)), id="transparent"),
        pytest.param("loading=lazy&w=9&w=7", Params(width=9), id="others and repetitions are ignored"),
        pytest.param("w=&h=9", Params(height=9), id="an empty value is absent"),
    ],
)
def test_a_query_is_read_as_astro_reads_it(query: str, expected: Params) -> None:
    assert params_of(query) == expected


@pytest.mark.parametrize(
    ("query", "param"),
    [
        pytest.param("w=wide", "w", id="a width"),
        pytest.param("w=99999", "w", id="a width beyond all"),
        pytest.param("q=best", "q", id="a quality"),
        pytest.param("q=auto", "q", id="a quality of the native grammar"),
        pytest.param("q=0", "q", id="a quality below all"),
        pytest.param("f=svg", "f", id="svg"),
        pytest.param("f=auto", "f", id="a format of the native grammar"),
        pytest.param("f=%ff", "f", id="a format that is not UTF-8"),
        pytest.param("fit=stretch", "fit", id="a fit"),
        pytest.param("position=here", "position", id="a position"),
        pytest.param("background=rebeccapurple", "background", id="a colour that has to be written in digits"),
    ],
)
def test_a_mistake_is_400_and_has_the_name_in_the_url(query: str, param: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        params_of(query)

    assert (caught.value.status, caught.value.param) == (400, param)
    assert caught.value.detail.startswith(f"{param} ")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("q=best", "q must be an integer from 1 to 100, or low, mid, high, max", id="q"),
        pytest.param("f=tiff", "f must be one of avif, webp, jpeg, png, gif, jpg", id="f"),
        pytest.param(
            "background=%23ggg",
            "background must be #RGB, #RRGGBB, #RRGGBBAA or a basic colour of CSS such as navy",
            id="background",
        ),
        pytest.param("fit=covr", "fit must be one of", id="fit"),
    ],
)
def test_a_message_lists_what_this_dialect_accepts(query: str, expected: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        params_of(query)

    assert caught.value.detail.startswith(expected)


@pytest.mark.parametrize("href", ["%2F", "https%3A%2F%2F", "a%00b.jpg", "%ff.jpg", "%25ff.jpg"])
def test_a_source_that_does_not_parse_is_named_as_in_the_url(href: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        parse(Target.read(f"/_image?href={href}"), RULES)

    assert (caught.value.param, caught.value.detail.partition(" ")[0]) == ("href", "href")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("href=/a.jpg", Source("local", "a.jpg"), id="a path"),
        pytest.param("href=a.jpg", Source("local", "a.jpg"), id="without a slash"),
        pytest.param("href=%2Fimages%2Fphoto+one.jpg", Source("local", "images/photo one.jpg"), id="a space"),
        pytest.param("href=%2Fa%2520b.jpg", Source("local", "a b.jpg"), id="a path that is encoded itself"),
    ],
)
def test_href_names_the_source(query: str, expected: Source) -> None:
    assert parse(Target.read(f"/_image?{query}"), RULES).source == expected


def test_a_missing_href_is_named() -> None:
    with pytest.raises(InvalidParam, match=r"href is required: /_image\?href="):
        parse(Target.read("/_image?w=9"), RULES)


def test_a_source_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(Forbidden):
        plan_of("/_image?href=https%3A%2F%2Fa.test%2Fb.jpg")


def test_nothing_is_enlarged_and_the_ratio_that_was_asked_for_is_kept() -> None:
    assert plan_of("/_image?href=/a.jpg&w=4000&h=4000&fit=cover").size == (2225, 2225)


def _fits(size: tuple[int, int], expected: str) -> bool:
    """Compare with a cell of the table: `WxH`, `~WxH` within a pixel, `*` for any."""
    if expected == "*":
        return True
    width, _, height = expected.lstrip("~").partition("x")
    slack = 1 if expected.startswith("~") else 0
    return abs(size[0] - int(width)) <= slack and abs(size[1] - int(height)) <= slack


def _rows(table: Path) -> list[tuple[str, int, str]]:
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return [(row["target"], int(row["status"]), row["size"]) for row in csv.DictReader(file, delimiter="\t")]


if VECTORS.is_file():

    @pytest.mark.parametrize(("target", "status", "size"), _rows(VECTORS))
    def test_the_urls_of_a_real_build_get_what_they_must(target: str, status: int, size: str) -> None:
        if status == 200:
            assert _fits(plan_of(target).size, size)
        else:
            with pytest.raises(ImgcdnError) as caught:
                plan_of(target)
            assert caught.value.status == status
