"""How a record says that its original must be looked at again, although nothing of it is known to have changed."""

from dataclasses import replace

from imgcdn.core.values import FileStamp, SourceRecord

#: An unseen `v` makes a record stale, but not within this time after a validation, because anyone can invent a `v`.
V_PAUSE_S = 10.0

#: The stamp of no file.
NO_FILE = FileStamp(0, 0, 0, 0)


def as_stale(record: SourceRecord, now: float) -> SourceRecord:
    """
    Return a record that must be validated before it counts as fresh again. Remembered failures are dropped.

    For a remote original, its freshness has ended, and its last validation is so old that an unseen `v` asks the
    origin. A file is read and hashed again, because its stamp is that of no file.
    """
    if record.origin is None:
        return replace(record, stamp=NO_FILE, negative=None, failed=())
    origin = replace(
        record.origin,
        validated_at=min(record.origin.validated_at, now - V_PAUSE_S - 1),
        fresh_until=min(record.origin.fresh_until, now),
    )
    return replace(record, origin=origin, negative=None, failed=())
