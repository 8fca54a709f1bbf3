import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from imgcdn.origins.freshness import (
    MAX_DELTA_S,
    MAX_HEADER_LENGTH,
    UNSTATED,
    Lifetime,
    Permissions,
    cache_control,
    kept_headers,
    lifetime,
    permissions,
    retry_after,
)

NOW = 1_767_225_600  # Thu, 01 Jan 2026 00:00:00 GMT
HOUR, DAY, YEAR = 3_600, 86_400, 31_536_000
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
HOUR_AGO, IN_AN_HOUR = "Wed, 31 Dec 2025 23:00:00 GMT", "Thu, 01 Jan 2026 01:00:00 GMT"

YEAR_0 = "Sun, 06 Nov 0000 08:49:37 GMT"

Headers = dict[str, str]


def lifetime_from(headers: Headers) -> Lifetime:
    return lifetime(headers, received_at=NOW, min_ttl_s=60, default_ttl_s=HOUR, max_ttl_s=YEAR)


def cc(value: str, **others: str) -> Headers:
    return {"cache-control": value, **{name.replace("_", "-"): text for name, text in others.items()}}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, HOUR, id="nothing is lifetime"),
        pytest.param(cc("public"), HOUR, id="no lifetime is given"),
        pytest.param(cc("max-age=600"), 600, id="max-age"),
        pytest.param(cc("MaX-aGe=600"), 600, id="in upper or lower case"),
        pytest.param(cc("foobar, max-age=600"), 600, id="beside an unknown directive"),
        pytest.param(cc('max-age="600"'), 600, id="quoted"),
        pytest.param(cc("max-age=000600"), 600, id="leading zeros"),
        pytest.param(cc("s-maxage=600, max-age=1000"), 600, id="s-maxage before max-age"),
        pytest.param(cc("max-age=0, s-maxage=600", expires=HOUR_AGO), 600, id="s-maxage before all others"),
        pytest.param(cc("max-age=600", expires=HOUR_AGO, date=DATE), 600, id="max-age before Expires"),
        pytest.param({"expires": IN_AN_HOUR, "date": DATE}, HOUR, id="Expires"),
        pytest.param({"expires": IN_AN_HOUR}, HOUR, id="Expires without Date"),
        pytest.param({"expires": IN_AN_HOUR, "date": HOUR_AGO}, HOUR, id="Expires, on the origin's own clock"),
        pytest.param(cc("max-age=600", age="100"), 500, id="minus Age"),
        pytest.param(cc("max-age=600", date="Wed, 31 Dec 2025 23:55:00 GMT"), 300, id="minus the age from Date"),
        pytest.param(cc("max-age=600", date=IN_AN_HOUR), 600, id="a Date in the future adds nothing"),
        pytest.param(cc("max-age=600", age="7200"), 60, id="older than its lifetime"),
        pytest.param(cc("max-age=1"), 60, id="below the minimum"),
        pytest.param(cc("max-age=0"), 60, id="max-age=0 gives the minimum"),
        pytest.param(cc("no-cache"), 60, id="no-cache gives the minimum"),
        pytest.param(cc("max-age=10000, No-CaChE"), 60, id="no-cache before max-age"),
        pytest.param(cc('no-cache="set-cookie", max-age=600'), 60, id="no-cache of one field"),
        pytest.param(cc("max-age=2147483648"), YEAR, id="above the maximum"),
        pytest.param(cc("max-age=" + "9" * 5_000), 60 * 60, id="an unreadable header gives no lifetime"),
        pytest.param(cc("max-age=" + "9" * 900), YEAR, id="too many digits"),
        pytest.param(cc("max-age=-600"), 60, id="negative"),
        pytest.param(cc("max-age='600'"), 60, id="single quotes"),
        pytest.param(cc("max-age=600.5"), 60, id="a fraction"),
        pytest.param(cc("max-age=a600"), 60, id="letters"),
        pytest.param(cc("max-age=600a"), 60, id="trailing letters"),
        pytest.param(cc("max-age"), 60, id="no value"),
        pytest.param(cc("max-age ="), 60, id="a space and no value"),
        pytest.param(cc("max-age = 600"), 60, id="spaces around the sign"),
        pytest.param(cc("max-age=\u0666\u0660\u0660"), 60, id="digits of another script"),
        pytest.param(cc("max-age=1800, max-age=600"), 600, id="twice: the smaller"),
        pytest.param(cc("max-age=600, max-age=1800"), 600, id="twice, in the other order"),
        pytest.param(cc('extension="max-age=3600", max-age=600'), 600, id="a directive within quotes does not count"),
        pytest.param(
            cc('max-age=600, extension="max-age=60, no-store"'),
            600,
            id="a directive within quotes does not count after max-age",
        ),
        pytest.param(cc(r'x="a\", no-cache", max-age=600'), 600, id="escaped quotes"),
        pytest.param({"expires": "0"}, 60, id="an invalid Expires"),
        pytest.param({"expires": ""}, 60, id="an empty Expires"),
        pytest.param({"expires": YEAR_0}, 60, id="an Expires that has no timestamp"),
        pytest.param({"date": YEAR_0, "last-modified": YEAR_0}, 3_600, id="other dates that have no timestamp"),
        pytest.param({"expires": f"{IN_AN_HOUR}, {IN_AN_HOUR}"}, 60, id="two Expires"),
        pytest.param(cc("max-age=600", age="abc"), 600, id="an invalid Age"),
        pytest.param(cc("max-age=600", age="-7200"), 600, id="a negative Age"),
        pytest.param(cc("max-age=600", age="7200.0"), 600, id="an Age with a fraction"),
        pytest.param(cc("max-age=600", age="0, 7200"), 600, id="two Ages: the first"),
        pytest.param(cc("max-age=600", age="7200, 0"), 60, id="two Ages, in the other order"),
        pytest.param(cc("max-age=600", age="9" * 5_000), 60, id="an Age of many digits"),
        pytest.param({"last-modified": HOUR_AGO, "date": DATE}, 360, id="a tenth of its age"),
        pytest.param({"last-modified": HOUR_AGO}, 360, id="a tenth of its age, without Date"),
        pytest.param({"last-modified": "Thu, 01 Jan 2015 00:00:00 GMT"}, DAY, id="at most a day"),
        pytest.param({"last-modified": DATE}, 60, id="changed just now"),
        pytest.param({"last-modified": IN_AN_HOUR}, 60, id="changed in the future"),
        pytest.param({"last-modified": "yesterday"}, HOUR, id="an invalid Last-Modified"),
        pytest.param({"last-modified": HOUR_AGO, "age": "100"}, 260, id="Age reduces a guessed lifetime"),
    ],
)
def test_a_response_has_this_lifetime(headers: Headers, seconds: float) -> None:
    assert lifetime_from(headers).fresh_for_s == seconds


