"""
What the client has of a picture already, and which part of it it asks for: RFC 9110, sections 13 and 14.

One range is sent as a part. Of several ranges, the whole is sent.
"""

import re

from imgcdn.core.dates import http_date
from imgcdn.core.output.keys import etag
from imgcdn.core.values import Body, Variant
from imgcdn.errors import RangeNotSatisfiable
from imgcdn.web.request import Request

#: A longer If-None-Match is not read. One of this length has 55 of our tags.
MAX_TAGS_LENGTH = 2_000

#: A longer Range or If-Range is not read, so the whole is sent.
MAX_RANGE_LENGTH = 200

_RANGE = re.compile(r"bytes *= *([0-9]{0,19}) *- *([0-9]{0,19}) *", re.IGNORECASE)


def is_conditional(request: Request) -> bool:
    """Tell whether the client may have the picture already."""
    return b"if-none-match" in request.headers or b"if-modified-since" in request.headers


def is_unchanged(variant: Variant, request: Request) -> bool:
    """
    Tell whether the client's copy is this variant (RFC 9110, section 13.1).

    If-None-Match is compared weakly. If-Modified-Since counts only when If-None-Match was not sent.
    """
    tags = request.header(b"if-none-match")
    if tags is not None:
        return names_tag(tags, etag(variant.digest))
    # A two-digit year means the year nearest to the variant's own date.
    since = http_date(request.header(b"if-modified-since") or "", now=variant.made_at)
    return since is not None and variant.made_at <= since


def names_tag(tags: str | None, tag: str) -> bool:
    """
    Tell whether an If-None-Match names a tag, in a list, as weak, or by `*`. One above the limit counts as one of other
    tags, so the client is sent the whole response.

    >>> names_tag('"a", W/"b"', '"b"'), names_tag(None, '"b"')
    (True, False)
    """
    if tags is None or len(tags) > MAX_TAGS_LENGTH:
        return False
    return tags.strip() == "*" or tag in re.findall(r'"[^"]*"', tags)


class Part:
    """
    A part of a body, which is not copied.

    Args:
        body: The whole.
        start: Offset of the first byte.
        length: Number of bytes. They are all in the body.
    """

    __slots__ = ("_body", "_length", "_start")

    def __init__(self, body: Body, start: int, length: int) -> None:
        self._body = body
        self._start = start
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, span: slice, /) -> bytes:
        first, last, _ = span.indices(self._length)
        return self._body[self._start + first : self._start + last]


def asked_range(request: Request, variant: Variant) -> tuple[int, int] | None:
    """
    Return the offsets of the first and the last byte that a GET asks for; None for the whole.

    A Range that is not valid, that names several ranges or another unit, or whose If-Range does not name this very
    variant, is disregarded.

    Raises:
        RangeNotSatisfiable: The range begins behind the last byte.
    """
    asked = request.header(b"range")
    if asked is None or request.method != "GET" or len(asked) > MAX_RANGE_LENGTH:
        return None
    found = _RANGE.fullmatch(asked.strip())
    if found is None or not _is_current(request.header(b"if-range"), variant):
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    length = variant.length
    if not first:  # the last N bytes
        start, end = max(0, length - int(last)), length - 1
        unsatisfiable = int(last) == 0
    else:
        start, end = int(first), min(int(last), length - 1) if last else length - 1
        if last and int(last) < start:
            return None  # not valid, whatever the length
        unsatisfiable = start >= length
    if unsatisfiable:
        raise RangeNotSatisfiable(f"This image has {length} bytes. Ask for a range within them.", length=length)
    return start, end


def _is_current(condition: str | None, variant: Variant) -> bool:
    """Tell whether an If-Range names this variant: by its strong ETag or its exact date (section 13.1.5)."""
    if condition is None:
        return True
    if len(condition) > MAX_RANGE_LENGTH:
        return False
    condition = condition.strip()
    if condition.startswith(('"', "W/")):
        return condition == etag(variant.digest)
    return http_date(condition, now=variant.made_at) == variant.made_at
