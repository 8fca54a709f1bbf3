"""A dict that forgets its oldest entries."""

from collections.abc import Hashable
from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """
    Remembers up to `limit` entries, and forgets the oldest ones first.

    Reads take no lock: in CPython, get and set of a dict are atomic, and a lost entry only costs another computation.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[K, V] = {}
        self.get = self._entries.get

    def put(self, key: K, value: V) -> None:
        """Remember a value. If the memo is full, forget the oldest one."""
        entries = self._entries
        while len(entries) >= self._limit and key not in entries:
            # If another thread puts between iter() and next(), RuntimeError is raised; then look again.
            with suppress(RuntimeError):
                entries.pop(next(iter(entries), key), None)
        entries[key] = value

    def forget(self, key: K) -> None:
        """Drop an entry, if it is there."""
        self._entries.pop(key, None)
