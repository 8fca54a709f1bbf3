"""
Whether anybody waits for a piece of work.

Whoever does the work can watch this, and give way to work that is waited for.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Withdrawn(Exception):
    """Nobody waited for a piece of work any more, so it made way for other work. It left no result."""


class Interest:
    """
    Tells whether anybody waits for a piece of work. It belongs to one event loop.

    Nobody waits when the last client has left. A new client may then join the work again, as long as it goes on.
    """

    def __init__(self) -> None:
        self.is_wanted = True
        self._watchers: list[Callable[[bool], None]] = []

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
