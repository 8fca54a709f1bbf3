"""Work that several requests of one process wait for, done once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from imgcdn.core.interest import Interest, Requester, Withdrawn
from imgcdn.errors import CorruptImage, Overloaded
from imgcdn.service.single_flight import Shared, SingleFlight
from tests.support.brokers import until
from tests.support.collecting import cycles, errors_among
from tests.support.flights import board, for_ever

T = TypeVar("T")


def test_work_for_many_followers_is_done_once_by_one_leader() -> None:
    async def scenario() -> None:
        flights, done = SingleFlight(), []

        async def work(_: Interest) -> str:
            await asyncio.sleep(0)
            done.append(1)
            return "result"

        shared = await asyncio.gather(*await board(flights, 50, work))
        assert shared == [Shared("result", leads=True)] + [Shared("result", leads=False)] * 49
        assert len(done) == 1

    asyncio.run(scenario())


def test_different_keys_run_at_the_same_time_and_a_finished_key_starts_again() -> None:
    async def scenario() -> None:
        flights, both = SingleFlight(), asyncio.Barrier(2)

        async def work(_: Interest) -> int:
            return await both.wait()

        async with asyncio.timeout(5):
            shared = await asyncio.gather(flights.share("a", work), flights.share("b", work))
            assert sorted(each.value for each in shared) == [0, 1]
            assert (await flights.share("a", lambda _: asyncio.sleep(0, 2))).leads

    asyncio.run(scenario())


def test_all_followers_get_the_error() -> None:
    async def scenario() -> None:
        flights = SingleFlight()

        async def work(_: Interest) -> None:
            await asyncio.sleep(0)
            raise CorruptImage("damaged")

        errors = await asyncio.gather(*await board(flights, 5, work), return_exceptions=True)
        assert [type(error) for error in errors] == [CorruptImage] * 5

    asyncio.run(scenario())


def test_a_leader_that_leaves_does_not_stop_the_flight() -> None:
    async def scenario() -> None:
        flights, go = SingleFlight(), asyncio.Event()

        async def work(interest: Interest) -> bool:
            await go.wait()
            return interest.is_wanted

        leader, follower = await board(flights, 2, work)
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
        go.set()
        assert (await follower).value is True

    asyncio.run(scenario())


def test_work_is_told_when_its_last_request_leaves_and_when_another_one_joins() -> None:
    async def scenario() -> None:
        flights, go, told = SingleFlight(), asyncio.Event(), list[bool]()

        async def work(interest: Interest) -> str:
            with interest.watched_by(told.append):
                await go.wait()
            return "result"

        [first] = await board(flights, 1, work)
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (told, flights.abandoned(), flights.abandoned("")) == ([False], 1, 1)
        [second] = await board(flights, 1, work)
        assert (told, flights.abandoned()) == ([False, True], 0)
        go.set()
        assert await second == Shared("result", leads=False)

    asyncio.run(scenario())


def test_work_that_has_made_way_is_begun_anew_by_the_next_request() -> None:
    async def scenario() -> None:
        flights, attempts = SingleFlight(), []

        async def work(interest: Interest) -> int:
            attempts.append(interest)
            if len(attempts) == 1:
                await asyncio.sleep(0.01)
                raise Withdrawn
            return len(attempts)

        first, second = await board(flights, 2, work)
        assert [(await each).value for each in (first, second)] == [2, 2]
        assert flights.abandoned() == 0

    asyncio.run(scenario())


def test_an_abandoned_flight_is_no_longer_counted_when_it_has_ended() -> None:
    async def scenario() -> None:
        flights, go = SingleFlight(), asyncio.Event()

        async def work(_: Interest) -> None:
            await go.wait()

        [only] = await board(flights, 1, work)
        only.cancel()
        await asyncio.gather(only, return_exceptions=True)
        assert flights.abandoned() == 1
        go.set()
        await until(lambda: flights.abandoned() == 0, "the flight has ended")
        assert (await flights.share("key", work)).leads

    asyncio.run(scenario())


def test_the_last_request_decides_how_long_the_work_is_waited_for() -> None:
    async def scenario() -> None:
        flights, go = SingleFlight(), asyncio.Event()

        async def work(interest: Interest) -> float:
            await go.wait()
            return interest.ends_at

        tasks = [asyncio.create_task(flights.share("key", work, Requester(ends_at=at))) for at in (5.0, 9.0, 7.0)]
        await asyncio.sleep(0)
        go.set()
        assert [(await task).value for task in tasks] == [9.0] * 3

    asyncio.run(scenario())


def test_a_flight_within_a_flight_is_left_when_nobody_waits_for_the_outer_one() -> None:
    async def scenario() -> None:
        flights, inner = SingleFlight(), list[Interest]()

        async def fetch(interest: Interest) -> None:
            inner.append(interest)
            await asyncio.Event().wait()

        async def render(interest: Interest) -> None:
            await flights.share_within(interest, "original", fetch)

        [client] = await board(flights, 1, render, key="variant")
        await until(lambda: inner, "the inner flight has begun")
        client.cancel()
        await asyncio.gather(client, return_exceptions=True)
        await until(lambda: not inner[0].is_wanted, "nobody waits for the inner flight")
        await until(lambda: flights.abandoned() == 1, "the outer one has ended")
        await flights.stop()

    asyncio.run(scenario())


def test_an_error_without_followers_logs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        flights = SingleFlight()

        async def work(_: Interest) -> None:
            await asyncio.sleep(0.01)
            raise CorruptImage("damaged")

        [only] = await board(flights, 1, work)
        only.cancel()
        await asyncio.gather(only, return_exceptions=True)
        await until(lambda: flights.abandoned() == 0, "the flight has failed")

    with caplog.at_level(logging.ERROR, logger="asyncio"):
        asyncio.run(scenario())
    assert caplog.records == []


def test_followers_of_a_cancelled_flight_get_overloaded_and_are_not_cancelled() -> None:
    async def scenario() -> None:
        flights = SingleFlight()
        before = asyncio.all_tasks()
        waiting = asyncio.create_task(flights.share("key", for_ever))
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - before - {waiting}:
            task.cancel()
        with pytest.raises(Overloaded):
            await waiting

    asyncio.run(scenario())


def test_a_stop_ends_all_flights_even_those_that_begin_during_it() -> None:
    async def scenario() -> None:
        flights, ended, others = SingleFlight(), list[str](), list["asyncio.Task[Shared[None]]"]()

        async def second(_: Interest) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("second")

        async def first(_: Interest) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                others.append(asyncio.create_task(flights.share("second", second)))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                ended.append("first")

        waiting = asyncio.create_task(flights.share("first", first))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await flights.stop()
        assert ended == ["first", "second"]
        outcomes = await asyncio.gather(waiting, *others, return_exceptions=True)
        assert [type(each) for each in outcomes] == [Overloaded] * 2

    asyncio.run(scenario())


async def _fail(_: Interest) -> None:
    await asyncio.sleep(0)
    raise CorruptImage("damaged")


async def _make_way(interest: Interest) -> None:
    while interest.is_wanted:
        await asyncio.sleep(0)
    raise Withdrawn


async def _fail_for_all(flights: SingleFlight) -> None:
    await asyncio.gather(*await board(flights, 3, _fail), return_exceptions=True)


async def _fail_within(flights: SingleFlight) -> None:
    outer = await board(flights, 3, lambda interest: flights.share_within(interest, "inner", _fail))
    await asyncio.gather(*outer, return_exceptions=True)


async def _leave_all(flights: SingleFlight) -> None:
    waiting = await board(flights, 3, _make_way)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await until(lambda: not flights.abandoned(), "the flight has made way")


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(_fail_for_all, id="work that fails"),
        pytest.param(_fail_within, id="a flight within a flight that fails"),
        pytest.param(_leave_all, id="requests that leave"),
    ],
)
def test_errors_leave_no_cycles(scenario: Callable[[SingleFlight], Awaitable[None]]) -> None:
    async def play() -> list[str]:
        with cycles() as left:
            await scenario(SingleFlight())
            await asyncio.sleep(0)  # the event loop lets go of the futures that it has just handled
        return errors_among(left)

    assert asyncio.run(play()) == []
