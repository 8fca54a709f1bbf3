"""
Negative entries: failures remembered in a source's record, so that they are not repeated for every request.

A failure of the original or its origin concerns every variant that is not stored. A failed render concerns its own
variant alone.
"""

from dataclasses import replace
from typing import NoReturn

from imgcdn.core.values import FailedVariant, NegativeEntry, SourceRecord
from imgcdn.errors import (
    ORIGIN_PAUSE_S,
    CorruptImage,
    Forbidden,
    ImageTooLarge,
    ImgcdnError,
    OriginBusy,
    OriginError,
    OriginTimeout,
    RenderFailed,
    RenderTimeout,
    SourceNotFound,
    UnsupportedImage,
)

#: After this time, an original or a variant that could not be rendered is tried again. Settings may have changed, or a
#: crash may have had another cause.
_ORIGINAL_S = 60.0

#: After this time, the origin is asked again, unless it sent a Retry-After (with 429 and 5xx, at most
#: `http.MAX_RETRY_AFTER_S`).
_NOT_FOUND_S = 10.0
_ORIGIN_S = float(ORIGIN_PAUSE_S)

#: How many failed variants a record remembers. It is read at every hit, so it must stay small.
_MOST_FAILED = 16

_OF_ORIGINALS = (ImageTooLarge, UnsupportedImage, CorruptImage, RenderFailed, RenderTimeout)
_OF_ORIGINS = (SourceNotFound, OriginError, OriginBusy, OriginTimeout, Forbidden)
_BY_SLUG: dict[str, type[ImgcdnError]] = {error.slug: error for error in (*_OF_ORIGINALS, *_OF_ORIGINS)}
_ORIGIN_SLUGS = {error.slug for error in _OF_ORIGINS}


def negative_entry(error: ImgcdnError, *, now: float) -> NegativeEntry:
    """
    Return the negative entry for an error.

    Args:
        error: An error of an original or of an origin.
        now: Unix time.
    """
    limit, unit = (error.limit, error.unit) if isinstance(error, ImageTooLarge) else (0, "")
    detail = error.log if isinstance(error, Forbidden) else error.detail
    return NegativeEntry(error.slug, detail, now + _lasting_s(error), limit, unit)


def has_live_entry(record: SourceRecord, *, now: float) -> bool:
    """Tell whether a record has a negative entry that has not ended."""
    negative = record.negative
    return negative is not None and negative.slug in _BY_SLUG and negative.until > now


def blames_origin(record: SourceRecord) -> bool:
    """Tell whether a record's negative entry is about the origin, not about the original's bytes."""
    return record.negative is not None and record.negative.slug in _ORIGIN_SLUGS


def is_failure_of_origin(record: SourceRecord) -> bool:
    """
    Tell whether a record's negative entry says that the origin failed, so that what is stored may be used instead.

    That the source is not allowed is no failure. The records of originals that are gone are dropped, so an entry for
    "not found" beside a good record says that the origin withheld it.
    """
    return blames_origin(record) and record.negative is not None and record.negative.slug != Forbidden.slug


def raise_remembered(record: SourceRecord, *, now: float) -> None:
    """
    Raise the error of a record's negative entry.

    Raises:
        ImgcdnError: There is an entry that has not ended.
    """
    if record.negative is not None and has_live_entry(record, now=now):
        _raise(record.negative, now)


def with_failed(record: SourceRecord, key: str, error: ImgcdnError, *, now: float) -> SourceRecord:
    """
    Return a record that remembers a failed variant. The oldest ones above a limit are forgotten.

    Args:
        key: The key of the variant.
        error: Why it failed.
        now: Unix time.
    """
    others = [each for each in record.failed if each.key != key and each.negative.until > now]
    return replace(record, failed=(*others, FailedVariant(key, negative_entry(error, now=now)))[-_MOST_FAILED:])


def raise_failed(record: SourceRecord, key: str, *, now: float) -> None:
    """
    Raise the error of a variant that failed to render.

    Raises:
        ImgcdnError: The record remembers a failure of this variant, which has not ended.
    """
    for each in record.failed:
        if each.key == key and each.negative.slug in _BY_SLUG and each.negative.until > now:
            _raise(each.negative, now)


def _raise(negative: NegativeEntry, now: float) -> NoReturn:
    if negative.slug == ImageTooLarge.slug:
        raise ImageTooLarge(negative.detail, limit=negative.limit, unit=negative.unit)
    if negative.slug in (OriginError.slug, OriginBusy.slug):
        kind = OriginBusy if negative.slug == OriginBusy.slug else OriginError
        raise kind(negative.detail, origin_retry_after_s=max(1, round(negative.until - now)))
    raise _BY_SLUG[negative.slug](negative.detail)


def _lasting_s(error: ImgcdnError) -> float:
    if isinstance(error, SourceNotFound):
        return _NOT_FOUND_S
    if isinstance(error, OriginError):
        return float(error.origin_retry_after_s or _ORIGIN_S)
    return _ORIGIN_S if isinstance(error, Forbidden) else _ORIGINAL_S
