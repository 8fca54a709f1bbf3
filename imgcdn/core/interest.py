"""
Who waits for a piece of work, and until when.

Whoever does the work can watch this, and give way to work that is waited for.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


class Withdrawn(Exception):
    """Nobody waited for a piece of work any more, so it made way for other work. It left no result."""


@dataclass(frozen=True, slots=True)
class Requester:
    """
    The request that began a piece of work.

    Args:
        client: The client's address, or the network that counts as one client; empty if it is not known.
        host: The host of the source; empty for a folder.
        source: The source's key.
        ends_at: When the request gives up, on the event loop's clock.
    """

    client: str = ""
    host: str = ""
    source: str = ""
    ends_at: float = math.inf


#: Of work that the service does for itself.
NOBODY = Requester()


class Interest:
    """
    Tells whether anybody waits for a piece of work. It belongs to one event loop.

    Nobody waits when the last client has left. A new client may then join the work again, as long as it goes on.

    Attributes:
        requester: The request that began the work.
        ends_at: When the last of all requests gives up, on the event loop's clock.
        waited_s: Seconds for which another process did the work before this one began.
    """

    def __init__(self, requester: Requester = NOBODY) -> None:
        self.requester = requester
        self.ends_at = requester.ends_at
        self.waited_s = 0.0
        self.is_wanted = True
        self._watchers: list[Callable[[bool], None]] = []

    def as_requester(self) -> Requester:
        """Return all who wait as one request, for work that this work waits for."""
        return replace(self.requester, ends_at=self.ends_at)

    def join(self, requester: Requester) -> None:
        """Note that another request waits, too."""
        self.ends_at = max(self.ends_at, requester.ends_at)
        self.change(is_wanted=True)

    def change(self, *, is_wanted: bool) -> None:
        """Tell those who watch whether anybody waits."""
        if self.is_wanted == is_wanted:
            return
        self.is_wanted = is_wanted
        for watcher in list(self._watchers):
            watcher(is_wanted)

    @contextmanager
    def watched_by(self, watcher: Callable[[bool], None]) -> Iterator[None]:
        """
        Call a function at each change, as long as the context lasts. If nobody waits now, call it at once.

        Args:
            watcher: Gets whether anybody waits. It must not block.
        """
        self._watchers.append(watcher)
        try:
            if not self.is_wanted:
                watcher(False)
            yield
        finally:
            self._watchers.remove(watcher)


#: Of work that somebody always waits for.
ALWAYS = Interest()
