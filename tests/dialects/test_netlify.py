from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcdn.core.output.geometry import Fit, Size, plan_resize
from imgcdn.core.request.params import Params
from imgcdn.core.request.routes import Routes
from imgcdn.core.values import Source
from imgcdn.dialects import find, native
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.dialects.netlify import matches, parse, status_of
from imgcdn.errors import Forbidden, InvalidParam
from tests.support.planning import RULES

ENDPOINT = "/.netlify/images"


def request_of(query: str) -> ImageRequest:
    """Read and route a target, with no mounts and an empty allowlist."""
    request = parse(Target.read(f"{ENDPOINT}?{query}"), RULES)
    return replace(request, source=Routes([], []).route(request.source))


def params_of(query: str) -> Params:
    return request_of(f"url=/a.jpg&{query}").params


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/.netlify/images", True),
        ("/.netlify/images/", True),
        ("/.netlify/images/a.jpg", False),
        ("/.netlify/imagesx", False),
        ("/.netlify", False),
        ("/.Netlify/images", False),
        ("/x/.netlify/images", False),
    ],
)
def test_the_grammar_matches_these_paths_only(path: str, expected: bool) -> None:
    assert matches(Target.read(path)) is expected
    assert (find(Target.read(path)) is not None) is expected


def test_a_trailing_slash_changes_nothing() -> None:
    assert parse(Target.read(f"{ENDPOINT}/?url=a.jpg&w=9"), RULES) == request_of("url=a.jpg&w=9")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("w=300", id="width"),
        pytest.param("h=200&q=60", id="height and quality"),
        pytest.param("width=300&height=200&quality=50", id="aliases"),
        pytest.param("w=300&h=200&fit=cover&position=left&fm=webp", id="everything"),
        pytest.param("fm=jpeg", id="jpeg"),
        pytest.param("fm=jpg", id="jpg"),
        pytest.param("format=avif", id="format"),
        pytest.param("fm=auto", id="auto"),
    ],
)
def test_the_same_params_in_both_grammars_are_one_request(query: str) -> None:
    assert request_of(f"url=/a.jpg&{query}") == native.parse(Target.read(f"/img?url=/a.jpg&{query}"), RULES)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("fit=inside", Params(), id="inside means contain"),
        pytest.param("fit=outside", Params(fit=Fit.OUTSIDE), id="outside"),
        pytest.param("position=centre", Params(), id="centre in British spelling"),
        pytest.param("position=left,top", Params(position=(0, 0)), id="pair"),
        pytest.param("position=left%2Ctop", Params(position=(0, 0)), id="pair, comma encoded"),
        pytest.param("position=bottom,right", Params(position=(100, 100)), id="pair in the other order"),
        pytest.param("position=right+top", Params(position=(100, 0)), id="pair as in CSS"),
        pytest.param("position=left,%20center", Params(position=(0, 50)), id="pair with a centre"),
        pytest.param("w=5&w=9", Params(width=5), id="the first of two"),
        pytest.param("width=5&w=9", Params(width=9), id="a name takes precedence over its alias"),
        pytest.param("w=&width=9", Params(), id="an empty name takes precedence over its alias"),
        pytest.param("w=&h&q=&fit=&position=&fm=", Params(), id="an empty value counts as absent"),
        pytest.param("blur=5&rotate=90&background=%23ff0000&cd=d1g3st", Params(), id="unknown"),
        pytest.param(
            "dpr=2&bg=fff&enlarge=1&still=1&v=7&w=9", Params(width=9), id="parameters of the native grammar are ignored"
        ),
        pytest.param("W=5&Fit=cover", Params(), id="names in upper case"),
        pytest.param("x=%ff&%ff=1&=&&", Params(), id="ignored parameters need not be text"),
        pytest.param("%77=7", Params(width=7), id="encoded name"),
    ],
)
def test_parameters_are_read_as_netlify_reads_them(query: str, expected: Params) -> None:
    assert params_of(query) == expected


