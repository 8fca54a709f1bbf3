import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.request.url import (
    MAX_URL_LENGTH,
    has_control_characters,
    is_absolute,
    is_beneath,
    join_base,
    join_reference,
    parse_override,
    parse_remote,
)
from imgcdn.errors import Forbidden, InvalidParam, SourceNotFound


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        pytest.param("https://a.example", "https://a.example/", id="no path"),
        pytest.param("https://a.example?x=1", "https://a.example/?x=1", id="a query and no path"),
        pytest.param("HTTP://A.EXAMPLE:80/X", "http://a.example/X", id="scheme, host and port"),
        pytest.param("https://a.example:1/x", "https://a.example:1/x", id="the lowest port"),
        pytest.param("https://a.example:65535/x", "https://a.example:65535/x", id="the highest port"),
        pytest.param("https://a.example:0443/x", "https://a.example/x", id="leading zeros of a port"),
        pytest.param("http://a.example:443/x", "http://a.example:443/x", id="not the default port of the scheme"),
        pytest.param("https://a.example/x?", "https://a.example/x", id="an empty query"),
        pytest.param("https://a.example/%7e%c3%bc", "https://a.example/%7E%C3%BC", id="escapes in upper case"),
        pytest.param("https://a.example/%41", "https://a.example/%41", id="escapes are kept"),
        pytest.param("https://a.example/\u00fc?\u00fc", "https://a.example/%C3%BC?%C3%BC", id="unicode"),
        pytest.param('https://a.example/"<>^`{|}[]', "https://a.example/%22%3C%3E%5E%60%7B%7C%7D%5B%5D", id="quoted"),
        pytest.param("https://a.example/a;b=c,d!$&'()*+:@~_-.e", "https://a.example/a;b=c,d!$&'()*+:@~_-.e", id="kept"),
        pytest.param("https://a.example//a//b", "https://a.example//a//b", id="empty segments"),
        pytest.param("https://a.example/a%2Fb", "https://a.example/a%2Fb", id="an encoded slash"),
        pytest.param("https://a.example/...", "https://a.example/...", id="three dots are an ordinary name"),
        pytest.param("https://a.example/x?u=../..&v=%0d", "https://a.example/x?u=../..&v=%0D", id="a query is opaque"),
        pytest.param("https://B\u00dcCHER.example/", "https://xn--bcher-kva.example/", id="punycode"),
        pytest.param("https://[::FFFF:1.2.3.4]:8443/", None, id="an address in brackets"),
        pytest.param("https://0x7f.1/", "https://0x7f.1/", id="private hosts parse"),
        pytest.param(f"https://{'a.' * 126}a/", None, id="a host as long as it may be"),
        pytest.param("https://a.example/\ud7ff\ue000", None, id="the characters beside the surrogates"),
        pytest.param("https://a_b.example/", "https://a_b.example/", id="an underscore"),
        pytest.param("https://a.example./", "https://a.example./", id="a trailing dot is another name"),
        pytest.param("https://a.example/".ljust(MAX_URL_LENGTH, "x"), None, id="as long as a URL may be"),
    ],
)
def test_a_url_is_normalised_once(written: str, normal: str | None) -> None:
    url = parse_remote(written)

    assert normal is None or url.url == normal
    assert parse_remote(url.url) == url
    assert str(url) == url.url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("a.example/x.jpg", id="no scheme"),
        pytest.param("https:", id="scheme alone"),
        pytest.param("https:/a.example/x", id="one slash"),
        pytest.param("https:a.example/x", id="no slash"),
        pytest.param("https:///x", id="three slashes"),
        pytest.param("https://", id="nothing after the slashes"),
        pytest.param("https://:443/x", id="a port alone"),
        pytest.param("https://a.example:/x", id="a colon and no port"),
        pytest.param("https://a.example:0/x", id="port zero"),
        pytest.param("https://a.example:65536/x", id="a port too large"),
        pytest.param("https://a.example:+80/x", id="a port with a sign"),
        pytest.param("https://a.example:\u0664\u0664\u0663/x", id="a port in other digits"),
        pytest.param("https://a.example:80:80/x", id="two ports"),
        pytest.param("https://::1/x", id="an address without brackets"),
        pytest.param("https://[::1/x", id="an unclosed bracket"),
        pytest.param("https://[::1]x/", id="text after the bracket"),
        pytest.param("https://[fe80::1%25eth0]/x", id="a zone identifier"),
        pytest.param("https://[127.0.0.1]/x", id="another address in brackets"),
        pytest.param("https://a..example/x", id="an empty label"),
        pytest.param("https://-a.example/x", id="a label that begins with a hyphen"),
        pytest.param(f"https://{'a' * 64}.example/x", id="a label too long"),
        pytest.param(f"https://{'a.' * 126}aa/x", id="a host a character too long"),
        pytest.param("https://a%2eexample/x", id="an encoded host"),
        pytest.param("https://a.example,b.example/x", id="a comma in the host"),
        pytest.param("https://stra\u00dfe.example/x", id="a host that two IDNA standards read differently"),
        pytest.param("https://\uff41.example/x", id="a full-width letter"),
        pytest.param("https://a\u3002example/x", id="an ideographic full stop"),
        pytest.param("https://a.example/x\r\nHost: evil", id="line ends"),
        pytest.param("https://a.exa\tmple/x", id="a tab"),
        pytest.param(" https://a.example/x", id="a space before"),
        pytest.param("https://a.example/x ", id="a space after"),
        pytest.param("https://a.example/\x00", id="NUL"),
        pytest.param("https://a.example/\x7f", id="delete"),
        pytest.param("https://a.example/\x85", id="a C1 control"),
        pytest.param("https://a.example/\xa0", id="a no-break space"),
        pytest.param("https://a.example/\u2028", id="a line separator"),
        pytest.param("https://a.example/\u202e", id="a text direction override"),
        pytest.param("https://a.example/\ud800", id="the first surrogate, unpaired"),
        pytest.param("https://a.example/\udfff", id="the last surrogate, unpaired"),
        pytest.param("https://a.example\\@b.example/", id="a backslash"),
        pytest.param("https://a.example/100%", id="a percent sign"),
        pytest.param("https://a.example/%zz", id="an escape without digits"),
        pytest.param("https://a.example/x?q=%e", id="half an escape in the query"),
        pytest.param("https://a.example/%00", id="an encoded NUL"),
        pytest.param("https://a.example/%0d%0aHost:x", id="encoded line ends"),
        pytest.param("https://a.example/%250a", id="a line end encoded twice"),
        pytest.param("https://a.example/%" + "25" * 50, id="encoded fifty times"),
        pytest.param("https://a.example/".ljust(MAX_URL_LENGTH + 1, "x"), id="a character too long"),
    ],
)
def test_a_url_that_does_not_parse_is_an_invalid_param(url: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        parse_remote(url)
    assert caught.value.param == "url"
    assert caught.value.detail.startswith("url ")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("//a.example/x", id="no scheme"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("ftp://a.example/x", id="ftp"),
        pytest.param("data:image/png;base64,AAAA", id="data"),
        pytest.param("gopher://a.example/_", id="gopher"),
        pytest.param("httpsx://a.example/x", id="similar to https"),
        pytest.param("https://u@a.example/x", id="a user"),
        pytest.param("https://u:p@a.example/x", id="a user and a password"),
        pytest.param("https://@a.example/x", id="an empty user"),
        pytest.param("https://a.example@b.example/x", id="a host as a user"),
        pytest.param("https://a.example/x#f", id="a fragment"),
        pytest.param("https://a.example/x#", id="an empty fragment"),
        pytest.param("https://a.example#@b.example/", id="a fragment instead of a path"),
        pytest.param("https://a.example/..", id="the parent"),
        pytest.param("https://a.example/./x", id="the same folder"),
        pytest.param("https://a.example/m/../x", id="up"),
        pytest.param("https://a.example/m/%2e%2e/x", id="parent, encoded"),
        pytest.param("https://a.example/m/.%2E/x", id="parent, half encoded"),
        pytest.param("https://a.example/m/%252e%252e/x", id="parent, encoded twice"),
        pytest.param("https://a.example/m/a%2F..%2Fx", id="parent between encoded slashes"),
        pytest.param("https://a.example/m/a%5c..%5cx", id="parent between encoded backslashes"),
        pytest.param("https://a.example/m/..;a=b/x", id="parent with a path parameter"),
    ],
)
def test_a_url_that_is_never_fetched_is_forbidden(url: str) -> None:
    with pytest.raises(Forbidden):
        parse_remote(url)


