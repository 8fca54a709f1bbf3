"""Flights of several processes, which share the locks on their keys."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imgcdn.core.interest import Interest
from imgcdn.service.key_locks import KeyLocks
from imgcdn.service.single_flight import SingleFlight
from tests.support.brokers import until
from tests.support.flights import board, for_ever
from tests.support.paths import ROOT


def test_without_the_lock_folder_only_sharing_between_processes_is_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        flights = SingleFlight(KeyLocks(tmp_path / "gone" / "lock"))
        assert (await flights.share("key", lambda _: asyncio.sleep(0, "result"))).value == "result"

    asyncio.run(scenario())


def test_two_loops_of_one_process_share_the_lock_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        order: list[str] = []
        one, other = SingleFlight(KeyLocks(tmp_path / "lock")), SingleFlight(KeyLocks(tmp_path / "lock"))

        async def work(name: str) -> None:
            order.append(f"{name} begins")
            await asyncio.sleep(0.02)
            order.append(f"{name} ends")

        await asyncio.gather(one.share("key", lambda _: work("one")), other.share("key", lambda _: work("other")))
        assert order in (
            ["one begins", "one ends", "other begins", "other ends"],
            ["other begins", "other ends", "one begins", "one ends"],
        )

    asyncio.run(scenario())


_HOLDER = """
import asyncio, sys
from pathlib import Path
from imgcdn.service.key_locks import KeyLocks
from imgcdn.service.single_flight import SingleFlight
lock, result = Path(sys.argv[1]), Path(sys.argv[2])
async def work(interest):
    print("leads", flush=True)
    with interest.watched_by(lambda wanted: print("wanted" if wanted else "not wanted", flush=True)):
        await asyncio.to_thread(sys.stdin.readline)
    result.write_text("made by the first")
async def main():
    flights = SingleFlight(KeyLocks(lock))
    waiting = asyncio.create_task(flights.share("key", work))
    if sys.argv[3:]:
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        while flights.abandoned():
            await asyncio.sleep(0.01)
    else:
        await waiting
asyncio.run(main())
"""


@pytest.fixture
def holder(tmp_path: Path) -> "subprocess.Popen[str]":
    """Start a process that leads the flight for "key" and finishes when it receives a line on its stdin."""
    return _hold(tmp_path)


def _hold(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(folder / "lock"), str(folder / "result"), *arguments],
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
        flights = SingleFlight(KeyLocks(tmp_path / "lock"))
        began = []

        async def work(interest: Interest) -> str:
            began.append(interest.waited_s)
            return _find_or_make(tmp_path / "result", "made anew")

        [waiting] = await board(flights, 1, work)
        other = await flights.share("another key", lambda _: asyncio.sleep(0, "free"))
        assert other.value == "free", "only this key is locked"
        await asyncio.sleep(0.2)
        assert not began
        await asyncio.to_thread(holder.communicate, "go on\n")
        assert (await waiting).value == "made by the first"
        assert began[0] >= 0.2

    asyncio.run(scenario())


def test_a_killed_leader_frees_the_key_at_once(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    async def scenario() -> None:
        flights = SingleFlight(KeyLocks(tmp_path / "lock"))
        waiting = asyncio.create_task(
            flights.share("key", lambda _: asyncio.sleep(0, _find_or_make(tmp_path / "result", "made anew")))
        )
        await asyncio.sleep(0.05)
        assert not waiting.done()
        holder.kill()
        await asyncio.to_thread(holder.communicate)
        await until(waiting.done, "the second process leads")
        assert waiting.result().value == "made anew"

    asyncio.run(scenario())


def test_a_leader_learns_whether_another_process_waits(tmp_path: Path) -> None:
    holder = _hold(tmp_path, "whose request leaves")
    assert holder.stdout
    assert holder.stdout.readline() == "not wanted\n"

    async def scenario() -> None:
        flights = SingleFlight(KeyLocks(tmp_path / "lock"))
        assert holder.stdout
        [waiting] = await board(flights, 1, lambda _: asyncio.sleep(0))
        assert await asyncio.to_thread(holder.stdout.readline) == "wanted\n"
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await asyncio.to_thread(holder.stdout.readline) == "not wanted\n"
        assert flights.abandoned() <= 1
        await until(lambda: flights.abandoned() == 0, "the follower has withdrawn")

    asyncio.run(scenario())
    holder.communicate("go on\n")


def test_all_flights_of_a_process_use_one_descriptor(tmp_path: Path) -> None:
    async def scenario() -> None:
        flights = SingleFlight(KeyLocks(tmp_path / "lock"))
        before = len(os.listdir("/proc/self/fd"))
        tasks = [asyncio.create_task(flights.share(str(number), for_ever)) for number in range(200)]
        await asyncio.sleep(0.05)
        assert len(os.listdir("/proc/self/fd")) <= before + 1
        await flights.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(scenario())