@pytest.mark.parametrize(
    ("headers", "storable"),
    [
        pytest.param({}, True, id="nothing is lifetime"),
        pytest.param(cc("no-cache"), True, id="no-cache"),
        pytest.param(cc("No-StOrE"), False, id="no-store"),
        pytest.param(cc("max-age=10000, no-store"), False, id="no-store and max-age"),
        pytest.param(cc("private, max-age=600"), False, id="private"),
        pytest.param(cc('private="set-cookie", max-age=600'), False, id="private for one field is taken for all"),
        pytest.param(cc('x="no-store"'), True, id="within quotes"),
        pytest.param(cc('x="a, no-store'), False, id="an unclosed quote"),
        pytest.param(cc("x" * MAX_HEADER_LENGTH + ", public"), False, id="too long to be read"),
        pytest.param({"vary": "*"}, False, id="Vary: *"),
        pytest.param({"vary": "Foo, *"}, False, id="Vary: *, among others"),
        pytest.param({"vary": ", *"}, False, id="Vary: *, after nothing"),
        pytest.param({"vary": "Accept, Accept-Encoding"}, True, id="headers that we always send alike"),
    ],
)
def test_a_response_may_be_kept(headers: Headers, storable: bool) -> None:
    assert lifetime_from(headers).storable is storable


@given(st.text(alphabet='abc="\\,; 0-', max_size=60))
def test_any_cache_control_can_be_parsed(value: str) -> None:
    assert lifetime_from(cc(value)).fresh_for_s >= 60


