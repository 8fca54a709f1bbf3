"""Failures that are remembered in a source's record, so that other requests and processes do not repeat them."""

from imgcdn.core.values import Refusal, SourceRecord
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


def refusal_for(error: ImgcdnError, *, now: float) -> Refusal:
    """
    Return what is remembered of an error.

    Args:
        error: An original's or an origin's.
        now: Unix time.
    """
    limit, unit = (error.limit, error.unit) if isinstance(error, ImageTooLarge) else (0, "")
    detail = error.log if isinstance(error, Forbidden) else error.detail
    return Refusal(error.slug, detail, now + _lasting_s(error), limit, unit)


def is_refused(record: SourceRecord, *, now: float) -> bool:
    """Tell whether a record holds a refusal that has not run out."""
    refusal = record.refusal
    return refusal is not None and refusal.slug in _BY_SLUG and refusal.until > now


def is_origins(record: SourceRecord) -> bool:
    """Tell whether a record's refusal is the origin's, and not that of the bytes."""
    return record.refusal is not None and record.refusal.slug in _ORIGIN_SLUGS


def raise_refusal(record: SourceRecord, *, now: float) -> None:
    """
    Raise the error that a record remembers.

    Raises:
        ImgcdnError: It has not run out yet.
    """
    refusal = record.refusal
    if refusal is None or not is_refused(record, now=now):
        return
    if refusal.slug == ImageTooLarge.slug:
        raise ImageTooLarge(refusal.detail, limit=refusal.limit, unit=refusal.unit)
    if refusal.slug == OriginError.slug:
        raise OriginError(refusal.detail, origin_retry_after_s=max(1, round(refusal.until - now)))
    raise _BY_SLUG[refusal.slug](refusal.detail)


def _lasting_s(error: ImgcdnError) -> float:
    if isinstance(error, SourceNotFound):
        return _NOT_FOUND_S
    if isinstance(error, OriginError):
        return float(error.origin_retry_after_s or _ORIGIN_S)
    return _ORIGIN_S if isinstance(error, Forbidden) else _ORIGINAL_S
