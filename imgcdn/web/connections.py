"""
The open connections of one worker: how many there may be, and how long each may wait for its client.

One sweep a second looks at all of them, so that a hit pays for no timer.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Protocol

from imgcdn.web.settings import WebSettings
from imgcdn.web.turns import Turns
from imgcdn.web.unsent import Unsent

_SWEEP_S = 1.0

#: While the worker only waits for its last clients: seconds for the rest of a head, and for a slice.
_LAST_HEAD_S = 1.0
_LAST_WRITE_S = 5.0

#: One in this many connections is closed when there are too many. To sort them for each newcomer would cost more than
#: to serve it.
_EVICTED_PART = 16

#: What one read takes from a socket. All connections share the buffer: what was read is parsed before the next read.
_READ_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a client gets to finish a request, to begin the next one, and to read a slice."""

    head_s: float
    idle_s: float
    write_s: float


class Watched(Protocol):
    """What `Connections` needs to know of a connection."""

    @property
    def waiting_since(self) -> float | None:
        """Since when the client has kept us waiting; None: it is our turn."""

    def is_overdue(self, now: float) -> bool:
        """Tell whether the client has kept us waiting for too long."""

    def give_up(self) -> None:
        """Close the connection."""


class Connections:
    """
    The open connections of one worker, and what they share.

    Args:
        settings: How patient the service is with clients.
        limit: How many may be open. When more come, those that have waited longest for their client are closed. A new
            connection counts as waiting from its start, so it is the last to be closed.
    """

    def __init__(self, settings: WebSettings, limit: int) -> None:
        self.patience = Patience(settings.header_timeout_s, settings.idle_timeout_s, settings.write_timeout_s)
        self.unsent = Unsent(settings.max_unsent_bytes)
        self.turns = Turns()
        self.buffer = memoryview(bytearray(_READ_BYTES))
        self._limit = limit
        self._open: set[Watched] = set()

    def __len__(self) -> int:
        return len(self._open)

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once a second, close the connections that are overdue."""
        loop.call_later(_SWEEP_S, self.watch, loop)
        self._sweep()

    def admit(self, connection: Watched) -> None:
        """Add a connection. If there are now too many, close those that have waited longest."""
        self._open.add(connection)
        if len(self._open) > self._limit:
            waiting = sorted((since, id(other), other) for other in self._open if (since := other.waiting_since))
            self._close(other for _, _, other in waiting[: 1 + self._limit // _EVICTED_PART])

    def discard(self, connection: Watched) -> None:
        """Remove a connection."""
        self._open.discard(connection)

    def close_idle(self) -> None:
        """Close connections that wait for another request, now and from now on."""
        self.patience = replace(self.patience, idle_s=0)
        self._sweep()

    def close_waiting(self) -> None:
        """Close connections that wait for their client, now and from now on, as soon as is fair."""
        patience = self.patience
        self.patience = Patience(min(patience.head_s, _LAST_HEAD_S), 0, min(patience.write_s, _LAST_WRITE_S))
        self._sweep()

    def _sweep(self) -> None:
        now = monotonic()
        self._close([each for each in self._open if each.is_overdue(now)])

    def _close(self, connections: Iterable[Watched]) -> None:
        for connection in connections:
            # Remove it now. connection_lost comes later, and a burst would evict the same connections again.
            self._open.discard(connection)
            connection.give_up()