@pytest.mark.parametrize(
    ("value", "directives"),
    [
        pytest.param('x="a, b", no-store', ["x", "no-store"], id="a comma within quotes"),
        pytest.param('x="a, no-store', ["x", "no-store"], id="a quote that is not closed hides nothing"),
        pytest.param('x="a", y="b, no-store', ["x", "y", "no-store"], id="the second quote is not closed"),
        pytest.param('"a, no-store"', ["a", "no-store"], id="a quote after no name hides nothing"),
        pytest.param('"no-store"', ["no-store"], id="a quoted directive"),
        pytest.param("=no-store", ["no-store"], id="a name after other characters"),
        pytest.param(r'x="a\\", no-store', ["x", "no-store"], id="an escaped backslash"),
        pytest.param(r'x="a\", no-store', ["x", "no-store"], id="an escaped quote, and no other"),
        pytest.param(", ,;=,", [], id="no name"),
    ],
)
def test_a_cache_control_has_these_directives(value: str, directives: list[str]) -> None:
    assert list(cache_control(value)) == directives


TOO_LONG = "x" * (MAX_HEADER_LENGTH + 1)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        pytest.param("ETag", '"1"', '"1"', id="a kept header"),
        pytest.param("ETag", "x" * MAX_HEADER_LENGTH, "x" * MAX_HEADER_LENGTH, id="of the greatest length"),
        pytest.param("ETag", TOO_LONG, None, id="a longer tag is none"),
        pytest.param("Last-Modified", TOO_LONG, None, id="a longer date is none"),
        pytest.param("Cache-Control", TOO_LONG, "no-store", id="a longer Cache-Control forbids to store"),
        pytest.param("Vary", TOO_LONG, "*", id="a longer Vary varies on everything"),
        pytest.param("Expires", TOO_LONG, "0", id="a longer Expires is over"),
        pytest.param("Age", "0" * 999 + "10", str(MAX_DELTA_S), id="a longer Age is great"),
        pytest.param("Server", "x", None, id="no other header"),
    ],
)
def test_a_record_keeps_short_headers(name: str, value: str, kept: str | None) -> None:
    headers = CaseInsensitiveDict({name: value})

    assert kept_headers(headers) == ({} if kept is None else {name.lower(): kept})


@pytest.mark.parametrize("name", ["Cache-Control", "Vary", "Expires", "Age"])
def test_a_header_that_is_too_long_never_keeps_a_response_for_longer(name: str) -> None:
    without = lifetime_from(cc("max-age=600"))
    headers = {"Cache-Control": "max-age=600", name: TOO_LONG} if name != "Expires" else {name: TOO_LONG}
    read = lifetime_from(kept_headers(CaseInsensitiveDict(headers)))

    assert not read.storable or read.fresh_for_s == 60 < without.fresh_for_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("120", 120, id="seconds"),
        pytest.param(" 0 ", 0, id="at once"),
        pytest.param("9" * 5_000, MAX_DELTA_S, id="many digits"),
        pytest.param(IN_AN_HOUR, HOUR, id="a date"),
        pytest.param(HOUR_AGO, 0, id="a date in the past"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="a fraction"),
        pytest.param("soon", None, id="a word"),
        pytest.param("", None, id="empty"),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: int | None) -> None:
    assert retry_after({"retry-after": value}, now=NOW) == seconds


def test_without_retry_after_there_is_no_time() -> None:
    assert retry_after({}, now=NOW) is None


def sent_on(headers: Headers) -> Permissions:
    return permissions(tuple(sorted(headers.items())), NOW)


