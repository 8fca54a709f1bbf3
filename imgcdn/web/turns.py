"""Turns for slices of large bodies. Other requests are answered between them."""

import asyncio
from collections import deque
from collections.abc import Callable

#: A slice costs about 60 microseconds, so a pass of the event loop is a millisecond longer.
_TURNS_A_PASS = 16


class Turns:
    """
    Lets a few slices out in each pass of the event loop, in the order in which they were asked for.

    The kernel takes several slices of each response at once. If 500 clients requested a large picture, each pass of the
    loop would otherwise send a slice to every one of them, and a new request would wait for several passes.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_due = False

    def take(self, send: Callable[[], None]) -> None:
        """Call `send` at the next turn."""
        self._waiting.append(send)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._pass)

    def _pass(self) -> None:
        # Scheduled one by one: if one raises, the others still get their turn.
        for _ in range(min(_TURNS_A_PASS, len(self._waiting))):
            asyncio.get_running_loop().call_soon(self._waiting.popleft())
        self._is_due = bool(self._waiting)
        if self._is_due:
            asyncio.get_running_loop().call_soon(self._pass)
