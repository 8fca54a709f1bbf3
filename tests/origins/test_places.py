"""Which fetch gets a place, and which one gives its place up."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from imgcdn.core.interest import Interest, Withdrawn
from imgcdn.errors import OriginTimeout
from imgcdn.origins.base import Stop
from imgcdn.origins.places import Places
from tests.support.collecting import cycles, errors_among


class Fetch:
    """A fetch that runs until the test ends it, or until it is stopped."""

    def __init__(self, places: Places, host: str) -> None:
        self.interest = Interest()
        self.is_running = False
        self.ended = asyncio.Event()
        self.stop = Stop()
        self.stop.on_request(self.ended.set)
        self.task = asyncio.create_task(self._run(places, host))

    async def _run(self, places: Places, host: str) -> None:
        async with places.take(host, self.stop, self.interest):
            self.is_running = True
            try:
                await self.ended.wait()
            finally:
                self.is_running = False
            if self.stop.requested:
                raise OriginTimeout("The fetch was stopped.")

    def leave(self) -> None:
        """Nobody waits any more."""
        self.interest.change(is_wanted=False)

    async def is_withdrawn(self) -> bool:
        """Tell whether the fetch has ended because nobody waited."""
        await turns()
        return self.task.done() and isinstance(self.task.exception(), Withdrawn)


async def turns() -> None:
    """Let every task run until it waits for something that the test has not done."""
    for _ in range(10):
        await asyncio.sleep(0)


async def started(places: Places, *hosts: str) -> list[Fetch]:
    """Start a fetch from each of these hosts, in this order."""
    fetches = []
    for host in hosts:
        fetches.append(Fetch(places, host))
        await turns()
    return fetches


def running(fetches: list[Fetch]) -> list[bool]:
    return [fetch.is_running for fetch in fetches]


def play(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario, then cancel what it has started."""

    async def run() -> None:
        await scenario
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("total", "per_host", "shares"),
    [
        pytest.param(32, 8, [8, 8, 8, 4, 2, 1, 1, 0], id="the defaults"),
        pytest.param(8, 8, [4, 2, 1, 1, 0], id="a limit for a host that is never reached"),
        pytest.param(4, 1, [1, 1, 1, 1, 0], id="one place for a host"),
        pytest.param(1, 8, [1, 0], id="one place in all"),
    ],
)
def test_each_host_that_hangs_takes_a_smaller_share(total: int, per_host: int, shares: list[int]) -> None:
    async def scenario() -> None:
        places = Places(total, per_host=per_host)
        for number, share in enumerate(shares):
            assert sum(running(await started(places, *[f"host {number}"] * 10))) == share

    play(scenario())


def test_hosts_get_places_in_turn_and_the_fetches_of_a_host_in_their_order() -> None:
    async def scenario() -> None:
        places = Places(1, per_host=1)
        fetches = await started(places, "a", "a", "a", "b", "c", "b")
        order = []
        for _ in fetches:
            [number] = [number for number, fetch in enumerate(fetches) if fetch.is_running]
            order.append(number)
            fetches[number].ended.set()
            await turns()
        assert order == [0, 1, 3, 4, 2, 5]

    play(scenario())


def test_a_waiter_that_is_cancelled_leaves_its_turn_to_the_next() -> None:
    async def scenario() -> None:
        places = Places(1, per_host=1)
        first, second, third = await started(places, "a", "a", "b")
        second.task.cancel()
        await turns()
        first.ended.set()
        await turns()
        assert second.task.cancelled()
        assert third.is_running

    play(scenario())


def test_a_waiter_that_is_cancelled_just_when_it_gets_a_place_gives_it_back() -> None:
    async def scenario() -> None:
        places = Places(1, per_host=1)
        first, second, third = await started(places, "a", "b", "c")
        first.task.cancel()
        second.task.cancel()
        await turns()
        assert running([first, second, third]) == [False, False, True]

    play(scenario())


def test_a_fetch_that_nobody_waits_for_gets_no_place() -> None:
    async def scenario() -> None:
        places = Places(1, per_host=1)
        first, second, third = await started(places, "a", "b", "c")
        second.leave()
        assert await second.is_withdrawn()
        first.ended.set()
        await turns()
        assert third.is_running

    play(scenario())


