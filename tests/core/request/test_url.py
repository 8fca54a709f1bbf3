import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.request.url import (
    MAX_URL_LENGTH,
    has_control_characters,
    is_absolute,
    join_base,
    join_reference,
    parse_override,
    parse_remote,
)
from imgcdn.errors import Forbidden, InvalidParam


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
        pytest.param(
            "https://a.example/9.41.00\u202fAM.png",
            "https://a.example/9.41.00%E2%80%AFAM.png",
            id="a narrow no-break space",
        ),
        pytest.param(
            "https://a.example/\U0001f468\u200d\U0001f469.png?\u200c",
            "https://a.example/%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9.png?%E2%80%8C",
            id="joiners",
        ),
        pytest.param("https://a.example/\u3000\xa0?\xa0", "https://a.example/%E3%80%80%C2%A0?%C2%A0", id="wide spaces"),
        pytest.param(
            "https://a.example/\u2028\u202e\ufeff", "https://a.example/%E2%80%A8%E2%80%AE%EF%BB%BF", id="invisible"
        ),
        pytest.param("https://a.example/a b?c d", "https://a.example/a%20b?c%20d", id="spaces"),
        pytest.param("  https://a.example/x  ", "https://a.example/x", id="spaces at the ends"),
        pytest.param("https://a.example/50%off.jpg", "https://a.example/50%off.jpg", id="a percent sign"),
        pytest.param(
            "https://a.example/100%?q=%e&r=%", "https://a.example/100%?q=%e&r=%", id="percent signs at the end"
        ),
        pytest.param(
            "https://a.example/%\u00fc%%41%4%c3", "https://a.example/%%C3%BC%%41%4%C3", id="and beside escapes"
        ),
        pytest.param("https://a.example/%u4e2d.jpg", "https://a.example/%u4e2d.jpg", id="an escape of IIS alone"),
        pytest.param("https:/a.example/x", "https://a.example/x", id="one slash"),
        pytest.param("HTTP:/a.example:80", "http://a.example/", id="one slash, in capitals"),
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
        pytest.param("https:a.example/x", id="no slash"),
        pytest.param("https:///x", id="three slashes"),
        pytest.param("https:/?x", id="one slash and no host"),
        pytest.param("https://a.exa mple/x", id="a space in the host"),
        pytest.param("https://a.exa\u200dmple/x", id="a joiner in the host"),
        pytest.param("https://a.example\u3000/x", id="a wide space after the host"),
        pytest.param("https://a.example%/x", id="a percent sign in the host"),
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
        pytest.param("\u3000https://a.example/x", id="a wide space before"),
        pytest.param("https://a.example/\x00", id="NUL"),
        pytest.param("https://a.example/\x7f", id="delete"),
        pytest.param("https://a.example/\x85", id="a C1 control"),
        pytest.param("https://a.example/\ud800", id="the first surrogate, unpaired"),
        pytest.param("https://a.example/\udfff", id="the last surrogate, unpaired"),
        pytest.param("https://a.example\\@b.example/", id="a backslash"),
        pytest.param("https://a.example/%00", id="an encoded NUL"),
        pytest.param("https://a.example/%0d%0aHost:x", id="encoded line ends"),
        pytest.param("https://a.example/%250a", id="a line end encoded twice"),
        pytest.param("https://a.example/%%30a", id="a line end after a percent sign"),
        pytest.param("https://a.example/%u000a", id="a line end as IIS encodes it"),
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
        pytest.param("https://a.example/m/%%32e%%32e/x", id="parent after percent signs"),
        pytest.param("https://a.example/m/%u002e%U002E/x", id="parent as IIS encodes it"),
        pytest.param("https://a.example/m/%25u002e./x", id="parent as IIS encodes it, encoded"),
        pytest.param("https://a.example/m/a%u002f..%u005cx", id="parent between separators as IIS encodes them"),
        pytest.param("https:/u:p@a.example/x", id="a user after one slash"),
        pytest.param("https:/a.example/../x", id="the parent after one slash"),
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
        pytest.param("https:/a.example/b.jpg", True, id="one slash after https"),
        pytest.param("HTTP:/a.example/b.jpg", True, id="one slash after http"),
        pytest.param(" //a.example/b.jpg", True, id="a space before"),
        pytest.param("ftp:/a/b.jpg", False, id="one slash after another scheme"),
        pytest.param("http\u017f:/a/b.jpg", False, id="a letter that is an s in upper case"),
        pytest.param("http:a.jpg", False, id="no slash"),
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
