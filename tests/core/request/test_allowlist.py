import json
import re
from dataclasses import replace
from typing import Any

import pytest

from imgcdn.core.request.allowlist import Allowlist, parse_pattern, shadowed
from imgcdn.core.request.url import parse_remote
from imgcdn.errors import Forbidden, InvalidParam
from tests.support.paths import TABLES

TABLE = TABLES / "allowlist.json"
ROWS: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))["rows"]


def admits(pattern: str, url: str) -> bool:
    """Parse a URL and match it with a pattern, as for a request."""
    allowlist = Allowlist([parse_pattern(pattern)])
    try:
        return allowlist.match(parse_remote(url)) is not None
    except (InvalidParam, Forbidden):
        return False


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row['pattern']} {row['url']!a}") for row in ROWS])
def test_a_url_is_allowed_as_the_table_says(row: dict[str, Any]) -> None:
    assert admits(row["pattern"], row["url"]) is row["allowed"]


@pytest.mark.parametrize(
    ("pattern", "url", "allowed"),
    [
        pytest.param(
            "https://a.example/m/*", "https://a.example/m/", False, id="a star does not match an empty segment"
        ),
        pytest.param(
            "https://a.example/m/*", "https://a.example/m", False, id="a star does not match a missing segment"
        ),
        pytest.param(
            "https://a.example/m/*", "https://a.example/m/a%2fb.jpg", False, id="a star does not match an encoded slash"
        ),
        pytest.param("https://a.example/*/b.jpg", "https://a.example/m/b.jpg", True, id="a star in the middle"),
        pytest.param(
            "https://a.example/*/b.jpg", "https://a.example/m/n/b.jpg", False, id="a star matches one segment"
        ),
        pytest.param("https://a.example/m/*/**", "https://a.example/m/b.jpg", False, id="one star and two stars"),
        pytest.param(
            "https://a.example/m/*/**", "https://a.example/m/n/b.jpg", True, id="one star and two stars, deep enough"
        ),
        pytest.param(
            "https://a.example/m/**", "https://a.example/m", False, id="two stars do not match the folder itself"
        ),
        pytest.param("https://a.example/m/**", "https://a.example//m/b.jpg", False, id="an empty segment is a segment"),
        pytest.param(
            "https://a.example/m/**", "https://a.example/%6d/b.jpg", False, id="an escape does not match its letter"
        ),
        pytest.param(
            "https://a.example/m%c3%bc/**",
            "https://a.example/m\u00fc/b.jpg",
            True,
            id="an unescaped character matches its escape",
        ),
        pytest.param(
            "https://a.example/m\u00fc/**",
            "https://a.example/m%c3%bc/b.jpg",
            True,
            id="an escape matches the unescaped character",
        ),
        pytest.param(
            "https://a.example/", "https://a.example/x.jpg", True, id="a pattern with a bare slash matches every path"
        ),
        pytest.param("https://a.example/x.jpg", "https://a.example/x.jpg?w=1", True, id="the query is not compared"),
        pytest.param("https://a.example/x?id=1", "https://a.example/x?id=1", True, id="the query of the pattern"),
        pytest.param("https://a.example/x?id=1", "https://a.example/x?id=2", False, id="another query"),
        pytest.param("https://a.example/x?id=1", "https://a.example/x", False, id="no query"),
        pytest.param("HTTPS://A.Example/x.jpg", "https://a.example/x.jpg", True, id="case of scheme and host"),
        pytest.param("a.example:8443", "https://a.example:8443/x.jpg", True, id="a bare host with a port"),
        pytest.param("a.example:8443", "https://a.example/x.jpg", False, id="a bare host without the port"),
        pytest.param("http://a.example", "http://a.example:80/x.jpg", True, id="the scheme's own port"),
        pytest.param("http://a.example", "http://a.example:443/x.jpg", False, id="the other scheme's port"),
        pytest.param("**.a.example", "https://x.a.example/i", True, id="two stars match one label"),
        pytest.param("*.a.example", "https://.a.example/i", False, id="an empty label"),
        pytest.param("**.a.example", "https://x..a.example/i", False, id="an empty label in the middle"),
        pytest.param("*.a.example:81", "https://x.a.example:81/i", True, id="two stars and a port"),
        pytest.param("**.a.example", "https://x.a.example./i", False, id="a trailing dot"),
        pytest.param("https://[2001:db8::1]", "https://[2001:DB8:0::0:1]/i", True, id="two spellings of one address"),
        pytest.param("127.0.0.1", "https://2130706433/i", False, id="a number is a host name, not an address"),
    ],
)
def test_a_pattern_matches_these_urls(pattern: str, url: str, allowed: bool) -> None:
    assert admits(pattern, url) is allowed