@pytest.mark.parametrize(
    ("text", "absolute"),
    [
        pytest.param("https://a.example/b.jpg", True, id="https"),
        pytest.param("ftp://a.example/b.jpg", True, id="a scheme that is never fetched"),
        pytest.param("//a.example/b.jpg", True, id="no scheme"),
        pytest.param("/a//b.jpg", False, id="a path with an empty segment"),
        pytest.param("a.jpg", False, id="a name"),
        pytest.param("c:b.jpg", False, id="a colon in a name"),
    ],
)
def test_a_text_with_two_slashes_before_the_host_is_read_as_a_url(text: str, absolute: bool) -> None:
    assert is_absolute(text) is absolute


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("\x1f", True, id="C0"),
        pytest.param("a\x7f", True, id="delete"),
        pytest.param("\x9fb", True, id="C1"),
        pytest.param(" a~\xa0\u2028", False, id="none"),
    ],
)
def test_a_control_character_is_found(text: str, found: bool) -> None:
    assert has_control_characters(text) is found


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text())
def test_a_url_that_parses_is_in_its_normal_form_afterwards(path: str, query: str) -> None:
    try:
        url = parse_remote(f"https://a.example/{path}?{query}")
    except (InvalidParam, Forbidden):
        return
    assert parse_remote(url.url) == url
    assert url.target.isascii()
    assert url.host == "a.example"


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
        pytest.param("/a b", InvalidParam, id="a space"),
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
        pytest.param("a b", InvalidParam, id="a space"),
        pytest.param("a\r\nHost: x", InvalidParam, id="line ends"),
        pytest.param("%", InvalidParam, id="half an escape"),
        pytest.param("a#b", Forbidden, id="a fragment"),
    ],
)
def test_the_query_of_a_mount_follows_the_rules_of_urls(query: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        join_base(parse_remote("http://media/b"), ["x"], query=query)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("x" * (MAX_URL_LENGTH - len("https://a.example/")), id="as it is written"),
        pytest.param("ü" * ((MAX_URL_LENGTH - len("https://a.example/")) // 6) + "xx", id="as it is sent"),
    ],
)
def test_a_url_has_a_greatest_length(path: str) -> None:
    base = parse_remote("https://a.example/m")
    longest = f"https://a.example/{path}"

    assert len(parse_remote(longest).url) == len(join_reference(base, f"/{path}").url) == MAX_URL_LENGTH
    with pytest.raises(InvalidParam, match="longer than 8000"):
        parse_remote(f"{longest}x")
    with pytest.raises(InvalidParam, match="longer than 8000"):
        join_reference(base, f"/{path}x")


def test_a_url_beneath_a_mount_has_a_greatest_length() -> None:
    base = parse_remote("http://media/b")
    longest = "ü" * ((MAX_URL_LENGTH - len("http://media/b/")) // 6)

    assert len(join_base(base, [longest]).url) <= MAX_URL_LENGTH
    with pytest.raises(InvalidParam, match="longer than 8000"):
        join_base(base, [longest + "ü"])


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a.example:443:192.0.2.1", ("a.example", 443, ("192.0.2.1",)), id="one address"),
        pytest.param("A.example:1:192.0.2.1", ("a.example", 1, ("192.0.2.1",)), id="the lowest port"),
        pytest.param(
            "a.example:65535:192.0.2.1,[2001:DB8::7]",
            ("a.example", 65_535, ("192.0.2.1", "2001:db8::7")),
            id="the highest port, and two addresses",
        ),
    ],
)
def test_an_override_names_host_port_and_addresses(text: str, expected: tuple[str, int, tuple[str, ...]]) -> None:
    assert parse_override(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a.example", id="a host alone"),
        pytest.param("a.example:443", id="no address"),
        pytest.param("a.example:443:", id="an empty address"),
        pytest.param("a.example:443:b.example", id="a host name for an address"),
        pytest.param("a.example:0:192.0.2.1", id="port zero"),
        pytest.param("a.example:65536:192.0.2.1", id="a port too large"),
        pytest.param("a.example:x:192.0.2.1", id="no port"),
        pytest.param(":443:192.0.2.1", id="no host"),
    ],
)
def test_an_invalid_override_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT:ADDRESS"):
        parse_override(text)