@pytest.mark.parametrize(
    ("query", "param"),
    [
        pytest.param("w=0", "w", id="zero width"),
        pytest.param("w=-5", "w", id="negative width"),
        pytest.param("w=300.5", "w", id="half a pixel"),
        pytest.param("w=300px", "w", id="width with a unit"),
        pytest.param("width=wide", "w", id="a word for a number"),
        pytest.param("h=8193", "h", id="height out of range"),
        pytest.param("q=0", "q", id="zero quality"),
        pytest.param("q=101", "q", id="quality above its range"),
        pytest.param("q=high", "q", id="quality as a word"),
        pytest.param("q=auto", "q", id="quality of the native grammar"),
        pytest.param("fit=crop", "fit", id="fit of another service"),
        pytest.param("fit=COVER", "fit", id="fit in capitals"),
        pytest.param("position=north", "position", id="compass"),
        pytest.param("position=smart", "position", id="position of the native grammar"),
        pytest.param("position=left,right", "position", id="position of opposite edges"),
        pytest.param("position=left,top,left", "position", id="position of three edges"),
        pytest.param("position=,", "position", id="position of a comma alone"),
        pytest.param("fm=bmp", "fm", id="format not supported"),
        pytest.param("fm=WEBP", "fm", id="format in capitals"),
        pytest.param("fm=blurhash", "fm", id="blurhash"),
        pytest.param("fm=thumbhash", "fm", id="thumbhash"),
        pytest.param("fm=lqip", "fm", id="lqip"),
        pytest.param("fm=json", "fm", id="json"),
        pytest.param("w=%ff", "w", id="not UTF-8"),
        pytest.param("w=wide&w=5", "w", id="the first of two counts, valid or not"),
    ],
)
def test_an_invalid_transformation_is_404_and_named(query: str, param: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        params_of(query)

    assert (status_of(caught.value), caught.value.slug, caught.value.param) == (404, "invalid-param", param)


@pytest.mark.parametrize(
    ("target", "size"),
    [
        pytest.param((300, 200), (300, 245), id="box wider than the picture"),
        pytest.param((200, 300), (367, 300), id="box higher than the picture"),
        pytest.param((3000, 100), (2725, 2225), id="box beyond the source"),
        pytest.param((300, None), (300, 245), id="width alone"),
        pytest.param((None, None), (2725, 2225), id="no box"),
    ],
)
def test_outside_gives_the_smallest_size_of_the_whole_picture_that_covers_the_box(
    target: tuple[int | None, int | None], size: Size
) -> None:
    resize = plan_resize((2725, 2225), target, fit=Fit.OUTSIDE)

    assert (resize.crop, resize.size) == (None, size)


def test_the_native_grammar_refuses_values_of_netlify() -> None:
    for query in ("fit=outside", "fit=inside", "position=centre"):
        with pytest.raises(InvalidParam) as caught:
            native.parse(Target.read(f"/img?url=/a.jpg&{query}"), RULES)
        assert native.status_of(caught.value) == 400


def test_the_error_about_an_invalid_transformation_names_the_nearest_value() -> None:
    with pytest.raises(InvalidParam) as caught:
        params_of("fit=covr")

    assert caught.value.nearest == "cover"


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="nothing at all"),
        pytest.param("w=300", id="no url"),
        pytest.param("url=", id="an empty url"),
        pytest.param("url&w=9", id="a url without a value"),
        pytest.param("w=wide", id="no url and an invalid transformation"),
        pytest.param("url=/", id="a url that names no file"),
        pytest.param("url=%3Fa", id="a url with only a query"),
        pytest.param("url=%23a", id="a url with only a fragment"),
        pytest.param("url=a%00.jpg", id="NUL"),
        pytest.param("url=a%2500.jpg", id="NUL, encoded twice"),
        pytest.param("url=a%0d%0ab.jpg", id="CR LF"),
        pytest.param("url=%ff.jpg", id="not UTF-8"),
        pytest.param("url=%25ff.jpg", id="not UTF-8, encoded twice"),
    ],
)
def test_a_url_that_is_missing_or_does_not_parse_is_400(query: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        request_of(query)

    assert (caught.value.status, caught.value.param) == (400, "url")


@pytest.mark.parametrize(
    ("url", "location"),
    [
        pytest.param("/a.jpg", "a.jpg", id="leading slash"),
        pytest.param("%2Fa.jpg", "a.jpg", id="leading slash, encoded"),
        pytest.param("_astro%2Fa.jpg", "_astro/a.jpg", id="no leading slash"),
        pytest.param("a+b.jpg", "a b.jpg", id="plus is a space"),
        pytest.param("a%20b.jpg", "a b.jpg", id="space, encoded once"),
        pytest.param("a%2520b.jpg", "a b.jpg", id="space, encoded twice"),
        pytest.param("a%252520b.jpg", "a%20b.jpg", id="a percent sign that belongs to the name"),
        pytest.param("a%2Bb.jpg", "a+b.jpg", id="plus, encoded once"),
        pytest.param("a%252Bb.jpg", "a+b.jpg", id="plus, encoded twice"),
        pytest.param("100%25.jpg", "100%.jpg", id="a percent sign that is not an escape"),
        pytest.param("%E6%97%A5.jpg", "日.jpg", id="UTF-8, encoded once"),
        pytest.param("%25E6%2597%25A5.jpg", "日.jpg", id="UTF-8, encoded twice"),
        pytest.param("\xe6\x97\xa5%25E6%2597%25A5.jpg", "日日.jpg", id="unencoded UTF-8, then encoded twice"),
        pytest.param("a.jpg%3Fx=1", "a.jpg", id="query on a file"),
        pytest.param("a.jpg%23x", "a.jpg", id="fragment"),
        pytest.param("a%253Fb%2523c.jpg", "a?b#c.jpg", id="a question mark and a number sign that belong to the name"),
        pytest.param("%252e%252e%252fa", "../a", id="dot segments are left to the folder"),
        pytest.param("%25252e%25252e%25252fa", "%2e%2e%2fa", id="nothing is decoded three times"),
        pytest.param("a%255cb", "a\\b", id="backslashes are left to the folder"),
        pytest.param("%252F%252Fevil.test%252Fa.jpg", "/evil.test/a.jpg", id="decoding twice gives no remote source"),
        pytest.param(
            "https%253A%252F%252Fevil.test%252Fa.jpg",
            "https://evil.test/a.jpg",
            id="decoding twice gives no remote source with a scheme",
        ),
    ],
)
def test_the_source_is_the_path_of_the_url(url: str, location: str) -> None:
    assert request_of(f"url={url}&w=9").source == Source("local", location)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.jpg",
        "https%3A%2F%2Fexample.com%2Fa%2520b.jpg",
        "//example.com/a.jpg",
        "file:///etc/passwd",
    ],
)
def test_a_remote_source_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        request_of(f"url={url}&w=9")


@settings(deadline=None)  # a slow example shows a busy machine, not a wrong rule
@given(st.text(st.characters(min_codepoint=1, max_codepoint=255)))
def test_any_target_is_read_or_refused(tail: str) -> None:
    for query in (f"url={tail}", f"url=a.jpg&{tail}", f"url=a.jpg&position={tail}"):
        try:
            location = request_of(query).source.location
        except (InvalidParam, Forbidden):
            continue
        assert location