@pytest.mark.parametrize(
    "escape",
    ["%2f", "%252f", "%25252f", "%2525252f", "%5c", "%5C", "%255c", "%25255C", "%25%32%66"],
)
@pytest.mark.parametrize("pattern", ["https://a.example/m/*", "https://a.example/*/b.jpg"])
def test_a_star_matches_no_separator_however_often_it_is_encoded(pattern: str, escape: str) -> None:
    url = pattern.replace("*", f"a{escape}b.jpg")

    assert not admits(pattern, url)
    assert admits(pattern, url.replace(escape, ""))
    assert admits("https://a.example/**", url)


@pytest.mark.parametrize(
    "escape",
    [
        pytest.param("..%c0%af", id="an overlong slash"),
        pytest.param("%c0%ae%c0%ae/", id="an overlong parent"),
        pytest.param("%e0%80%af", id="a slash in three bytes"),
        pytest.param("%25c0%25af", id="an overlong slash, encoded twice"),
        pytest.param("%2525c0%2525af", id="an overlong slash, encoded three times"),
        pytest.param("m%fc", id="Latin-1"),
        pytest.param("%ed%a0%80", id="a surrogate"),
        pytest.param("%c3", id="half a character"),
    ],
)
@pytest.mark.parametrize("pattern", ["https://a.example/m/**", "https://a.example/m/*", "https://a.example/m/*/**"])
def test_a_path_pattern_matches_no_escape_that_is_not_utf8(pattern: str, escape: str) -> None:
    assert not admits(pattern, f"https://a.example/m/{escape}x.jpg")
    assert not admits(pattern, f"https://a.example/m/{escape}/x.jpg")


@pytest.mark.parametrize("pattern", ["a.example", "https://a.example/", "https://a.example/**"])
def test_a_pattern_for_a_whole_host_matches_escapes_of_any_encoding(pattern: str) -> None:
    assert admits(pattern, "https://a.example/m%fcnchen.jpg")


def test_an_empty_allowlist_admits_nothing() -> None:
    assert Allowlist([]).match(parse_remote("https://a.example/x.jpg")) is None


