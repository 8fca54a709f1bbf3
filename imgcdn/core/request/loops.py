"""Requests that this service has sent to itself, by their CDN-Loop (RFC 8586)."""

from imgcdn.core.quoting import hide_quoted

#: A longer CDN-Loop is not read. One of this length names 50 networks.
MAX_CDN_LOOP_LENGTH = 2_000


def is_loop(header: str | None, loop_id: str) -> bool:
    """
    Tell whether a request came from this service. A header that is too long to be read counts as a loop.

    >>> is_loop('other.example; a="imgcdn-1", imgcdn-1;v=2', "imgcdn-1")
    True
    """
    if header is None or len(header) > MAX_CDN_LOOP_LENGTH:
        return header is not None
    return loop_id in (item.partition(";")[0].strip() for item in hide_quoted(header).split(","))
