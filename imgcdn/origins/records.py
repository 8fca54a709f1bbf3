"""What a record takes over from an origin's answer, and from the record before it."""

from collections.abc import Mapping
from dataclasses import replace

from imgcdn.core.values import OriginState, Previous, SourceRecord
from imgcdn.origins.base import Answer
from imgcdn.origins.freshness import lifetime
from imgcdn.origins.settings import OriginSettings

#: How many of the callers' versions (`v`) a record remembers.
_MOST_SEEN = 16


def origin_state(
    settings: OriginSettings, answer: Answer, headers: Mapping[str, str], v: str | None, before: OriginState | None
) -> OriginState:
    """
    Return what is kept of an origin's answer.

    Args:
        settings: The limits of lifetimes.
        headers: Those of the answer, or the kept ones updated with those of a 304.
        v: The caller's version of the source, which is seen now.
        before: What was kept of the answer before.
    """
    permitted = lifetime(
        headers,
        received_at=answer.received_at,
        min_ttl_s=settings.min_ttl,
        default_ttl_s=settings.default_ttl,
        max_ttl_s=settings.max_ttl,
    )
    seen = before.seen if before else ()
    if v is not None and v not in seen:
        seen = (*seen, v)[-_MOST_SEEN:]
    return OriginState(
        way=answer.way,
        headers=tuple(sorted(headers.items())),
        validated_at=answer.received_at,
        fresh_until=answer.received_at + permitted.fresh_for_s,
        storable=permitted.storable,
        seen=seen,
    )


def previous_of(before: SourceRecord | None, record: SourceRecord, now: float) -> Previous | None:
    """Return the version before that of a new record, given the record before it."""
    if before is None or before.facts is None or before.version == record.version:
        return None if before is None else before.previous
    return Previous(before.version, before.facts, now)


def complete(
    probed: SourceRecord,
    origin: OriginState | None,
    *,
    before: SourceRecord | None,
    newest: SourceRecord | None,
    now: float,
) -> SourceRecord:
    """
    Return the record of an original that was probed, with all that is known of it.

    Args:
        origin: What its origin said.
        before: The record before it was fetched.
        newest: The record now. A render may have failed during the probe.
        now: Unix time.
    """
    failed = newest.failed if newest is not None and newest.version == probed.version else ()
    record = replace(probed, origin=origin, failed=failed)
    return replace(record, previous=previous_of(before, record, now))


def latest(known: SourceRecord, newest: SourceRecord | None) -> SourceRecord:
    """Return the record that was validated, with the failures of renders that were remembered during the validation."""
    if newest is None or newest.version != known.version:
        newest = known
    return replace(newest, negative=None if newest.negative == known.negative else newest.negative)
