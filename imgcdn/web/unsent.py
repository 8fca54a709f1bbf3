"""Bodies that clients are slow to take: each held once, all together bounded."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from imgcdn.core.values import Body
from imgcdn.web.responses import SLICE_BYTES


class Reader(Protocol):
    """Whoever takes a body."""

    stalled_since: float | None

    def give_up(self) -> None:
        """Take no more of it."""


@dataclass(slots=True)
class _Held:
    body: Body
    readers: set[Reader] = field(default_factory=set)

    @property
    def bytes(self) -> int:
        """What it takes of memory."""
        return len(self.body) if isinstance(self.body, bytes) else SLICE_BYTES

    def newest_stall(self) -> float:
        """Return when its newest stall began; infinity if a reader is not stalled."""
        return max(math.inf if reader.stalled_since is None else reader.stalled_since for reader in self.readers)


class Unsent:
    """
    Large bodies on their way out of one worker.

    Args:
        limit: Bytes of memory for all of them; a single one may be larger.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._held: dict[object, _Held] = {}

    def hold(self, key: object, body: Body, reader: Reader) -> Body:
        """
        Add a reader of a body. If all bodies together are then too large, disconnect the readers that stalled first.

        Args:
            key: The same for equal bodies.
            body: What to send.
            reader: Who takes it; lets go with `drop`.

        Returns:
            The body to send from: the one that is held already, where there is one.
        """
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(body)
            self._bytes += held.bytes
        held.readers.add(reader)
        for other in list(self._excess(held)):
            other.give_up()
        return held.body

    def drop(self, key: object, reader: Reader) -> None:
        """Let go of a body."""
        held = self._held[key]
        held.readers.discard(reader)
        if not held.readers:
            del self._held[key]
            self._bytes -= held.bytes

    def _excess(self, kept: _Held) -> Iterable[Reader]:
        """Yield the readers to disconnect. A body leaves memory only with its last reader, so all of a body's go."""
        surplus = self._bytes - self._limit
        if surplus <= 0:
            return
        for held in sorted(self._held.values(), key=_Held.newest_stall):
            if surplus > 0 and held is not kept:
                surplus -= held.bytes
                yield from held.readers
