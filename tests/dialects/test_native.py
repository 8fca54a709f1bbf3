from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcdn.core.request.allowlist import parse_pattern
from imgcdn.core.request.params import Params
from imgcdn.core.request.routes import Mount, Routes
from imgcdn.core.request.url import parse_remote
from imgcdn.core.values import Source
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.dialects.native import matches, parse
from imgcdn.errors import Forbidden, InvalidParam
from tests.support.planning import RULES


def request_of(target: str) -> ImageRequest:
    """Read and route a target, with no mounts and an empty allowlist."""
    request = parse(Target.read(target), RULES)
    return replace(request, source=Routes([], []).route(request.source))


def error_of(target: str) -> InvalidParam:
    with pytest.raises(InvalidParam) as caught:
        request_of(target)
    return caught.value


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/img", True),
        ("/img/", True),
        ("/img/a/b.jpg", True),
        ("/image", False),
        ("/imgs/a.jpg", False),
        ("/IMG/a.jpg", False),
        ("/-/img", False),
        ("img/a.jpg", False),
        ("/", False),
    ],
)
def test_the_grammar_matches_these_paths_only(path: str, expected: bool) -> None:
    assert matches(Target.read(path)) is expected


def test_a_request_has_a_source_params_and_a_version() -> None:
    expected = ImageRequest(Source("local", "photos/a.jpg"), Params(width=800, q=60), v="7")

    assert request_of("/img?url=/photos/a.jpg&w=400&dpr=2&q=60&v=7") == expected
    assert request_of("/img/photos/a.jpg?w=400&dpr=2&q=60&v=7") == expected


@pytest.mark.parametrize(
    ("target", "location"),
    [
        pytest.param("/img?url=a.jpg", "a.jpg", id="no leading slash"),
        pytest.param("/img?url=/a.jpg", "a.jpg", id="leading slash"),
        pytest.param("/img/?url=/a.jpg", "a.jpg", id="slash after the prefix"),
        pytest.param("/img//a.jpg", "a.jpg", id="path form with a leading slash"),
        pytest.param("/img/%2Fa.jpg", "a.jpg", id="path form with an encoded leading slash"),
        pytest.param("/img/a%2Fb.jpg", "a/b.jpg", id="encoded slash"),
        pytest.param("/img?url=a+b.jpg", "a b.jpg", id="plus in the query is a space"),
        pytest.param("/img?url=a%2Bb.jpg", "a+b.jpg", id="encoded plus in the query"),
        pytest.param("/img/a+b.jpg", "a+b.jpg", id="plus in the path"),
        pytest.param("/img/a%2Bb.jpg", "a+b.jpg", id="encoded plus in the path"),
        pytest.param("/img?url=%252e%252e/a", "%2e%2e/a", id="decoded once in the query"),
        pytest.param("/img/%252e%252e/a", "%2e%2e/a", id="decoded once in the path"),
        pytest.param("/img/100%.jpg", "100%.jpg", id="a percent sign that is not an escape"),
        pytest.param("/img/%E6%97%A5.jpg", "日.jpg", id="encoded UTF-8"),
        pytest.param("/img/\xe6\x97\xa5.jpg", "日.jpg", id="unencoded UTF-8"),
        pytest.param("/img?url=\xe6\x97\xa5%2Ejpg", "日.jpg", id="unencoded UTF-8 in the query"),
        pytest.param("/img?url=a.jpg%26w%3D5", "a.jpg&w=5", id="encoded separators belong to the name"),
        pytest.param("/img?url=a=b.jpg", "a=b.jpg", id="equals sign in a value"),
        pytest.param("/img?u%72l=a.jpg", "a.jpg", id="encoded name"),
        pytest.param("/img?url=a.jpg?b=c", "a.jpg", id="query on a file"),
        pytest.param(
            "/img/who%20is%20it%3F.jpg", "who is it?.jpg", id="a question mark in the path belongs to the name"
        ),
        pytest.param("/img/%3Fa", "?a", id="a question mark begins the name"),
        pytest.param("/img/a.jpg%3f", "a.jpg?", id="a question mark ends the name"),
        pytest.param("/img?url=a%253Fb.jpg", "a%3Fb.jpg", id="an encoded question mark in the query, decoded once"),
        pytest.param("/img/a.jpg%23b", "a.jpg#b", id="a number sign belongs to the name"),
        pytest.param("/img/mailto:a.jpg", "mailto:a.jpg", id="a colon without slashes is not a scheme"),
        pytest.param("/img/a//b.jpg", "a//b.jpg", id="empty segments are left to the folder"),
        pytest.param("/img/../a.jpg", "../a.jpg", id="dot segments are left to the folder"),
    ],
)
def test_a_source_is_decoded_once(target: str, location: str) -> None:
    assert request_of(target).source == Source("local", location)


ADMITTED = [parse_pattern("http://a.example")]
MOUNTED = [Mount("cms", parse_remote("https://cms.test/media"))]