def test_a_fetch_that_nobody_waits_for_from_the_start_does_not_begin() -> None:
    async def scenario() -> None:
        fetch = Fetch(Places(1, per_host=1), "a")
        fetch.leave()
        assert await fetch.is_withdrawn()
        assert not fetch.stop.requested

    play(scenario())


def test_an_abandoned_fetch_keeps_its_place_until_another_fetch_needs_it() -> None:
    async def scenario() -> None:
        places = Places(2, per_host=1)
        abandoned, _ = await started(places, "a", "b")
        abandoned.leave()
        await turns()
        assert abandoned.is_running
        [other] = await started(places, "c")
        assert await abandoned.is_withdrawn()
        assert other.is_running

    play(scenario())


def test_an_abandoned_fetch_is_stopped_for_one_that_waits_already() -> None:
    async def scenario() -> None:
        abandoned, other = await started(Places(1, per_host=1), "a", "b")
        assert not other.is_running
        abandoned.leave()
        assert await abandoned.is_withdrawn()
        assert other.is_running

    play(scenario())


def test_the_fetch_that_was_abandoned_first_is_stopped_first() -> None:
    async def scenario() -> None:
        places = Places(3, per_host=1)
        fetches = await started(places, "a", "b", "c")
        for number in (1, 2, 0):
            fetches[number].leave()
        for number in (1, 2, 0):
            [other] = await started(places, f"other {number}")
            assert other.is_running
            assert await fetches[number].is_withdrawn()
            assert sum(running(fetches)) == {1: 2, 2: 1, 0: 0}[number]

    play(scenario())


def test_a_fetch_that_somebody_waits_for_again_is_an_ordinary_fetch() -> None:
    async def scenario() -> None:
        places = Places(2, per_host=1)
        again, abandoned = await started(places, "a", "b")
        again.leave()
        abandoned.leave()
        again.interest.change(is_wanted=True)
        await started(places, "c", "d")
        assert again.is_running
        assert await abandoned.is_withdrawn()
        again.ended.set()
        await again.task

    play(scenario())


def test_a_host_with_all_its_places_gets_only_a_place_of_its_own() -> None:
    async def scenario() -> None:
        places = Places(9, per_host=2)
        other, first, second = await started(places, "b", "a", "a")
        other.leave()
        [third] = await started(places, "a")
        assert running([other, first, second, third]) == [True, True, True, False]
        second.leave()
        await turns()
        assert running([other, first, second, third]) == [True, True, False, True]

    play(scenario())


def test_no_fetch_is_stopped_for_one_that_would_get_no_place_even_then() -> None:
    async def scenario() -> None:
        places = Places(4, per_host=4)
        mine, _, abandoned, _ = await started(places, "a", "a", "b", "c")
        abandoned.leave()
        [waiting] = await started(places, "a")
        assert running([mine, abandoned, waiting]) == [True, True, False]

    play(scenario())


def test_as_many_fetches_are_stopped_as_the_waiting_ones_need() -> None:
    async def scenario() -> None:
        places = Places(8, per_host=4)
        fetches = await started(places, *"aaaabbcd")
        for fetch in fetches:
            fetch.leave()
        waiting = await started(places, "e", "e", "f")  # the second place of e takes two, and leaves one for f
        assert running(waiting) == [True, True, True]
        assert [await fetch.is_withdrawn() for fetch in fetches] == [True] * 3 + [False] * 5

    play(scenario())


def test_a_fetch_that_ends_just_when_it_is_stopped_keeps_its_result() -> None:
    async def scenario() -> None:
        places, stop, interest = Places(1, per_host=1), Stop(), Interest()
        async with places.take("a", stop, interest):
            interest.change(is_wanted=False)
            await started(places, "b")
            assert stop.requested

    play(scenario())


def test_a_fetch_that_is_withdrawn_leaves_no_cycle() -> None:
    async def wait_in_vain(places: Places, interest: Interest) -> None:
        async with places.take("a", Stop(), interest):
            pass

    async def scenario() -> None:
        places, interest = Places(1, per_host=1), Interest()
        await started(places, "a")
        with cycles() as left:
            waiting = asyncio.create_task(wait_in_vain(places, interest))
            await turns()
            interest.change(is_wanted=False)
            await turns()
            assert isinstance(waiting.exception(), Withdrawn)
            del waiting
        assert errors_among(left) == []

    play(scenario())
