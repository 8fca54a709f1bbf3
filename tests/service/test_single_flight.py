import asyncio
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from imgcdn.errors import CorruptImage, Overloaded
from imgcdn.service.single_flight import SingleFlight
from tests.support.brokers import until
from tests.support.paths import ROOT


def test_work_for_many_followers_is_done_once_by_one_leader() -> None:
    async def scenario() -> None:
        flights, done = SingleFlight(), []

        async def work() -> str:
            await asyncio.sleep(0)
            done.append(1)
            return "result"

        boarded = [flights.join("key", work) for _ in range(50)]
        assert await asyncio.gather(*(flight.wait() for flight in boarded)) == ["result"] * 50
        assert [flight.leads for flight in boarded] == [True] + [False] * 49
        assert len(done) == 1

    asyncio.run(scenario())


def test_different_keys_run_at_the_same_time_and_a_finished_key_starts_again() -> None:
    async def scenario() -> None:
        flights, both = SingleFlight(), asyncio.Barrier(2)

        async def work() -> int:
            return await both.wait()

        first, second = flights.join("a", work), flights.join("b", work)
        assert sorted(await asyncio.gather(first.wait(), second.wait())) == [0, 1]
        assert flights.join("a", asyncio.Event().wait).leads

    asyncio.run(scenario())


def test_all_followers_get_the_error() -> None:
    async def scenario() -> None:
        flights = SingleFlight()

        async def work() -> None:
            await asyncio.sleep(0)
            raise CorruptImage("damaged")

        boarded = [flights.join("key", work) for _ in range(5)]
        errors = await asyncio.gather(*(flight.wait() for flight in boarded), return_exceptions=True)
        assert [type(error) for error in errors] == [CorruptImage] * 5

    asyncio.run(scenario())


def test_a_follower_that_gives_up_does_not_stop_the_flight() -> None:
    async def scenario() -> None:
        flights, go = SingleFlight(), asyncio.Event()

        async def work() -> str:
            await go.wait()
            return "result"

        leader, follower = flights.join("key", work), flights.join("key", work)
        impatient = asyncio.create_task(leader.wait())
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        go.set()
        assert await follower.wait() == "result"

    asyncio.run(scenario())


def test_an_error_without_followers_logs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        flights = SingleFlight()

        async def work() -> None:
            raise CorruptImage("damaged")

        flights.join("key", work)
        await asyncio.sleep(0.01)
        await flights.stop()

    with caplog.at_level(logging.ERROR, logger="asyncio"):
        asyncio.run(scenario())
    assert caplog.records == []


def test_followers_of_a_cancelled_flight_get_overloaded_and_are_not_cancelled() -> None:
    async def scenario() -> None:
        flights = SingleFlight()
        before = asyncio.all_tasks()
        flight = flights.join("key", asyncio.Event().wait)
        waiting = asyncio.create_task(flight.wait())
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - before - {waiting}:
            task.cancel()
        with pytest.raises(Overloaded):
            await waiting

    asyncio.run(scenario())


def test_a_stop_ends_all_flights_even_those_that_begin_during_it() -> None:
    async def scenario() -> None:
        flights, ended = SingleFlight(), []

        async def second() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("second")

        async def first() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                flights.join("second", second)
                await asyncio.sleep(0)
                ended.append("first")

        waiting = asyncio.create_task(flights.join("first", first).wait())
        await asyncio.sleep(0)
        await flights.stop()
        assert ended == ["first", "second"]
        with pytest.raises(Overloaded):
            await waiting

    asyncio.run(scenario())


def test_without_the_lock_folder_only_sharing_between_processes_is_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        flights = SingleFlight(tmp_path / "gone" / "lock")
        assert await flights.join("key", lambda: asyncio.sleep(0, "result")).wait() == "result"

    asyncio.run(scenario())


def test_two_loops_of_one_process_share_the_lock_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        order: list[str] = []
        one, other = SingleFlight(tmp_path / "lock"), SingleFlight(tmp_path / "lock")

        async def work(name: str) -> None:
            order.append(f"{name} begins")
            await asyncio.sleep(0.02)
            order.append(f"{name} ends")

        await asyncio.gather(
            one.join("key", lambda: work("one")).wait(), other.join("key", lambda: work("other")).wait()
        )
        assert order in (
            ["one begins", "one ends", "other begins", "other ends"],
            ["other begins", "other ends", "one begins", "one ends"],
        )

    asyncio.run(scenario())


_HOLDER = """
import asyncio, sys
from pathlib import Path
from imgcdn.service.single_flight import SingleFlight
lock, result = Path(sys.argv[1]), Path(sys.argv[2])
async def work():
    print("leads", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    result.write_text("made by the first")
async def main():
    await SingleFlight(lock).join("key", work).wait()
asyncio.run(main())
"""


@pytest.fixture
def holder(tmp_path: Path) -> "subprocess.Popen[str]":
    """Start a process that leads the flight for "key" and finishes when it receives a line on its stdin."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path / "lock"), str(tmp_path / "result")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout
    assert process.stdout.readline() == "leads\n"
    return process


def _find_or_make(result: Path, at: str) -> str:
    return result.read_text() if result.exists() else at


def test_a_second_process_waits_and_then_uses_the_result(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    async def scenario() -> None:
        flights = SingleFlight(tmp_path / "lock")
        began = []

        async def work() -> str:
            began.append(1)
            return _find_or_make(tmp_path / "result", "made anew")

        waiting = flights.join("key", work)
        other = flights.join("another key", lambda: asyncio.sleep(0, "free"))
        assert await other.wait() == "free", "only this key is locked"
        assert not began
        await asyncio.to_thread(holder.communicate, "go on\n")
        assert await waiting.wait() == "made by the first"

    asyncio.run(scenario())


def test_a_killed_leader_frees_the_key_at_once(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    async def scenario() -> None:
        flights = SingleFlight(tmp_path / "lock")
        waiting = asyncio.create_task(
            flights.join("key", lambda: asyncio.sleep(0, _find_or_make(tmp_path / "result", "made anew"))).wait()
        )
        await asyncio.sleep(0.05)
        assert not waiting.done()
        holder.kill()
        await asyncio.to_thread(holder.communicate)
        await until(waiting.done, "the second process leads")
        assert waiting.result() == "made anew"

    asyncio.run(scenario())
