"""
Work that several requests wait for, done once.

The request that starts a flight is its leader; those that join it are its followers. All get the same result or the
same error. Across processes, the leader holds the lock on its key (`service.key_locks`).

When the last request of a flight leaves, nobody waits for its work, and the work may make way for other work
(`core.interest`). Until it does, another request can join it again.

An error refers to the frames that it has passed, with their variables, and a task refers to its error. A frame that is
left with an error must therefore not keep a task in a variable. Otherwise error and task form a cycle that keeps
everything the request holds: its connection, its buffers and its headers. The collector of cycles runs too rarely for
that (`web.worker`).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from imgcdn.core.interest import NOBODY, Interest, Requester, Withdrawn
from imgcdn.errors import Overloaded
from imgcdn.service.key_locks import KeyLocks

T = TypeVar("T")

#: The part of a flight that does the work. It gets the interest in it.
Work = Callable[[Interest], Coroutine[Any, Any, T]]

#: Seconds between two checks whether another process waits for a flight that this one has abandoned.
_ELSEWHERE_S = 0.25


@dataclass(frozen=True, slots=True)
class Shared(Generic[T]):
    """
    The result of a flight.

    Args:
        value: What the work returned.
        leads: Whether this request started it.
    """

    value: T
    leads: bool


class _Flight:
    """Work that is under way, and how many requests of this process wait for it."""

    def __init__(self, key: str, interest: Interest, task: "asyncio.Task[Any]") -> None:
        self.key = key
        self.interest = interest
        self.task = task
        self.waiting = 0
        self.looking: asyncio.TimerHandle | None = None


class SingleFlight:
    """
    The flights of one process.

    Args:
        locks: The locks that the processes of the service share; None to join within this process only.
    """

    def __init__(self, locks: KeyLocks | None = None) -> None:
        self._locks = locks
        self._flights: dict[str, _Flight] = {}
        self._abandoned: Counter[str] = Counter()

    def abandoned(self, host: str | None = None) -> int:
        """Return how many flights go on although nobody waits: those for a host, or all."""
        return self._abandoned.total() if host is None else self._abandoned[host]

    async def share(self, key: str, work: Work[T], requester: Requester = NOBODY) -> Shared[T]:
        """
        Wait for the work of a key; start it if nobody has. Return its result, or raise its error.

        Args:
            key: Names the work.
            work: Does the work. It is called for the leader only.
            requester: The request that waits.

        Raises:
            Overloaded: The flight was cancelled because the process ends.
        """
        while True:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._start(key, work, requester)
            try:
                return Shared(await self._wait(flight, requester), leads)
            except Withdrawn:  # it made way just when this request joined it
                self._forget(flight)
            finally:
                del flight  # see the docstring of the module

    async def share_within(self, outer: Interest, key: str, work: Work[T]) -> Shared[T]:
        """
        Wait for the work of a key on behalf of another flight.

        Args:
            outer: The interest in that flight.

        Raises:
            Withdrawn: Nobody waits for that flight any more.
        """
        waiting = asyncio.create_task(self.share(key, work, outer.as_requester()))
        try:
            with outer.watched_by(partial(_cancel_unwanted, waiting)):
                return await waiting
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            raise Withdrawn from None
        finally:
            waiting.cancel()
            del waiting

    async def stop(self) -> None:
        """Cancel every flight, and wait until it has ended. Requests that still wait for one get `Overloaded`."""
        while self._flights:
            tasks = [flight.task for flight in self._flights.values()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if self._locks is not None:
            self._locks.close()

    def _start(self, key: str, work: Work[Any], requester: Requester) -> _Flight:
        interest = Interest(requester)
        flight = _Flight(key, interest, asyncio.create_task(self._lead(key, work, interest)))
        self._flights[key] = flight
        flight.task.add_done_callback(lambda _: self._land(flight))
        return flight

    async def _lead(self, key: str, work: Work[T], interest: Interest) -> T:
        if self._locks is None:
            return await work(interest)
        async with self._locks.hold(key, interest):
            return await work(interest)

    async def _wait(self, flight: _Flight, requester: Requester) -> Any:
        flight.waiting += 1
        self._end_looking(flight)
        flight.interest.join(requester)
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if flight.task.cancelled() and not _is_being_cancelled():
                raise Overloaded.at_shutdown() from None
            raise
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._abandoned[flight.interest.requester.host] += 1
                self._look_elsewhere(flight)
            del flight

    def _end_looking(self, flight: _Flight) -> None:
        if flight.looking is not None:
            flight.looking.cancel()
            flight.looking = None
            host = flight.interest.requester.host
            self._abandoned[host] -= 1
            if not self._abandoned[host]:
                del self._abandoned[host]

    def _look_elsewhere(self, flight: _Flight) -> None:
        """While no request of this process waits, the work is wanted as long as one of another process does."""
        awaited = self._locks is not None and self._locks.is_awaited(flight.key)
        flight.looking = asyncio.get_running_loop().call_later(_ELSEWHERE_S, self._look_elsewhere, flight)
        flight.interest.change(is_wanted=awaited)

    def _land(self, flight: _Flight) -> None:
        self._forget(flight)
        self._end_looking(flight)
        if not flight.task.cancelled():
            flight.task.exception()  # marks the error as retrieved, in case no request waits any more

    def _forget(self, flight: _Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]


def _is_being_cancelled() -> bool:
    """Tell whether the running task is cancelled itself, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _cancel_unwanted(task: "asyncio.Task[Any]", is_wanted: bool) -> None:
    if not is_wanted:
        task.cancel()
