"""
The queue for the render children.

A client's job gets the next free child, by turns (`renderers.turns`). One child more than the others takes short jobs
alone, so that they are never behind long ones. A background job gets a child only while no client's job waits.

Estimates may be wrong, so real time decides: a job that takes long in the child for short jobs is ended there and lines
up for the others, and what a job took beyond its estimate is charged when it ends.

Some running jobs give way: background jobs, and those of clients that have all left. When a
client's job comes and every child is busy, one of them is ended. A background job then goes back into the queue.
"""

import asyncio
import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from imgcdn.core.interest import ALWAYS, Interest, Withdrawn
from imgcdn.errors import ImgcdnError, Overloaded, RenderTimeout
from imgcdn.renderers.jobs import Claim, Failed, GaveWay, Job, Outcome, remove_half_written
from imgcdn.renderers.overruns import Overruns
from imgcdn.renderers.seams import Charge, Child, charge_nobody
from imgcdn.renderers.time_spent import TimeSpent
from imgcdn.renderers.turns import Turns

#: The child for short jobs takes those whose estimate is below this.
SHORT_MS = 50.0

#: Background jobs that may run or wait.
_BACKGROUND_PLACES = 64

#: A job with fewer seconds left than this is not ended.
_LAST_S = 0.3

#: After so many interruptions, a background job waits this long before it begins again.
_PUT_OFF_AFTER = 2
_PUT_OFF_S = 60.0

#: How much the newest job counts in the measured rate, and the limits of the rate.
_WEIGHT = 0.1
_LOWEST_RATE, _HIGHEST_RATE = 0.25, 4.0

#: A job is ended in the child for short jobs after twice the highest estimate of one, because estimates are right by a
#: factor of two, on the slowest machine that is allowed for: after 0.4 seconds of wall-clock time.
SHORT_LIMIT_S = 2 * _HIGHEST_RATE * SHORT_MS / 1000

#: Longest Retry-After, in seconds.
_LONGEST_RETRY_S = 60


@dataclass(eq=False, slots=True)
class _Ticket:
    """A job that waits. The future gets its child, or the error that ends the wait."""

    job: Job
    claim: Claim
    since_ms: float
    paid_ms: float
    child: "asyncio.Future[Child]"

    @property
    def is_short(self) -> bool:
        return self.claim.cost_ms < SHORT_MS


@dataclass(eq=False, slots=True)
class _Running:
    """
    A job that runs.

    Args:
        began, ends_at: When it began, and its deadline, on the event loop's clock.
        in_short_child: Whether its child takes short jobs alone.
        gives_way: Whether it may be ended for another job.
        spent: What it has taken, once it has ended.
        paid_ms: What it was charged for in advance.
        is_overrun: Whether that was many times its estimate.
    """

    claim: Claim
    task: "asyncio.Task[Outcome]"
    began: float
    ends_at: float
    in_short_child: bool
    gives_way: bool
    spent: TimeSpent
    paid_ms: float
    is_overrun: bool = False

    @property
    def is_late(self) -> bool:
        """Whether it was ended because it took too long in the child for short jobs."""
        if not self.in_short_child or self.task.cancelled() or self.task.exception() is not None:
            return False
        outcome = self.task.result()
        return isinstance(outcome, Failed) and isinstance(outcome.error, RenderTimeout)

    def may_end(self, now: float) -> bool:
        """Tell whether it may be ended now: not if it has just begun, or will end by itself soon."""
        is_young = now - self.began < SHORT_MS / 1000
        return self.gives_way and not is_young and self.ends_at > now + _LAST_S and not self.task.cancelling()


@dataclass(slots=True)
class _Children:
    """The children of one kind, and the clients' jobs that wait for one."""

    idle: deque[Child] = field(default_factory=deque)
    waiting: Turns[_Ticket] = field(default_factory=Turns)