@pytest.mark.parametrize(
    ("headers", "fresh_for_s", "must_validate"),
    [
        pytest.param(cc("max-age=600"), 600, False, id="max-age"),
        pytest.param(cc("max-age=1"), 1, False, id="below the minimum of the operator"),
        pytest.param(cc("max-age=600", age="100"), 500, False, id="minus Age"),
        pytest.param(cc("max-age=600", age="700"), -100, False, id="used up on arrival"),
        pytest.param(cc("max-age=60, s-maxage=600"), 60, False, id="browsers may keep it for less than caches"),
        pytest.param(cc("max-age=600, s-maxage=60"), 60, False, id="caches may keep it for less than browsers"),
        pytest.param(cc("s-maxage=600"), 600, False, id="nothing about browsers"),
        pytest.param(cc("s-maxage=600", expires=HOUR_AGO, date=DATE), -HOUR, True, id="expired for browsers"),
        pytest.param({"expires": IN_AN_HOUR, "date": DATE}, HOUR, False, id="Expires"),
        pytest.param(cc("max-age=600", expires="0"), 600, False, id="max-age before Expires"),
        pytest.param({"expires": "0"}, 0, True, id="an Expires that is no date"),
        pytest.param(cc("max-age=0"), 0, True, id="max-age=0"),
        pytest.param(cc("max-age=0, s-maxage=600"), 0, True, id="max-age=0, for browsers alone"),
        pytest.param(cc("s-maxage=0, max-age=600"), 0, True, id="s-maxage=0"),
        pytest.param(cc("max-age=soon"), 0, True, id="an invalid max-age"),
        pytest.param(cc("no-cache, max-age=600"), 600, True, id="no-cache"),
        pytest.param(cc('No-Cache="set-cookie"'), None, True, id="no-cache of a field, which caches read as no-cache"),
        pytest.param(cc("public"), None, False, id="no lifetime"),
    ],
)
def test_others_get_no_longer_lifetime_than_the_origin_states(
    headers: Headers, fresh_for_s: float | None, must_validate: bool
) -> None:
    found = sent_on(headers)

    assert found.must_validate is must_validate
    assert found.fresh_until == (None if fresh_for_s is None else NOW + fresh_for_s)


@pytest.mark.parametrize(
    ("value", "revalidation", "stale_s"),
    [
        pytest.param("max-age=9", "", None, id="nothing"),
        pytest.param("max-age=9, must-revalidate", "must-revalidate", None, id="must-revalidate"),
        pytest.param("proxy-revalidate, must-revalidate", "must-revalidate", None, id="the stricter of two"),
        pytest.param("max-age=9, Proxy-Revalidate", "proxy-revalidate", None, id="proxy-revalidate"),
        pytest.param("s-maxage=9", "proxy-revalidate", None, id="s-maxage implies it"),
        pytest.param("max-age=9, stale-while-revalidate=0", "", 0, id="no stale use"),
        pytest.param("max-age=9, stale-while-revalidate=30", "", 30, id="short stale use"),
        pytest.param("stale-while-revalidate=30, stale-while-revalidate=20", "", 20, id="twice: the smaller"),
        pytest.param("max-age=9, stale-while-revalidate=x", "", 0, id="stale use that is not valid"),
    ],
)
def test_others_learn_what_stale_use_the_origin_permits(value: str, revalidation: str, stale_s: int | None) -> None:
    found = sent_on(cc(value))

    assert (found.revalidation, found.stale_while_revalidate_s) == (revalidation, stale_s)


@pytest.mark.parametrize(
    ("value", "forbidden"),
    [
        pytest.param("max-age=600", False, id="not forbidden"),
        pytest.param("max-age=0", False, id="no lifetime"),
        pytest.param("max-age=600, must-revalidate", True, id="must-revalidate"),
        pytest.param("max-age=600, proxy-revalidate", True, id="proxy-revalidate"),
        pytest.param("s-maxage=600", True, id="s-maxage"),
        pytest.param("no-cache", True, id="no-cache"),
    ],
)
def test_the_origin_may_forbid_stale_use(value: str, forbidden: bool) -> None:
    assert sent_on(cc(value)).forbids_stale is forbidden


@pytest.mark.parametrize(
    ("digits", "seconds"),
    [
        pytest.param("2147483647", MAX_DELTA_S - 1, id="ten digits"),
        pytest.param("02147483647", MAX_DELTA_S - 1, id="ten digits after a zero"),
        pytest.param("2147483649", MAX_DELTA_S, id="more than 31 bits"),
        pytest.param("10000000000", MAX_DELTA_S, id="eleven digits"),
        pytest.param("000", 0, id="zeros"),
    ],
)
def test_seconds_are_read_up_to_a_limit(digits: str, seconds: int) -> None:
    assert sent_on(cc(f"stale-if-error={digits}")).stale_if_error_s == seconds


def test_an_origin_that_says_nothing_limits_nothing() -> None:
    assert sent_on({}) == sent_on({"etag": '"1"', "last-modified": DATE}) == UNSTATED
