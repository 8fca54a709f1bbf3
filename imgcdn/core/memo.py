"""A dict that forgets its oldest entries."""

from collections.abc import Hashable
from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """
    Remembers up to `limit` entries; the ones put first go first.

    Reads take no lock: in CPython a dict's get and set are atomic, and a lost entry is only looked up again.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[K, V] = {}
        self.get = self._entries.get

    def put(self, key: K, value: V) -> None:
        """Remember a value, in place of the oldest one when full."""
        entries = self._entries
        while len(entries) >= self._limit and key not in entries:
            # Another thread may put between iter() and next(): then there is one more to forget, or none.
            with suppress(RuntimeError):
                entries.pop(next(iter(entries), key), None)
        entries[key] = value

    def forget(self, key: K) -> None:
        """Drop an entry, if it is there."""
        self._entries.pop(key, None)