class JobQueue:
    """
    Gives jobs to children.

    Args:
        children: Number of children, without the one for short jobs.
        full_after_s: If the waiting jobs would take more seconds than this, the newest jobs of the client with the most
            work are refused.
        put_off_s: Seconds for which a background job is put off after it was interrupted twice.
        charge: Gets what each job took.
    """

    def __init__(
        self, children: int, *, full_after_s: float, put_off_s: float = _PUT_OFF_S, charge: Charge = charge_nobody
    ) -> None:
        self._number = children
        self._full_after_s = full_after_s
        self._put_off_s = put_off_s
        self._charge = charge
        self._overruns = Overruns()
        self._rate = 1.0  # measured milliseconds for an estimated one
        self._for_all, self._for_short = _Children(), _Children()
        self._short_child: Child | None = None
        self._background_waiting: deque[_Ticket] = deque()
        self._background_places = _BACKGROUND_PLACES
        self._running: set[_Running] = set()
        self._next_look: asyncio.TimerHandle | None = None

    def add(self, child: Child, *, for_short_jobs: bool = False) -> None:
        """Take in a new child."""
        if for_short_jobs:
            self._short_child = child
        self._free(child)

    async def perform(self, job: Job, claim: Claim, interest: Interest = ALWAYS) -> Outcome:
        """
        Have a job done as soon as its turn comes. Cancelling this ends it.

        Args:
            interest: When nobody waits any more, a job that has not begun is withdrawn, and one that runs gives way.
        """
        if claim.is_background:
            return await self._perform_in_background(job, claim)
        outcome = await self._attempt(job, self._overruns.corrected(claim), interest, paid_ms=claim.cost_ms)
        if outcome is not None:
            return outcome
        # It took too long for the child for short jobs, so it waits for another child, once.
        remove_half_written(job)
        claim = self._overruns.corrected(replace(claim, cost_ms=1000 * SHORT_LIMIT_S))
        outcome = await self._attempt(job, claim, interest, paid_ms=0.0)
        assert outcome is not None
        return outcome

    async def _attempt(self, job: Job, claim: Claim, interest: Interest, *, paid_ms: float) -> Outcome | None:
        """
        Have a job done.

        Args:
            paid_ms: What it was charged for in advance. That may be less than what it is expected to take by now.

        Returns:
            None if the child for short jobs began it, and it took too long for that one.
        """
        ticket = self._new_ticket(job, claim, paid_ms=paid_ms)
        try:
            child = self._take_idle_child(ticket) or await self._wait_for_child(ticket, interest)
        except Withdrawn:
            return GaveWay()
        except ImgcdnError as error:
            return Failed(error)
        running = self._begin(ticket, child)
        with interest.watched_by(lambda is_wanted: self._let_give_way(running, gives_way=not is_wanted)):
            outcome = await self._finish(running)
        if outcome is None:
            return GaveWay()
        return None if running.is_late and job.timeout_s > SHORT_LIMIT_S else outcome

    async def _perform_in_background(self, job: Job, claim: Claim) -> Outcome:
        if not self._background_places:
            return Failed(Overloaded("Too much background work is waiting."))
        self._background_places -= 1
        try:
            for interruptions in itertools.count():
                if interruptions >= _PUT_OFF_AFTER:
                    await asyncio.sleep(self._put_off_s)
                ticket = self._new_ticket(job, claim)
                running = self._begin(ticket, await self._wait_in_background(ticket), gives_way=True)
                outcome = await self._finish(running)
                if outcome is not None:
                    return outcome
            raise AssertionError("a count has no end")
        finally:
            self._background_places += 1

    def _new_ticket(self, job: Job, claim: Claim, *, paid_ms: float = 0.0) -> _Ticket:
        loop = asyncio.get_running_loop()
        return _Ticket(job, claim, loop.time() * 1000, paid_ms, loop.create_future())

    def _take_idle_child(self, ticket: _Ticket) -> Child | None:
        kinds = (self._for_short, self._for_all) if ticket.is_short else (self._for_all,)
        return next((kind.idle.popleft() for kind in kinds if kind.idle), None)

    async def _wait_for_child(self, ticket: _Ticket, interest: Interest) -> Child:
        """Wait for a child. Raise Overloaded if it would take too long, and Withdrawn when nobody waits any more."""
        self._line_up(ticket)
        try:
            self._refuse_excess(ticket)
            with interest.watched_by(lambda is_wanted: None if is_wanted else self._end_wait(ticket, Withdrawn())):
                self._end_one_that_gives_way()
                return await ticket.child
        except asyncio.CancelledError:
            _return_child(ticket, self._free)
            raise
        finally:
            self._leave(ticket)

    async def _wait_in_background(self, ticket: _Ticket) -> Child:
        if self._for_all.idle:
            return self._for_all.idle.popleft()
        self._background_waiting.append(ticket)
        try:
            return await ticket.child
        except asyncio.CancelledError:
            _return_child(ticket, self._free)
            raise

    def _line_up(self, ticket: _Ticket) -> None:
        self._for_all.waiting.add(ticket)
        if ticket.is_short:
            self._for_short.waiting.add(ticket)

    def _line_up_again(self, ticket: _Ticket) -> bool:
        """If another job of its source has meanwhile taken many times its estimate, let a job wait for its new turn."""
        claim = self._overruns.corrected(ticket.claim)
        if claim is ticket.claim:
            return False
        ticket.claim = claim
        self._line_up(ticket)
        return True

    def _free(self, child: Child) -> None:
        """Give a child to the next job, or let it wait for one."""
        kind = self._for_short if child is self._short_child else self._for_all
        while kind.waiting:
            ticket = kind.waiting.next()
            self._leave(ticket)
            if not ticket.child.done() and not self._line_up_again(ticket):
                ticket.child.set_result(child)
                return
        while kind is self._for_all and self._background_waiting:
            ticket = self._background_waiting.popleft()
            if not ticket.child.done():
                ticket.child.set_result(child)
                return
        kind.idle.append(child)

    def _begin(self, ticket: _Ticket, child: Child, *, gives_way: bool = False) -> _Running:
        now, job, spent = asyncio.get_running_loop().time(), ticket.job, TimeSpent()
        in_short_child = child is self._short_child
        if in_short_child:
            job = replace(job, timeout_s=min(job.timeout_s, SHORT_LIMIT_S))
        task = asyncio.create_task(child.perform(job, anew=ticket.claim.needs_new_child, spent=spent))
        ends_at = now + ticket.job.timeout_s
        running = _Running(ticket.claim, task, now, ends_at, in_short_child, gives_way, spent, ticket.paid_ms)
        self._running.add(running)

        def end(_: object) -> None:
            self._running.discard(running)
            self._note_spent(running)  # before the next job is chosen
            self._free(child)

        task.add_done_callback(end)
        return running

    async def _finish(self, running: _Running) -> Outcome | None:
        """Wait for the outcome; None if the job was ended for another one."""
        try:
            await asyncio.wait([running.task])
        finally:
            running.task.cancel()  # no effect on one that is done
        if running.task.cancelled():
            return None
        self._measure(running)
        return running.task.result()

    def _note_spent(self, running: _Running) -> None:
        """Charge what a job has really taken, and remember it if its estimate was wrong by far."""
        claim, spent_ms, was_ended = running.claim, running.spent.ms, running.task.cancelled()
        self._charge(replace(claim, cost_ms=running.paid_ms), spent_ms, was_ended=was_ended)
        if spent_ms > claim.cost_ms and not claim.is_background:
            kind = self._for_short if running.in_short_child else self._for_all
            kind.waiting.charge(claim, spent_ms - claim.cost_ms)
        running.is_overrun = self._overruns.note(claim, spent_ms)
        if running.is_late:
            self._overruns.note_late(claim, 1000 * SHORT_LIMIT_S)

    def _let_give_way(self, running: _Running, *, gives_way: bool) -> None:
        running.gives_way = gives_way
        self._end_one_that_gives_way()

    def _end_one_that_gives_way(self) -> None:
        """If a client's job waits, end the job that gives way and has the most time left: least of its work is lost."""
        giving_way = [each for each in self._running if each.gives_way]
        if not giving_way or not self._for_all.waiting:
            return
        loop = asyncio.get_running_loop()
        ending = sum(1 for each in self._running if each.task.cancelling())
        ready = [each for each in giving_way if each.may_end(loop.time()) and self._helps(each)]
        if len(self._for_all.waiting) > ending and ready:
            max(ready, key=lambda each: each.ends_at).task.cancel()
        if self._next_look is None:  # one that is too young now may be ended later
            self._next_look = loop.call_later(SHORT_MS / 1000, self._look_again)

    def _look_again(self) -> None:
        self._next_look = None
        self._end_one_that_gives_way()

    def _helps(self, running: _Running) -> bool:
        """Tell whether a job that waits could take the place of one that runs."""
        return bool(self._for_short.waiting) or not running.in_short_child

    def _refuse_excess(self, ticket: _Ticket) -> None:
        """Refuse the newest jobs of the largest client while all would take too long, and a job that would be late."""
        while self._for_all.waiting and self._seconds(self._for_all.waiting.cost_ms) > self._full_after_s:
            newest = self._for_all.waiting.newest_of_largest()
            self._end_wait(newest, _overloaded(self._seconds(self._for_all.waiting.cost_ms)))
        if not ticket.child.done():
            expected_s = self._expected_s(ticket)
            if expected_s > ticket.claim.patience_s:
                self._end_wait(ticket, _overloaded(expected_s))

    def _expected_s(self, ticket: _Ticket) -> float:
        """Estimate the seconds until a job that waits is done."""
        cost_ms = ticket.claim.cost_ms
        expected_s = self._seconds(self._for_all.waiting.ahead_ms(ticket) + cost_ms)
        if ticket.is_short:
            expected_s = min(expected_s, self._rate * (self._for_short.waiting.ahead_ms(ticket) + cost_ms) / 1000)
        return expected_s

    def _end_wait(self, ticket: _Ticket, error: Exception) -> None:
        """Take a job out of the queue and give it an error, unless it has just got a child or another error."""
        self._leave(ticket)
        if not ticket.child.done():
            ticket.child.set_exception(error)

    def _leave(self, ticket: _Ticket) -> None:
        self._for_all.waiting.remove(ticket)
        self._for_short.waiting.remove(ticket)

    def _seconds(self, waiting_ms: float) -> float:
        """Estimate the seconds until the running jobs and some work after them are done, at the measured rate."""
        now = asyncio.get_running_loop().time()
        left_ms = sum(
            max(0.0, self._rate * each.claim.cost_ms - 1000 * (now - each.began))
            for each in self._running
            if not each.gives_way
        )
        return (left_ms + self._rate * waiting_ms) / self._number / 1000

    def _measure(self, running: _Running) -> None:
        if running.claim.cost_ms < SHORT_MS or running.is_overrun:
            return  # it says little: a short job depends mostly on the machine's other work
        took_ms = 1000 * (asyncio.get_running_loop().time() - running.began)
        rate = max(_LOWEST_RATE, min(took_ms / running.claim.cost_ms, _HIGHEST_RATE))
        self._rate += _WEIGHT * (rate - self._rate)


def _overloaded(expected_s: float) -> Overloaded:
    after_s = max(1, min(math.ceil(expected_s), _LONGEST_RETRY_S))
    return Overloaded(f"Too many pictures are waiting to be rendered. Try again in {after_s} s.", after_s=after_s)


def _return_child(ticket: _Ticket, free: Callable[[Child], None]) -> None:
    """Give back a child that came just when the wait was cancelled."""
    if ticket.child.done() and not ticket.child.cancelled() and ticket.child.exception() is None:
        free(ticket.child.result())
