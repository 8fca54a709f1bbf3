"""Failures that are remembered in a source's record, so that other requests and processes do not repeat them."""

from imgcdn.core.values import NegativeEntry, SourceRecord
from imgcdn.errors import (
    CorruptImage,
    Forbidden,
    ImageTooLarge,
    ImgcdnError,
    OriginError,
    OriginTimeout,
    RenderTimeout,
    SourceNotFound,
    UnsupportedImage,
)

#: An original that cannot be rendered is tried again after this long: settings may have changed, a crash may have
#: been the machine's.
_ORIGINAL_S = 60.0

#: The origin is asked again after this long, unless it named a time itself (429 and 5xx, up to a minute).
_NOT_FOUND_S = 10.0
_ORIGIN_S = 2.0

_OF_ORIGINALS = (ImageTooLarge, UnsupportedImage, CorruptImage, RenderTimeout)
_OF_ORIGINS = (SourceNotFound, OriginError, OriginTimeout, Forbidden)
_BY_SLUG: dict[str, type[ImgcdnError]] = {error.slug: error for error in (*_OF_ORIGINALS, *_OF_ORIGINS)}
_ORIGIN_SLUGS = {error.slug for error in _OF_ORIGINS}


def negative_entry(error: ImgcdnError, *, now: float) -> NegativeEntry:
    """
    Return what is remembered of an error.

    Args:
        error: An original's or an origin's.
        now: Unix time.
    """
    limit, unit = (error.limit, error.unit) if isinstance(error, ImageTooLarge) else (0, "")
    detail = error.log if isinstance(error, Forbidden) else error.detail
    return NegativeEntry(error.slug, detail, now + _lasting_s(error), limit, unit)


def has_live_entry(record: SourceRecord, *, now: float) -> bool:
    """Tell whether a record holds a negative that has not run out."""
    negative = record.negative
    return negative is not None and negative.slug in _BY_SLUG and negative.until > now


def blames_origin(record: SourceRecord) -> bool:
    """Tell whether a record's negative is the origin's, and not that of the bytes."""
    return record.negative is not None and record.negative.slug in _ORIGIN_SLUGS


def raise_remembered(record: SourceRecord, *, now: float) -> None:
    """
    Raise the error that a record remembers.

    Raises:
        ImgcdnError: It has not run out yet.
    """
    negative = record.negative
    if negative is None or not has_live_entry(record, now=now):
        return
    if negative.slug == ImageTooLarge.slug:
        raise ImageTooLarge(negative.detail, limit=negative.limit, unit=negative.unit)
    if negative.slug == OriginError.slug:
        raise OriginError(negative.detail, origin_retry_after_s=max(1, round(negative.until - now)))
    raise _BY_SLUG[negative.slug](negative.detail)


def _lasting_s(error: ImgcdnError) -> float:
    if isinstance(error, SourceNotFound):
        return _NOT_FOUND_S
    if isinstance(error, OriginError):
        return float(error.origin_retry_after_s or _ORIGIN_S)
    return _ORIGIN_S if isinstance(error, Forbidden) else _ORIGINAL_S
