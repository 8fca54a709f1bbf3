"""The result of a request, independent of HTTP."""

import math
from dataclasses import dataclass, replace
from enum import Enum

from imgcdn.core.stale import V_PAUSE_S
from imgcdn.core.values import SourceRecord, Variant
from imgcdn.origins.base import Freshness, Original
from imgcdn.origins.freshness import UNSTATED, Permissions, permissions
from imgcdn.origins.staleness import names_known_version, names_version


class CacheStatus(Enum):
    """How the cache handled a request (RFC 9211)."""

    HIT = "hit"
    MISS = "fwd=miss"
    COLLAPSED = "fwd=miss; collapsed"
    VALIDATED = "fwd=stale; fwd-status=304"
    REFETCHED = "fwd=stale; fwd-status=200"


#: Status of the origin's response to a validation -> cache status; 0: nothing was validated.
OF_VALIDATION = {0: CacheStatus.HIT, 304: CacheStatus.VALIDATED, 200: CacheStatus.REFETCHED}


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    The result of a request, independent of HTTP.

    Args:
        variant: The variant, with its body unless only the header was requested.
        status: How the cache handled the request.
        stored: Whether the variant is on disk.
        fresh_for_s: Seconds for which the source is fresh, negative once it is stale; None for a file, which is checked
            at every request.
        private: Whether shared caches may not store the response.
        permissions: What the origin permits others to do with it.
        max_age_s: Seconds for which it permits them to use it without asking; None if it does not say.
        has_failing_origin: Whether the picture is shown because its origin failed a moment ago.
        replaced_for_s: Seconds since a new version of the original took the place of the one that is shown; None if it
            is the present one.
        is_provisional: Whether this is not the picture that was meant, so that nobody may keep it for long.
        is_reduced: Whether a limit made an animation a still that would have stayed an animation.
        is_final: Whether the origin was asked after the request's version of the source (`v`) was first seen. If not,
            the picture may be of an earlier version.
    """

    variant: Variant
    status: CacheStatus
    stored: bool = True
    fresh_for_s: int | None = None
    private: bool = False
    permissions: Permissions = UNSTATED
    max_age_s: int | None = None
    has_failing_origin: bool = False
    replaced_for_s: int | None = None
    is_provisional: bool = False
    is_reduced: bool = False
    is_final: bool = True

    def for_version(self, v: str | None, record: SourceRecord, now: float) -> "Delivery":
        """
        Return the delivery for a request that names a version.

        Args:
            v: The caller's version of the source.
            record: The record that the variant was made from.
            now: Unix time.
        """
        origin = record.origin
        if v is None or names_version(v, record.version):
            return self
        if names_known_version(v, record):  # the version before this one, of which nothing is stored
            return replace(self, is_provisional=True, is_final=False)
        if origin is None or v in origin.seen:
            return self
        # The origin is asked when the pause is over (`origins.freshness.judge`).
        left_s = max(0, int(origin.validated_at + V_PAUSE_S - now))
        return replace(self, fresh_for_s=min(left_s, self.fresh_for_s or 0), is_final=False)


def delivery_of(variant: Variant, status: CacheStatus, original: Original, now: float, *, is_reduced: bool) -> Delivery:
    """Return the delivery of a variant that was made from an original."""
    origin, has_failing_origin = original.record.origin, original.freshness is Freshness.FAILING
    if origin is None:
        fresh_for_s = 0 if has_failing_origin else None
        return Delivery(
            variant, status, fresh_for_s=fresh_for_s, has_failing_origin=has_failing_origin, is_reduced=is_reduced
        )
    permitted = permissions(origin.headers, origin.validated_at)
    return Delivery(
        variant,
        status,
        fresh_for_s=math.floor(origin.fresh_until - now),
        private=not origin.storable,
        permissions=permitted,
        max_age_s=None if permitted.fresh_until is None else max(0, int(permitted.fresh_until - now)),
        has_failing_origin=has_failing_origin,
        is_reduced=is_reduced,
    )
