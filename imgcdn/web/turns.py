"""Turns for slices of large bodies, between which everybody else has one."""

import asyncio
from collections import deque

#: A slice costs about 60 microseconds, so a pass of the event loop is a millisecond longer.
_TURNS_A_PASS = 16


class Turns:
    """
    Lets a few slices out in each pass of the event loop, in the order in which they were asked for.

    The kernel takes several slices of each answer at once. When 500 clients ask for a large picture, each pass of the
    loop would otherwise be a slice for every one of them, and a newcomer's hit takes half a dozen passes.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._passing = False

    async def take(self) -> None:
        """Wait for the next turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if not self._passing:
            self._come_back()
        await turn

    def _come_back(self) -> None:
        self._passing = bool(self._waiting)
        if self._passing:
            asyncio.get_running_loop().call_soon(self._pass)

    def _pass(self) -> None:
        for _ in range(min(_TURNS_A_PASS, len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():  # its connection may be gone
                turn.set_result(None)
        self._come_back()