def test_one_pattern_of_several_is_enough() -> None:
    patterns = [parse_pattern(text) for text in ("a.example", "http://b.example/m/**", "http://b.example")]
    allowlist = Allowlist(patterns)

    assert allowlist.match(parse_remote("http://b.example/m/x.jpg")) == patterns[1], "the first one counts"
    assert allowlist.match(parse_remote("https://b.example/m/x.jpg")) is None


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        pytest.param("", "names no host", id="empty"),
        pytest.param("*", "one whole label", id="any host"),
        pytest.param("**", "one whole label", id="any host, any depth"),
        pytest.param("https://a.*.example/**", "comes first", id="a star in the middle of a host"),
        pytest.param("img*.a.example", "one whole label", id="half a label"),
        pytest.param("https://a.example/m/*.jpg", "a whole segment", id="half a segment"),
        pytest.param("https://a.example/**/b.jpg", "comes last", id="two stars in the middle"),
        pytest.param("https://a.example/***", "a whole segment", id="three stars"),
        pytest.param("https://a.example/x?id=*", "a whole segment", id="a star in the query"),
        pytest.param("https://a.example/m%fc/**", "not UTF-8", id="an escape that is not UTF-8"),
        pytest.param("https://a.example/m/", "write https://a.example/m/**", id="a slash at the end"),
        pytest.param("ftp://a.example/**", "only https:// and http://", id="another scheme"),
        pytest.param("//a.example/**", "names no host", id="no scheme"),
        pytest.param("https:///x", "names no host", id="no host"),
        pytest.param("https://u@a.example", "user name", id="a user"),
        pytest.param("https://a.example/../b", "dot segment", id="a dot segment"),
        pytest.param("https://a.example/#x", "fragment", id="a fragment"),
        pytest.param("https://a.example:0", "port", id="no port"),
        pytest.param("a.example.", "ends with a point", id="a trailing dot"),
        pytest.param("a example", "a space", id="a space"),
        pytest.param("https://stra\u00dfe.example", "punycode", id="a host that two standards read differently"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as caught:
        parse_pattern(pattern)
    assert str(caught.value).startswith(repr(pattern))


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        pytest.param("a.test", "https://a.test/media/**", True, id="a host alone has any path"),
        pytest.param("https://a.test/media/**", "a.test", False, id="a narrower one comes first"),
        pytest.param("a.test", "a.test", True, id="the same twice"),
        pytest.param("a.test", "b.test", False, id="another host"),
        pytest.param("a.test", "http://a.test", False, id="another scheme"),
        pytest.param("a.test", "a.test:8443", False, id="another port"),
        pytest.param("*.a.test", "img.a.test", True, id="one label"),
        pytest.param("*.a.test", "a.test", False, id="a star is not the host itself"),
        pytest.param("*.a.test", "x.img.a.test", False, id="two labels"),
        pytest.param("*.a.test", "**.a.test", False, id="one label before any number"),
        pytest.param("**.a.test", "*.a.test", True, id="any number of labels before one"),
        pytest.param("**.a.test", "**.img.a.test", True, id="any number of labels, of a subdomain"),
        pytest.param("*.a.test", "*.img.a.test", False, id="one label of a subdomain"),
        pytest.param("https://a.test/m/**", "https://a.test/m/x/**", True, id="a folder above"),
        pytest.param("https://a.test/m/x/**", "https://a.test/m/**", False, id="a folder below"),
        pytest.param("https://a.test/m/*", "https://a.test/m/a.jpg", True, id="a star before a literal"),
        pytest.param("https://a.test/m/a.jpg", "https://a.test/m/*", False, id="a literal before a star"),
        pytest.param("https://a.test/m/*", "https://a.test/m/**", False, id="one segment before any number"),
        pytest.param("https://a.test/m/**", "https://a.test/m/*/b/**", True, id="any number of segments"),
        pytest.param("https://a.test/*/**", "https://a.test/**", False, id="two segments before any number"),
        pytest.param("https://a.test/m/*", "https://a.test/m/a%2Fb.jpg", False, id="an encoded slash is no segment"),
        pytest.param("https://a.test/*", "a.test", False, id="a path before any path"),
        pytest.param("https://a.test/m/**", "https://a.test/m/a?x=1", True, id="any query"),
        pytest.param("https://a.test/m/a?x=1", "https://a.test/m/a", False, id="one query before any query"),
        pytest.param("https://a.test/m/a?x=1", "https://a.test/m/*?x=1", False, id="one name before any name"),
        pytest.param("https://a.test/m/*?x=1", "https://a.test/m/a?x=1", True, id="the same query"),
    ],
)
def test_a_pattern_never_counts_if_an_earlier_one_matches_all_of_its_urls(
    earlier: str, later: str, expected: bool
) -> None:
    patterns = [parse_pattern(text) for text in ("other.test", earlier, later)]

    assert shadowed(patterns) == ([(2, 1)] if expected else [])


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["allowed"]], ids=lambda row: f"{row['pattern']} {row['url']!a}"
)
def test_a_pattern_of_one_url_never_counts_after_one_that_matches_it(row: dict[str, Any]) -> None:
    url = parse_remote(row["url"]).url
    try:
        exact = parse_pattern(url)
    except ValueError:  # some URLs cannot be written as a pattern
        return
    if exact.segments is not None:
        exact = replace(exact, query=parse_remote(url).target.partition("?")[2] or None)
        assert shadowed([parse_pattern(row["pattern"]), exact]) == [(1, 0)]
