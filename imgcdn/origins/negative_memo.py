"""
Negative entries of sources of which nothing else is known, in the memory of each process.

Anyone can request sources that do not exist, as many as they like. On disk, their records would take the place of good
pictures. So a negative entry is on disk only beside a good record; all others are here. Each process asks the origin by
itself, also after a restart.
"""

from collections.abc import Callable
from dataclasses import dataclass

from imgcdn.core.footprint import origin_bytes
from imgcdn.core.values import SourceRecord
from imgcdn.origins.negative import has_live_entry

_LIMIT_BYTES = 4 * 2**20

#: A host gets at most this share, so that one with a million missing pictures leaves space for the others.
_HOST_SHARE = 4

#: Bytes of an entry beside its texts: two keys in dicts, and six objects. Measured with tracemalloc.
_ENTRY_BYTES = 850


@dataclass(frozen=True, slots=True)
class _Entry:
    host: str
    record: SourceRecord
    size: int


class NegativeMemo:
    """
    Remembers the records of sources that failed. It forgets the oldest ones first, of one host or of all.

    Reads take no lock, so that any thread may look a source up. All writes come from one thread.

    Args:
        limit_bytes: Bytes that all entries may take.
        clock: Unix time in seconds.
    """

    def __init__(self, limit_bytes: int = _LIMIT_BYTES, *, clock: Callable[[], float]) -> None:
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._keys_of: dict[str, dict[str, None]] = {}
        self._size_of: dict[str, int] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> SourceRecord | None:
        """Return the record of a source. Its negative entry may have ended."""
        entry = self._entries.get(key)
        return None if entry is None else entry.record

    def put(self, key: str, host: str, record: SourceRecord) -> None:
        """
        Remember that a source failed.

        Args:
            key: The key of the source.
            host: Its host.
            record: Its record, with a negative entry.
        """
        self.forget(key)
        detail = record.negative.detail if record.negative is not None else ""
        texts = len(host) + len(detail.encode("utf-8", "surrogatepass"))
        origin = 0 if record.origin is None else origin_bytes(record.origin)
        entry = _Entry(host, record, _ENTRY_BYTES + texts + origin)
        self._entries[key] = entry
        self._keys_of.setdefault(host, {})[key] = None
        self._size_of[host] = self._size_of.get(host, 0) + entry.size
        self.size += entry.size
        self._forget_ended()
        while self._size_of.get(host, 0) > self._limit_bytes // _HOST_SHARE:
            self.forget(next(iter(self._keys_of[host])))
        while self.size > self._limit_bytes:
            self.forget(next(iter(self._entries)))

    def forget(self, key: str) -> None:
        """Drop a source, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.size -= entry.size
        del self._keys_of[entry.host][key]
        self._size_of[entry.host] -= entry.size
        if not self._keys_of[entry.host]:
            del self._keys_of[entry.host], self._size_of[entry.host]

    def forget_all(self) -> None:
        """Drop every source."""
        self._entries.clear()
        self._keys_of.clear()
        self._size_of.clear()
        self.size = 0

    def _forget_ended(self) -> None:
        """Drop the oldest entries as long as they have ended."""
        now = self._clock()
        while self._entries:
            oldest = next(iter(self._entries))
            if has_live_entry(self._entries[oldest].record, now=now):
                return
            self.forget(oldest)
