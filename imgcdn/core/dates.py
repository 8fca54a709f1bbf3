"""Dates as HTTP writes them (RFC 9110, section 5.6.7)."""

import re
from calendar import timegm

#: A longer text is no date. The longest one, with a day's whole name, has 33 characters.
MAX_DATE_LENGTH = 100

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>[a-z]{{3}}) (?P<year>\d{{4}}) {_TIME} GMT",
        rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[a-z]{{3}})-(?P<year>\d\d) {_TIME} GMT",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)


def http_date(text: str, *, now: float) -> int | None:
    """
    Read a date in one of the three formats of HTTP (RFC 9110, section 5.6.7).

    Return Unix time; None if the text is not a date, or names a year that has no timestamp.

    Args:
        text: The value of the header.
        now: Unix time. A year of two digits is read as one at most 50 years after it.

    >>> http_date("Sun, 06 Nov 1994 08:49:37 GMT", now=0)
    784111777
    """
    if len(text) > MAX_DATE_LENGTH:
        return None
    match = next(filter(None, (pattern.fullmatch(text.strip()) for pattern in _DATES)), None)
    if match is None or match["month"].lower() not in _MONTHS:
        return None
    year, month, day = int(match["year"]), _MONTHS.index(match["month"].lower()) + 1, int(match["day"])
    hour, minute, second = (int(match[part]) for part in ("hour", "minute", "second"))
    if not 1 <= day <= 31 or hour > 23 or minute > 59 or second > 60:
        return None
    if len(match["year"]) == 2:
        this_year = 1970 + int(now / 31_556_952)  # the mean Gregorian year
        year += this_year - this_year % 100
        year -= 100 if year > this_year + 50 else 0
    try:
        return timegm((year, month, day, hour, minute, second))
    except ValueError:  # the year 0000 matches the grammar, and Python's calendar begins in the year 1
        return None
