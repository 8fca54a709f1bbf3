"""
The queue for the render children. It has two classes of jobs.

A client's job gets the next free child. A background job gets one only while no client's job waits. When a client's job
comes and every child is busy, a child with a background job is killed, and that job goes back into the queue.
"""

import asyncio
from collections import deque
from typing import Protocol

from imgcdn.errors import Overloaded
from imgcdn.renderers.jobs import Failed, Job, Outcome

#: Background jobs that may run or wait. They take no place of a client's job.
_BACKGROUND_PLACES = 64

#: A background job with fewer seconds left than this is not interrupted.
_LAST_S = 0.3

#: From this interruption on, a background job waits this long before it begins again.
_MAX_INTERRUPTIONS = 2
_PUT_OFF_S = 60.0


class Child(Protocol):
    """Whoever does a job. Cancelling it ends the job at once."""

    async def perform(self, job: Job) -> Outcome:
        """Do one job."""


class JobQueue:
    """
    Gives jobs to children.

    Args:
        places: Number of clients' jobs that may run or wait.
        put_off_s: Seconds for which a background job is put off after it was interrupted twice.
    """

    def __init__(self, places: int, *, put_off_s: float = _PUT_OFF_S) -> None:
        self._places = {False: places, True: _BACKGROUND_PLACES}
        self._put_off_s = put_off_s
        self._idle: deque[Child] = deque()
        self._waiting: dict[bool, deque[asyncio.Future[Child]]] = {False: deque(), True: deque()}
        #: Background jobs that run -> their deadline on the event loop's clock.
        self._interruptible: dict[asyncio.Task[Outcome], float] = {}

    def add(self, child: Child) -> None:
        """Take in a child that is free: a new one, or one that has done its job."""
        for waiting in (self._waiting[False], self._waiting[True]):
            while waiting:
                future = waiting.popleft()
                if not future.done():
                    future.set_result(child)
                    return
        self._idle.append(child)

    async def perform(self, job: Job) -> Outcome:
        """Have a job done as soon as its class permits. Cancelling this ends it."""
        if self._places[job.is_background] <= 0:
            return Failed(Overloaded("Too many pictures are waiting to be rendered. Try again in a second."))
        self._places[job.is_background] -= 1
        try:
            if job.is_background:
                return await self._perform_in_background(job)
            child = await self._take(is_background=False)
            try:
                return await child.perform(job)
            finally:
                self.add(child)
        finally:
            self._places[job.is_background] += 1

    async def _perform_in_background(self, job: Job) -> Outcome:
        interruptions = 0
        while True:
            child = await self._take(is_background=True)
            work = asyncio.create_task(child.perform(job))
            self._interruptible[work] = asyncio.get_running_loop().time() + job.timeout_s
            try:
                await asyncio.wait([work])
            finally:
                del self._interruptible[work]
                work.cancel()  # no effect on one that is done
                work.add_done_callback(lambda _, child=child: self.add(child))  # type: ignore[misc]  # binds this child
            if not work.cancelled():
                return work.result()
            interruptions += 1
            if interruptions >= _MAX_INTERRUPTIONS:
                await asyncio.sleep(self._put_off_s)

    async def _take(self, *, is_background: bool) -> Child:
        if self._idle:  # then nobody waits
            return self._idle.popleft()
        future: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._waiting[is_background].append(future)
        if not is_background:
            self._interrupt_one()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # a child came at the same moment
                self.add(future.result())
            raise

    def _interrupt_one(self) -> None:
        """Interrupt the background job that has the most time left, because it has lost the least."""
        limit = asyncio.get_running_loop().time() + _LAST_S
        running = [work for work, deadline in self._interruptible.items() if deadline > limit and not work.cancelling()]
        if running:
            max(running, key=self._interruptible.__getitem__).cancel()
