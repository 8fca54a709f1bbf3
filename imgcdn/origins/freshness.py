"""
What an origin's response says about its lifetime and its use: RFC 9111, for a shared cache with a minimum lifetime.

Headers are a mapping from lower-case names to values. The values of repeated headers are joined with a comma (RFC 9110,
section 5.3). Times are Unix times.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imgcdn.core.dates import http_date
from imgcdn.core.memo import MIB, bytes_of, memoised
from imgcdn.core.quoting import split_list

#: Larger numbers of seconds are read as this one (RFC 9111, section 1.2.2).
MAX_DELTA_S = 2**31

#: Longer headers of an origin are not read and not kept. A record is in memory, and each hit uses one.
MAX_HEADER_LENGTH = 1_000

#: The headers that freshness, validation and the log need -> what a longer one counts as: the reading with which the
#: response is kept for the shortest time. None: as absent.
_KEPT_HEADERS: dict[str, str | None] = {
    "age": str(MAX_DELTA_S),
    "cache-control": "no-store",
    "content-type": None,
    "date": None,
    "etag": None,
    "expires": "0",
    "last-modified": None,
    "retry-after": None,
    "vary": "*",
}

#: A `Permissions`, and its numbers.
_PERMISSIONS_BYTES = 120

_HEURISTIC_SHARE = 0.1
_HEURISTIC_MAX_S = 86_400.0

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# What follows the name belongs to the directive: `max-age =1` is a max-age with an invalid value.
_DIRECTIVE = re.compile(rf"({_NAME})(.*)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Lifetime:
    """
    For how long a response is fresh here.

    Args:
        fresh_for_s: Lifetime from `received_at`, within the operator's limits.
        storable: Whether the response may be stored. If not, only the requests that already wait get it.
    """

    fresh_for_s: float
    storable: bool


@dataclass(frozen=True, slots=True)
class Permissions:
    """
    What an origin permits caches to do with its original: this service, and browsers and caches behind it.

    Args:
        fresh_until: Unix time until which they may use it without asking; None if the origin does not say. The minimum
            lifetime of the operator's does not apply: it says how often this service asks.
        must_validate: Whether they must ask before each use: for no-cache, and for a lifetime of 0.
        revalidation: The directive with which the origin forbids stale use; empty if it does not. For s-maxage it is
            the one that s-maxage implies (RFC 9111, section 5.2.2.10).
        forbids_stale: Whether stale use is forbidden, also while the origin does not answer (RFC 9111, section 4.2.4).
        stale_while_revalidate_s, stale_if_error_s: The origin's directives (RFC 5861); None if it sent none.
    """

    fresh_until: float | None = None
    must_validate: bool = False
    revalidation: str = ""
    forbids_stale: bool = False
    stale_while_revalidate_s: int | None = None
    stale_if_error_s: int | None = None


#: For an original whose origin states nothing, such as a file.
UNSTATED = Permissions()


def lifetime(
    headers: Mapping[str, str], *, received_at: float, min_ttl_s: float, default_ttl_s: float, max_ttl_s: float
) -> Lifetime:
    """
    Return the lifetime of a response.

    Args:
        headers: Those of a 200, or the stored ones updated with those of a 304.
        received_at: Time at which they arrived.
        min_ttl_s: Minimum lifetime. It also replaces no-cache and max-age=0, with which every request would go to the
            origin.
        default_ttl_s: Lifetime if the headers state none.
        max_ttl_s: Maximum lifetime.

    >>> lifetime({"cache-control": "max-age=600", "age": "100"}, received_at=0,
    ...          min_ttl_s=60, default_ttl_s=3600, max_ttl_s=86400).fresh_for_s
    500.0
    """
    directives = cache_control(headers.get("cache-control", ""))
    left_s = _stated_s(headers, directives, received_at, default_ttl_s) - _age_s(headers, received_at)
    if "no-cache" in directives:
        left_s = 0.0
    return Lifetime(
        fresh_for_s=float(min(max(left_s, min_ttl_s), max_ttl_s)),
        storable=not ({"no-store", "private"} & directives.keys()) and not _varies_on_everything(headers),
    )


def _size_of_permissions(_: Permissions, headers: tuple[tuple[str, str], ...], received_at: float) -> int:
    return _PERMISSIONS_BYTES + bytes_of(headers, received_at) + sum(bytes_of(header, *header) for header in headers)


# Memoised: every hit of a remote original needs it.
@memoised(MIB, _size_of_permissions)
def permissions(headers: tuple[tuple[str, str], ...], received_at: float) -> Permissions:
    """
    Return what an origin permits, so that nothing sent to others is laxer than what it said.

    Browsers and shared caches get one Cache-Control, so the stricter of s-maxage and max-age counts.

    Args:
        headers: Those in the record of its original.
        received_at: Time at which they arrived.

    >>> permissions((("cache-control", "max-age=60, s-maxage=600"),), 0.0).revalidation
    'proxy-revalidate'
    """
    fields = dict(headers)
    directives = cache_control(fields.get("cache-control", ""))
    of_browsers_s: float | None = _delta_s(directives, "max-age")
    if of_browsers_s is None and "expires" in fields:
        of_browsers_s = _expires_s(fields, received_at)
    stated_s = (_delta_s(directives, "s-maxage"), of_browsers_s)
    lifetime_s = min((each for each in stated_s if each is not None), default=None)
    revalidation = "must-revalidate" if "must-revalidate" in directives else ""
    if not revalidation and {"proxy-revalidate", "s-maxage"} & directives.keys():
        revalidation = "proxy-revalidate"
    return Permissions(
        fresh_until=None if lifetime_s is None else float(received_at + lifetime_s - _age_s(fields, received_at)),
        must_validate="no-cache" in directives or (lifetime_s is not None and lifetime_s <= 0),
        revalidation=revalidation,
        forbids_stale=bool(revalidation) or "no-cache" in directives,
        stale_while_revalidate_s=_delta_s(directives, "stale-while-revalidate"),
        stale_if_error_s=_delta_s(directives, "stale-if-error"),
    )


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """
    Return the headers of a response that are kept in a record, none of them longer than `MAX_HEADER_LENGTH`.

    Args:
        headers: All headers of a response. Here, upper and lower case do not matter.

    >>> kept_headers({"vary": "Accept, " * 500, "etag": '"1"', "server": "x"})
    {'etag': '"1"', 'vary': '*'}
    """
    found = {name: headers.get(name) for name in _KEPT_HEADERS}
    kept = {
        name: _KEPT_HEADERS[name] if value is not None and len(value) > MAX_HEADER_LENGTH else value
        for name, value in found.items()
    }
    return {name: value for name, value in kept.items() if value is not None}


def updated_headers(stored: Mapping[str, str], validation: Mapping[str, str]) -> dict[str, str]:
    """
    Return the kept headers of a response, updated with those of a 304 (RFC 9111, section 3.2).

    Age and Date belong to the response that brought them. If the 304 has none, the original counts from its arrival.

    >>> updated_headers({"age": "90", "etag": '"1"', "expires": "0"}, {"expires": "1"})
    {'etag': '"1"', 'expires': '1'}
    """
    return {name: value for name, value in stored.items() if name not in ("age", "date")} | dict(validation)


def cache_control(value: str) -> dict[str, tuple[str, ...]]:
    """
    Read a Cache-Control header: directive -> its arguments, one for each time that it occurs.

    >>> cache_control('Max-Age=1, x="max-age=2, no-store", private, max-age="3"')
    {'max-age': ('1', '3'), 'x': ('max-age=2, no-store',), 'private': ('',)}
    """
    if len(value) > MAX_HEADER_LENGTH:
        return {"no-store": ("",)}  # its end might say so
    found: dict[str, list[str]] = {}
    for match in _directives(value):
        found.setdefault(match[1].lower(), []).append(_argument(match[2].rstrip()))
    return {name: tuple(arguments) for name, arguments in found.items()}


def _directives(value: str) -> Iterator[re.Match[str]]:
    for item in split_list(value):
        directive = _DIRECTIVE.match(item.strip())
        # A quote that follows no name opens no string, so what it seems to hide counts, too: it may be no-store.
        yield from [directive] if directive else filter(None, map(_DIRECTIVE.search, item.split(",")))


def retry_after(headers: Mapping[str, str], *, now: float) -> int | None:
    """Return the seconds of Retry-After, which may be a number or a date; None if it is absent or not valid."""
    text = headers.get("retry-after", "")[:MAX_HEADER_LENGTH].strip()
    if _DIGITS.fullmatch(text):
        return _seconds(text)
    at = http_date(text, now=now)
    return None if at is None else min(max(0, round(at - now)), MAX_DELTA_S)


def _stated_s(
    headers: Mapping[str, str], directives: Mapping[str, tuple[str, ...]], received_at: float, default_s: float
) -> float:
    """Return the lifetime that the headers state; otherwise the heuristic or the default one."""
    for directive in ("s-maxage", "max-age"):
        stated = _delta_s(directives, directive)
        if stated is not None:
            return stated
    if "expires" in headers:
        return _expires_s(headers, received_at)
    modified = http_date(headers.get("last-modified", ""), now=received_at)
    if modified is None:
        return default_s
    return min(max(0.0, _sent_at(headers, received_at) - modified) * _HEURISTIC_SHARE, _HEURISTIC_MAX_S)


def _expires_s(headers: Mapping[str, str], received_at: float) -> float:
    """Return the lifetime that Expires states. An invalid date, such as "0", means expired (section 5.3)."""
    expires = http_date(headers["expires"], now=received_at)
    return 0.0 if expires is None else expires - _sent_at(headers, received_at)


def _sent_at(headers: Mapping[str, str], received_at: float) -> float:
    date = http_date(headers.get("date", ""), now=received_at)
    return received_at if date is None else date


def _age_s(headers: Mapping[str, str], received_at: float) -> float:
    """Return the age of the response on arrival (RFC 9111, section 4.2.3)."""
    first = headers.get("age", "").partition(",")[0].strip()
    age = _seconds(first) if _DIGITS.fullmatch(first) else 0
    date = http_date(headers.get("date", ""), now=received_at)
    return max(age, received_at - date) if date is not None else age


def _delta_s(directives: Mapping[str, tuple[str, ...]], directive: str) -> int | None:
    """Return the seconds of a directive, the smallest of several; an invalid value counts as 0 (section 4.2.1)."""
    given = directives.get(directive)
    if not given:
        return None
    return min(_seconds(text) if _DIGITS.fullmatch(text) else 0 for text in given)


def _seconds(digits: str) -> int:
    # int() raises on more than 4300 digits.
    return min(int(digits), MAX_DELTA_S) if len(digits.lstrip("0")) <= 10 else MAX_DELTA_S


def _argument(text: str) -> str:
    """Return the argument after a directive's name: `=token` or `="string"` without `=` and quotes, else unchanged."""
    if not text.startswith("="):
        return text
    quoted = _QUOTED.fullmatch(text[1:])
    return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL) if quoted else text[1:]


def _varies_on_everything(headers: Mapping[str, str]) -> bool:
    return "*" in (name.strip() for name in headers.get("vary", "").split(","))
