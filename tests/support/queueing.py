"""A queue whose children do what the test says, and jobs by name."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

from imgcdn.core.interest import ALWAYS, Interest
from imgcdn.core.values import FileStamp, PathBeneath
from imgcdn.errors import RenderTimeout
from imgcdn.renderers.jobs import Claim, Failed, Job, Outcome, Probed, ProbeJob
from imgcdn.renderers.queue import JobQueue
from imgcdn.renderers.time_spent import TimeSpent


def job(name: str, *, timeout_s: float = 20.0) -> ProbeJob:
    return ProbeJob(PathBeneath("/", name), FileStamp(0, 0, 0, 0), None, 1, timeout_s)


#: A claim of a job that is not short.
LONG = Claim(cost_ms=100.0)

BEHIND = Claim(cost_ms=100.0, is_background=True)


@dataclass
class Hand:
    """
    A child that notes its jobs, and finishes one when it is told to.

    Args:
        spent_ms: What it says that each job takes.
        is_late: Whether jobs end by their deadline.
    """

    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    anew: list[bool] = field(default_factory=list)
    timeouts_s: list[float] = field(default_factory=list)
    finish: asyncio.Event = field(default_factory=asyncio.Event)
    spent_ms: float = 0.0
    is_late: bool = False

    async def perform(self, job: Job, *, anew: bool, spent: TimeSpent) -> Outcome:
        self.begun.append(job.path.name)
        self.anew.append(anew)
        self.timeouts_s.append(job.timeout_s)
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.ended.append(job.path.name)
            raise
        finally:
            spent.ms += self.spent_ms
        self.finish.clear()
        return Failed(RenderTimeout("late")) if self.is_late else outcome(job.path.name)


def outcome(name: str) -> Outcome:
    """Return what a hand makes of a job."""
    return Probed(name, None, None)


def run(scenario: Coroutine[None, None, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario

    asyncio.run(bounded())


def queue_of(
    *hands: Hand, short: Hand | None = None, full_after_s: float = 1000.0, put_off_s: float = 60.0
) -> JobQueue:
    """Return a queue with these children, and one for short jobs if `short` is given."""
    queue = JobQueue(len(hands), full_after_s=full_after_s, put_off_s=put_off_s)
    for hand in hands:
        queue.add(hand)
    if short is not None:
        queue.add(short, for_short_jobs=True)
    return queue


async def begin(
    queue: JobQueue, name: str, claim: Claim = LONG, interest: Interest = ALWAYS, *, timeout_s: float = 20.0
) -> "asyncio.Task[Outcome]":
    """Send a job, and let the queue do what it does at once."""
    task = asyncio.create_task(queue.perform(job(name, timeout_s=timeout_s), claim, interest))
    await settle()
    return task


async def work_off(hand: Hand, number: int) -> list[str]:
    """Let a child finish so many jobs, and return the names of all that it has begun."""
    for _ in range(number):
        hand.finish.set()
        await settle()
    return hand.begun


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def end(*tasks: "asyncio.Task[Outcome]") -> None:
    """Cancel tasks, and wait for them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