@pytest.mark.parametrize(
    ("target", "url"),
    [
        pytest.param("/img?url=http://a.example/50%off.jpg", "http://a.example/50%off.jpg", id="a percent sign"),
        pytest.param("/img?url=http://a.example/50%25off.jpg", "http://a.example/50%off.jpg", id="and encoded once"),
        pytest.param("/img?url=http://a.example/50%2525off.jpg", "http://a.example/50%25off.jpg", id="and twice"),
        pytest.param(
            "/img?url=http%3A%2F%2Fa.example%2FScreenshot%209.41.00%E2%80%AFAM.png",
            "http://a.example/Screenshot%209.41.00%E2%80%AFAM.png",
            id="a screenshot of a Mac",
        ),
        pytest.param(
            "/img/http%3A%2F%2Fa.example%2F%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9.png",
            "http://a.example/%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9.png",
            id="a family in the path",
        ),
        pytest.param("/img/http:/a.example/b.jpg", "http://a.example/b.jpg", id="slashes that a proxy has merged"),
        pytest.param("/img/http%3A/a.example/b.jpg", "http://a.example/b.jpg", id="slashes merged after the scheme"),
        pytest.param("/img?url=http:/a.example/b.jpg", "http://a.example/b.jpg", id="one slash in the query"),
        pytest.param("/img/http:/a.example/b.jpg%3Fx=1", "http://a.example/b.jpg?x=1", id="a query in the path form"),
        pytest.param("/img?url=http://a.example/a+b.jpg", "http://a.example/a%20b.jpg", id="a plus is a space"),
        pytest.param("/img?url=+http://a.example/a.jpg+", "http://a.example/a.jpg", id="spaces at the ends"),
        pytest.param("/img/cms/a.jpg%3Fx=1", "https://cms.test/media/a.jpg%3Fx%3D1", id="a name beneath a mount"),
        pytest.param("/img?url=cms/a.jpg%3Fx=1", "https://cms.test/media/a.jpg?x=1", id="a query beneath a mount"),
    ],
)
def test_a_url_is_requested_as_a_browser_would_request_it(target: str, url: str) -> None:
    parsed = parse(Target.read(target), RULES)

    assert Routes(MOUNTED, ADMITTED).route(parsed.source).location == url


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.jpg",
        "http://example.com/a.jpg",
        "http:/example.com/a.jpg",
        "HTTPS://example.com/a.jpg",
        "//example.com/a.jpg",
        "///a.jpg",
        "file:///etc/passwd",
        "ftp://example.com/a.jpg",
        "https%3A%2F%2Fexample.com%2Fa.jpg",
        "%68ttps://example.com/a.jpg",
        "%2F%2Fexample.com",
    ],
)
@pytest.mark.parametrize("form", ["/img?url={}", "/img/{}"])
def test_a_remote_source_is_refused_with_one_public_text(form: str, url: str) -> None:
    with pytest.raises(Forbidden) as caught:
        request_of(form.format(url))

    assert caught.value.detail == Forbidden("any cause").detail
    assert caught.value.log


@pytest.mark.parametrize(
    ("target", "param"),
    [
        pytest.param("/img", "url", id="nothing at all"),
        pytest.param("/img/", "url", id="an empty path"),
        pytest.param("/img?w=400", "url", id="no url"),
        pytest.param("/img?url=", "url", id="an empty url"),
        pytest.param("/img?url", "url", id="a url without a value"),
        pytest.param("/img?url=/", "url", id="a url that names no file"),
        pytest.param("/img?url=?a", "url", id="a url with only a query"),
        pytest.param("/img?url=/a.jpg&url=/a.jpg", "url", id="url twice"),
        pytest.param("/img/a.jpg?url=/a.jpg", "url", id="url in the path and in the query"),
        pytest.param("/img/a.jpg?w=1&width=1", "width", id="a parameter and its alias"),
        pytest.param("/img/a.jpg?w", "w", id="a parameter without a value"),
        pytest.param("/img/a.jpg?widht=5", "widht", id="an unknown parameter"),
        pytest.param("/img/a.jpg?w=5;h=5", "w", id="a semicolon is not a separator"),
        pytest.param("/img/a.jpg?w=+5", "w", id="a space before a number"),
        pytest.param("/img/a.jpg?%00=5", "?", id="a control character as a name"),
        pytest.param("/img/a.jpg?v=a%00", "v", id="a control character in another parameter"),
        pytest.param("/img/a.jpg?=5", "", id="an empty name"),
    ],
)
def test_an_invalid_target_is_refused_and_the_parameter_is_named(target: str, param: str) -> None:
    assert error_of(target).param == param


@pytest.mark.parametrize("code", ["00", "09", "0a", "0D", "1b", "1f", "7f", "c2%80", "c2%9f"])
@pytest.mark.parametrize("form", ["/img?url=/a{}.jpg", "/img/a{}.jpg"])
def test_a_control_character_in_a_source_is_refused(form: str, code: str) -> None:
    error = error_of(form.format(f"%{code}"))

    assert error.param == "url"
    assert "control characters" in error.detail


@pytest.mark.parametrize(
    ("target", "param"),
    [
        pytest.param("/img?url=%ff.jpg", "url", id="in the source"),
        pytest.param("/img/%ff.jpg", "url", id="in the path"),
        pytest.param("/img/caf%e9.jpg", "url", id="Windows-1252"),
        pytest.param("/img/caf\xe9.jpg", "url", id="unencoded Windows-1252"),
        pytest.param("/img/%c0%af", "url", id="overlong encoding of a slash"),
        pytest.param("/img/%ed%a0%80", "url", id="an unpaired surrogate"),
        pytest.param("/img/%c3", "url", id="cut short"),
        pytest.param("/img/a.jpg?w=%ff", "w", id="in another value"),
        pytest.param("/img/a.jpg?%ff=1", "", id="in a name"),
        pytest.param("/img/日.jpg", "url", id="invalid bytes"),
    ],
)
def test_a_target_that_is_not_utf8_is_refused(target: str, param: str) -> None:
    error = error_of(target)

    assert error.param == param
    assert "UTF-8" in error.detail


@settings(deadline=None)  # a slow example shows a busy machine, not a wrong rule
@given(st.text(st.characters(min_codepoint=1, max_codepoint=255)))
def test_any_target_is_read_or_refused(tail: str) -> None:
    for prefix in ("/img?url=", "/img/", "/img/a.jpg?"):
        try:
            location = request_of(prefix + tail).source.location
        except (InvalidParam, Forbidden):
            continue
        assert location
        assert not location.startswith("/")
