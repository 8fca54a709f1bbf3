"""Deadlines, crashes, cancelled jobs and a full queue: each fails its own job and no other."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from imgcdn.errors import Overloaded, RenderFailed, RenderTimeout
from imgcdn.renderers.jobs import Claim, Probed, Rendered
from tests.support.brokers import (
    alive,
    children,
    fork_server,
    kill,
    probe_job,
    render_job,
    rendering,
    send_to_children,
    settings,
    slow_job,
    until,
    until_busy,
    works,
)
from tests.support.queueing import LONG


def test_a_job_past_its_deadline_is_killed_and_the_next_one_works(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            before = children(folder)
            with pytest.raises(RenderTimeout):
                await renderers.run(slow_job(huge, timeout_s=2), LONG)
            assert [alive(child) for child in before].count(False) == 1
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_a_child_that_hangs_before_it_accepts_its_job_is_replaced(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            before = children(folder)
            send_to_children(folder, signal.SIGSTOP)
            assert works(await renderers.run(probe_job(small, timeout_s=2)))
            assert [alive(child) for child in before].count(False) == 1
            send_to_children(folder, signal.SIGCONT)

    asyncio.run(scenario())


def test_a_child_that_crashes_fails_only_its_job(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(renderers=2)) as renderers:
            work = asyncio.create_task(renderers.run(slow_job(huge), LONG))
            os.kill(await until_busy(*children(folder)), signal.SIGSEGV)
            meanwhile = await asyncio.gather(*(renderers.run(probe_job(small)) for _ in range(6)))
            with pytest.raises(RenderFailed, match="crash"):
                await work
            assert all(map(works, meanwhile))

    asyncio.run(scenario())


def test_a_job_whose_child_somebody_kills_is_done_again(folder: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            work = asyncio.create_task(renderers.run(render_job(huge, size=(800, 800)), LONG))
            kill(await until_busy(*children(folder)))
            assert isinstance(await work, Rendered)

    asyncio.run(scenario())


def test_a_child_that_is_killed_while_the_fork_server_hangs_blames_nobody(folder: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            work = asyncio.create_task(renderers.run(render_job(huge, size=(800, 800))))
            busy, hanging = await until_busy(*children(folder)), fork_server(folder)
            os.kill(hanging, signal.SIGSTOP)
            try:
                kill(busy)
                assert isinstance(await work, Rendered)
            finally:
                kill(hanging)

    asyncio.run(scenario())


def test_a_job_whose_children_are_killed_twice_is_refused_for_a_minute(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            work = asyncio.create_task(renderers.run(slow_job(huge), LONG))
            before = children(folder)
            kill(first := await until_busy(*before))
            await until(lambda: set(children(folder)) - set(before), "another child has come")
            kill(await until_busy(*set(children(folder)) - {first}))
            for job in (work, renderers.run(slow_job(huge), LONG)):
                with pytest.raises(Overloaded, match="stopped twice") as refused:
                    await job
                assert 55 <= (refused.value.retry_after_s or 0) <= 60
            assert works(await renderers.run(probe_job(small))), "other jobs go on"

    asyncio.run(scenario())


def test_children_that_die_idle_fail_no_job(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            for _ in range(3):
                assert works(await renderers.run(probe_job(small)))
                send_to_children(folder, signal.SIGKILL)
                assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_killing_idle_children_never_makes_a_good_picture_corrupt(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(renderers=2)) as renderers:
            for _ in range(5):
                for child in children(folder):
                    kill(child)
                outcomes = await asyncio.gather(*(renderers.run(probe_job(small)) for _ in range(2)))
                assert all(map(works, outcomes))

    asyncio.run(scenario())


def test_jobs_that_would_take_too_long_are_refused(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(patience_s=4)) as renderers:
            send_to_children(folder, signal.SIGSTOP)
            jobs = [asyncio.create_task(renderers.run(probe_job(small), Claim(cost_ms=1_500))) for _ in range(5)]
            await until(lambda: sum(job.done() for job in jobs) == 3, "three are refused")
            send_to_children(folder, signal.SIGCONT)
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
            assert len(refused) == 3
            assert refused[0].retry_after_s in (4, 5)
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_hundreds_of_jobs_at_once_are_each_done_or_refused(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            jobs = [renderers.run(probe_job(small)) for _ in range(400)]
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            done = [outcome for outcome in outcomes if isinstance(outcome, Probed)]
            assert done
            assert all(isinstance(outcome, Probed | Overloaded) for outcome in outcomes)

    asyncio.run(scenario())


def test_cancelling_a_job_kills_its_child(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            work = asyncio.create_task(renderers.run(slow_job(huge), LONG))
            child = await until_busy(*children(folder))
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            await until(lambda: not alive(child), "the child has ended")
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_cancelling_a_waiting_job_removes_it_from_the_queue(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(patience_s=4)) as renderers:
            send_to_children(folder, signal.SIGSTOP)
            jobs = [asyncio.create_task(renderers.run(probe_job(small), Claim(cost_ms=1_500))) for _ in range(3)]
            await until(lambda: any(job.done() for job in jobs), "one is refused")
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            send_to_children(folder, signal.SIGCONT)
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_a_job_whose_estimate_is_wrong_by_far_leaves_the_child_for_short_jobs(
    folder: Path, small: Path, huge: Path
) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            hostile = Claim(cost_ms=8.0, client="a", source="bomb")
            bombs = [asyncio.create_task(renderers.run(slow_job(huge), hostile)) for _ in range(12)]
            await asyncio.sleep(2)  # the first one is ended after 0.4 seconds, and the others are known by then
            visitor = Claim(cost_ms=8.0, client="b", source="thumbnail")
            for _ in range(3):
                assert works(await renderers.run(probe_job(small), visitor))
            assert not any(bomb.done() for bomb in bombs)
            for bomb in bombs:
                bomb.cancel()
            await asyncio.gather(*bombs, return_exceptions=True)

    asyncio.run(scenario())


def test_a_short_estimate_does_not_shorten_a_deadline(folder: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            outcome = await renderers.run(render_job(huge, size=(400, 400)), Claim(cost_ms=8.0, source="wrong"))
            assert isinstance(outcome, Rendered)

    asyncio.run(scenario())
