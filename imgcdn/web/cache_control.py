"""Cache-Control for responses that caches may use for a limited time only."""

import re

# Not preceded by a letter or a hyphen, so that a directive whose name ends alike is left as it is.
_FRESH = re.compile(r"(?<![\w-])(max-age|s-maxage) *= *\"?([0-9]+)\"?", re.IGNORECASE)
_STALE = re.compile(r"(?<![\w-])(stale-while-revalidate|stale-if-error) *= *\"?([0-9]+)\"?", re.IGNORECASE)
_MAX_AGE = re.compile(r"(?<![\w-])(max-age *=|no-store)", re.IGNORECASE)


def limit_lifetimes(cache_control: str, left_s: int) -> str:
    """
    Return a Cache-Control under which no cache uses a response for longer than a number of seconds.

    Stale use comes after the freshness lifetime (RFC 5861), so the two together must not be longer. Without a max-age,
    a cache would choose a lifetime itself (RFC 9111, section 4.2.2), so one is added.

    >>> limit_lifetimes("public, max-age=3600, stale-while-revalidate=86400", 600)
    'public, max-age=600, stale-while-revalidate=0'
    >>> limit_lifetimes("public", 600)
    'public, max-age=600'
    """
    if not _MAX_AGE.search(cache_control):
        cache_control = f"{cache_control}, max-age={left_s}"
    value = _FRESH.sub(lambda found: f"{found[1]}={min(int(found[2]), left_s)}", cache_control)
    fresh_s = max((int(seconds) for _, seconds in _FRESH.findall(value)), default=left_s)
    return _STALE.sub(lambda found: f"{found[1]}={min(int(found[2]), left_s - fresh_s)}", value)


def without_immutable(cache_control: str) -> str:
    """
    Return a Cache-Control that does not promise that the response stays the same (RFC 8246).

    >>> without_immutable("public, max-age=60, immutable")
    'public, max-age=60'
    """
    kept = (directive.strip() for directive in cache_control.split(","))
    return ", ".join(directive for directive in kept if directive.lower() != "immutable")
