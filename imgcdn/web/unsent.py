"""Bodies that clients are slow to take: each held once, all together bounded."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from imgcdn.core.values import Body
from imgcdn.web.responses import SLICE_BYTES


class Recipient(Protocol):
    """A connection that a body is sent to."""

    stalled_since: float | None

    def give_up(self) -> None:
        """Take no more of the body."""


@dataclass(slots=True)
class _SharedBody:
    body: Body
    recipients: set[Recipient] = field(default_factory=set)

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory that it takes."""
        return len(self.body) if isinstance(self.body, bytes) else SLICE_BYTES

    def newest_stall(self) -> float:
        """Return when its newest stall began; infinity if a recipient is not stalled."""
        return max(math.inf if each.stalled_since is None else each.stalled_since for each in self.recipients)


class Unsent:
    """
    Large bodies on their way out of one worker.

    Args:
        limit: Bytes of memory for all of them; a single one may be larger.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._bodies: dict[object, _SharedBody] = {}

    def add(self, key: object, body: Body, recipient: Recipient) -> Body:
        """
        Add a recipient of a body. If all bodies together are then too large, disconnect those that stalled first.

        Args:
            key: The same for equal bodies.
            body: What to send.
            recipient: The connection. It calls `remove` when it has the whole body or gives up.

        Returns:
            The body to send from: an equal one that is being sent already, where there is one.
        """
        shared = self._bodies.get(key)
        if shared is None:
            shared = self._bodies[key] = _SharedBody(body)
            self._bytes += shared.memory_bytes
        shared.recipients.add(recipient)
        for other in list(self._excess(shared)):
            other.give_up()
        return shared.body

    def remove(self, key: object, recipient: Recipient) -> None:
        """Remove a recipient, and with the last one the body."""
        shared = self._bodies[key]
        shared.recipients.discard(recipient)
        if not shared.recipients:
            del self._bodies[key]
            self._bytes -= shared.memory_bytes

    def _excess(self, kept: _SharedBody) -> Iterable[Recipient]:
        """
        Yield the recipients to disconnect.

        A body stays in memory until its last recipient goes, so all recipients of a body are disconnected.
        """
        surplus = self._bytes - self._limit
        if surplus <= 0:
            return
        for shared in sorted(self._bodies.values(), key=_SharedBody.newest_stall):
            if surplus > 0 and shared is not kept:
                surplus -= shared.memory_bytes
                yield from shared.recipients
