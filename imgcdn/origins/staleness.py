"""
What may be done with a record now: RFC 9111, section 4.2, and RFC 5861, for a service that keeps originals for years.

A picture that is no longer fresh is still shown, within limits, while its origin is asked or does not answer. Visitors
then do not wait, and do not notice.
"""

from collections.abc import Callable
from dataclasses import dataclass

from imgcdn.core.stale import V_PAUSE_S
from imgcdn.core.values import FileStamp, OriginState, SourceRecord
from imgcdn.origins.base import Freshness
from imgcdn.origins.freshness import Permissions
from imgcdn.origins.negative import has_live_entry, is_failure_of_origin

#: Fewer digits of a hash may be the caller's own version, such as a date.
_LEAST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class StaleUse:
    """
    For how long after the end of its freshness an original may be used.

    Args:
        while_revalidate_s: Seconds for which it is used while it is validated in the background.
        if_error_s: Seconds for which it is used when its origin fails.
    """

    while_revalidate_s: float
    if_error_s: float

    def permitted_by(self, origin: Permissions, *, always: bool) -> "StaleUse":
        """
        Return what is left of these limits where the origin permits less. Where it states nothing, these count.

        An original without a lifetime, such as with max-age=0, is not used while it is validated, unless the origin
        states a stale-while-revalidate.

        Args:
            always: Whether the operator said that the origin's word does not count.
        """
        if always:
            return self
        if origin.forbids_stale:
            return NO_STALE_USE
        validating_s = origin.stale_while_revalidate_s
        if validating_s is None and origin.must_validate:
            validating_s = 0
        return StaleUse(_least(self.while_revalidate_s, validating_s), _least(self.if_error_s, origin.stale_if_error_s))


NO_STALE_USE = StaleUse(0.0, 0.0)


def judge(
    record: SourceRecord,
    *,
    stamp: FileStamp | None,
    v: str | None,
    now: float,
    max_ttl_s: float,
    stale_use: Callable[[OriginState], StaleUse],
) -> Freshness:
    """
    Return what may be done with a record.

    Args:
        stamp: The current stamp of the original's file; None if freshness depends on time. A file is fresh while its
            stamp is the same; `v` has no effect on it.
        v: The caller's version of the source.
        now: Unix time.
        max_ttl_s: Longest lifetime. A record that is fresh for longer was made before the clock was set back.
        stale_use: Returns the limits for an origin's response. It is called only if the record is not fresh.
    """
    if stamp is not None:
        known = record.facts is not None or has_live_entry(record, now=now)
        return Freshness.FRESH if known and record.stamp == stamp else Freshness.STALE
    origin, has_failure = record.origin, has_live_entry(record, now=now)
    if origin is None or record.facts is None:
        return Freshness.FRESH if has_failure else Freshness.STALE
    stale_for_s = now - origin.fresh_until
    if stale_for_s < -max_ttl_s:
        stale_for_s = 0.0
    origin_failed = is_failure_of_origin(record)
    if has_failure:
        may_be_used = origin_failed and stale_for_s <= stale_use(origin).if_error_s
        return Freshness.FAILING if may_be_used else Freshness.FRESH
    unseen = v is not None and v not in origin.seen and not names_known_version(v, record)
    if unseen and now - origin.validated_at > V_PAUSE_S:
        return Freshness.STALE
    if stale_for_s < 0:
        return Freshness.FRESH
    permitted = stale_use(origin)
    # After a failure, nobody waits to see whether the next attempt fails, too.
    limit_s = max(permitted.while_revalidate_s, permitted.if_error_s if origin_failed else 0.0)
    return Freshness.STALE_OK if stale_for_s < limit_s else Freshness.STALE


def names_version(v: str, version: str) -> bool:
    """
    Tell whether a caller's version (`v`) is the beginning of the SHA-256 of an original's bytes, in 12 digits or more.

    Such a `v` needs no validation: the picture is of that version, or it is not.

    >>> names_version("0123456789ab", "0123456789abcdef"), names_version("2026", "20260101")
    (True, False)
    """
    return len(v) >= _LEAST_DIGITS and version.startswith(v)


def names_known_version(v: str, record: SourceRecord) -> bool:
    """Tell whether a caller's version is the present one of a record, or the one before it."""
    return names_version(v, record.version) or (
        record.previous is not None and names_version(v, record.previous.version)
    )


def _least(limit_s: float, stated_s: int | None) -> float:
    return limit_s if stated_s is None else min(limit_s, stated_s)
