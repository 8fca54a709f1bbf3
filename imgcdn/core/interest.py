"""
Who waits for a piece of work, and until when.

The code that does the work watches this. When nobody waits any more, it gives way to work that somebody waits for.
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
    One request: whose it is, and when it gives up.

    Args:
        client: The client's address, or the network that counts as one client; empty if it is not known.
        host: The host of the source; empty for a folder.
        source: The source's key.
        ends_at: When the request gives up, on the event loop's clock.
        is_background: Whether it stands for work of the service that no client waits for.
    """

    client: str = ""
    host: str = ""
    source: str = ""
    ends_at: float = math.inf
    is_background: bool = False


#: Stands for the service itself, when it does work that no request asked for.
NOBODY = Requester()


class Interest:
    """
    Tells whether anybody waits for a piece of work. It belongs to one event loop.

    Nobody waits when the last client has left. A new client may then join the work again, as long as it goes on.

    Attributes:
        requester: The request that began the work.
        ends_at: When the last of all requests gives up, on the event loop's clock.
        waited_s: Seconds for which another process held the work's key before this one began (`service.key_locks`).
    """

    def __init__(self, requester: Requester = NOBODY) -> None:
        self.requester = requester
        self.ends_at = requester.ends_at
        self.waited_s = 0.0
        self.is_wanted = True
        self._watchers: list[Callable[[bool], None]] = []

    def as_requester(self) -> Requester:
        """Return one request that stands for all who wait, to start further work with."""
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


#: Stands for somebody who always waits. It never changes, so every event loop may use it.
ALWAYS = Interest()
