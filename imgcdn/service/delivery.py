"""The result of a request, independent of HTTP."""

from dataclasses import dataclass
from enum import Enum

from imgcdn.core.values import Variant


class CacheStatus(Enum):
    """How the cache handled a request (RFC 9211)."""

    HIT = "hit"
    MISS = "fwd=miss"
    COLLAPSED = "fwd=miss; collapsed"
    VALIDATED = "fwd=stale; fwd-status=304"
    REFETCHED = "fwd=stale; fwd-status=200"


#: Status of the validation that a request waited for -> its own; 0 if there was none.
OF_VALIDATION = {0: CacheStatus.HIT, 304: CacheStatus.VALIDATED, 200: CacheStatus.REFETCHED}


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    The result of a request, independent of HTTP.

    Args:
        variant: The variant, with its body unless only the header was requested.
        status: How the cache handled the request.
        stored: Whether the variant is on disk.
        fresh_for_s: Seconds for which the source is fresh; None for a file, which is checked at every request.
        private: Whether shared caches may not store the response.
    """

    variant: Variant
    status: CacheStatus
    stored: bool = True
    fresh_for_s: int | None = None
    private: bool = False
