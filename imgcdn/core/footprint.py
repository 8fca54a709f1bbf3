"""
How many bytes of memory the values in memos take (`core.memo`).

Texts are measured, because clients and origins choose their length. The rest of each kind of value is a constant, which
a test compares with what tracemalloc measures. To measure every field would take longer than to make the value.
"""

from imgcdn.core.memo import bytes_of
from imgcdn.core.values import NegativeEntry, OriginState, Source, SourceRecord

# Objects, numbers and texts of a fixed length: hashes, slugs, names of formats.
_SOURCE = 72
_RECORD = 640
_NEGATIVE_ENTRY = 260
_FAILED_VARIANT = 200
_ORIGIN = 220

#: A plan with its key and the version of its source.
PLAN_BYTES = 800

#: The version before the present one, with its facts.
_PREVIOUS = 700

#: A variant without its body, and the identity of its file.
VARIANT_BYTES = 560


def source_bytes(source: Source) -> int:
    """Return the size of a source."""
    return _SOURCE + bytes_of(source.location, source.query)


def record_bytes(record: SourceRecord) -> int:
    """Return the size of a record."""
    size = _RECORD
    if record.negative is not None:
        size += _negative_bytes(record.negative)
    if record.origin is not None:
        size += origin_bytes(record.origin)
    if record.previous is not None:
        size += _PREVIOUS
    return size + sum(_FAILED_VARIANT + _negative_bytes(each.negative) for each in record.failed)


def _negative_bytes(negative: NegativeEntry) -> int:
    return _NEGATIVE_ENTRY + bytes_of(negative.detail)


def origin_bytes(origin: OriginState) -> int:
    """Return the size of what an origin said."""
    headers = sum(bytes_of(header, *header) for header in origin.headers)
    way = sum(bytes_of(visit, visit.url, visit.address) for visit in origin.way)
    return _ORIGIN + bytes_of(origin.way, origin.headers, origin.seen, *origin.seen) + headers + way
