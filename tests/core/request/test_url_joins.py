"""URLs that are made of a base and something else: a redirect's Location, and the path beneath a mount."""

import pytest

from imgcdn.core.request.url import is_beneath, join_base, join_reference, parse_remote
from imgcdn.errors import Forbidden, InvalidParam, SourceNotFound


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        pytest.param("/b.jpg", "https://a.example:8443/b.jpg", id="a path"),
        pytest.param("b.jpg?x=1", "https://a.example:8443/m/b.jpg?x=1", id="a name"),
        pytest.param("../b.jpg", "https://a.example:8443/b.jpg", id="parent, which is resolved"),
        pytest.param("?x=1", "https://a.example:8443/m/a.jpg?x=1", id="a query"),
        pytest.param("//b.example/b.jpg", "https://b.example/b.jpg", id="another host"),
        pytest.param("http://b.example/b.jpg#top", "http://b.example/b.jpg", id="another scheme, and a fragment"),
        pytest.param("HTTPS://b.example", "https://b.example/", id="another host in capitals"),
        pytest.param("/a b\u202f\u00fc.jpg", "https://a.example:8443/a%20b%E2%80%AF%C3%BC.jpg", id="spaces"),
        pytest.param(" /b.jpg ", "https://a.example:8443/b.jpg", id="spaces at the ends"),
        pytest.param("50%off.jpg", "https://a.example:8443/m/50%off.jpg", id="a percent sign"),
        pytest.param("https:/b.jpg", "https://a.example:8443/b.jpg", id="a path after the scheme of the base"),
        pytest.param("HTTPS:../b.jpg", "https://a.example:8443/b.jpg", id="a name after it"),
        pytest.param("https:?x=1", "https://a.example:8443/m/a.jpg?x=1", id="a query after it"),
        pytest.param("https:http:b/x", "https://a.example:8443/m/http:b/x", id="a name that looks like a URL after it"),
        pytest.param("http:/b.example/x", "http://b.example/x", id="one slash after another scheme"),
    ],
)
def test_a_location_is_resolved_against_the_url_that_redirected(location: str, expected: str) -> None:
    assert join_reference(parse_remote("https://a.example:8443/m/a.jpg"), location).url == expected


@pytest.mark.parametrize(
    ("location", "error"),
    [
        pytest.param("https://b.example/m/../x", Forbidden, id="dot segments of another host"),
        pytest.param("/m/%2e%2e/x", Forbidden, id="encoded dot segments"),
        pytest.param("https://u@b.example/", Forbidden, id="a user"),
        pytest.param("file:///etc/passwd", Forbidden, id="a file"),
        pytest.param("https:/\\b.example/x", InvalidParam, id="a backslash after the scheme of the base"),
        pytest.param("https:/%u002e./x", Forbidden, id="dot segments after the scheme of the base"),
        pytest.param("//b.exa mple/x", InvalidParam, id="a space in the host"),
        pytest.param("\thttps://b.example/", InvalidParam, id="a tab that would be stripped"),
        pytest.param("/\\b.example/x", InvalidParam, id="a backslash"),
        pytest.param("https://[b/", InvalidParam, id="an unclosed bracket"),
        pytest.param("//[b/", InvalidParam, id="half a bracket, relative"),
    ],
)
def test_a_location_follows_the_rules_of_urls(location: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        join_reference(parse_remote("https://a.example/m/a.jpg"), location)


@pytest.mark.parametrize(
    ("base", "segments", "query", "expected"),
    [
        pytest.param("http://10.0.0.5:9000/b", ["x.jpg"], "", "http://10.0.0.5:9000/b/x.jpg", id="beneath a path"),
        pytest.param("http://media/", ["a", "b.jpg"], "", "http://media/a/b.jpg", id="beneath the root"),
        pytest.param("http://media/b/", ["x"], "v=1&w=%c3", "http://media/b/x?v=1&w=%C3", id="a query"),
        pytest.param("http://media/b", ["x"], "a b%&\xa0", "http://media/b/x?a%20b%&%C2%A0", id="a query with spaces"),
        pytest.param("http://media/b", ["50%off\u202f.jpg"], "", "http://media/b/50%25off%E2%80%AF.jpg", id="a name"),
        pytest.param("http://media/b?key=1", ["x"], "", "http://media/b/x", id="the query of the base is dropped"),
        pytest.param(
            "http://media/b", ["a b", "\u00fc?#;@.jpg"], "", "http://media/b/a%20b/%C3%BC%3F%23%3B%40.jpg", id="q"
        ),
        pytest.param("http://media/b", ["100%.jpg"], "", "http://media/b/100%25.jpg", id="a percent sign"),
    ],
)
def test_a_path_is_joined_to_a_mount(base: str, segments: list[str], query: str, expected: str) -> None:
    joined = join_base(parse_remote(base), segments, query=query)

    assert joined.url == expected
    assert is_beneath(parse_remote(base), joined)


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param([""], id="empty"),
        pytest.param(["a", "", "b"], id="empty in the middle"),
        pytest.param([".."], id="the parent"),
        pytest.param(["."], id="the same folder"),
        pytest.param([".git", "config"], id="a dot folder"),
        pytest.param(["a/b"], id="a slash that was encoded"),
        pytest.param(["a\\b"], id="a backslash"),
        pytest.param(["%2e%2e"], id="a second encoding"),
        pytest.param(["a%2Fb"], id="a slash encoded twice"),
        pytest.param(["%u002e%U002e"], id="a second encoding, as of IIS"),
        pytest.param(["a\nb"], id="a control character"),
        pytest.param(["\ud800"], id="an unpaired surrogate"),
    ],
)
def test_a_segment_that_could_leave_a_mount_is_refused(segments: list[str]) -> None:
    with pytest.raises(SourceNotFound):
        join_base(parse_remote("http://media/b"), segments)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        pytest.param("a\r\nHost: x", InvalidParam, id="line ends"),
        pytest.param("a\\b", InvalidParam, id="a backslash"),
        pytest.param("a#b", Forbidden, id="a fragment"),
    ],
)
def test_the_query_of_a_mount_follows_the_rules_of_urls(query: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        join_base(parse_remote("http://media/b"), ["x"], query=query)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://media/b-evil/x", id="a folder whose name begins with the same letters"),
        pytest.param("http://media/b", id="the base itself"),
        pytest.param("https://media/b/x", id="another scheme"),
        pytest.param("http://media:81/b/x", id="another port"),
        pytest.param("http://media.evil/b/x", id="another host"),
        pytest.param("http://media/?/b/x", id="only in the query"),
    ],
)
def test_these_urls_are_not_beneath_the_base(url: str) -> None:
    assert not is_beneath(parse_remote("http://media/b"), parse_remote(url))
