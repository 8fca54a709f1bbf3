"""Deadlines, crashes, cancelled jobs and a full queue: each fails its own job and no other."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from imgcdn.errors import Overloaded, RenderFailed, RenderTimeout
from imgcdn.renderers.jobs import Probed
from tests.support.brokers import (
    alive,
    children,
    kill,
    probe_job,
    rendering,
    settings,
    slow_job,
    until,
    until_busy,
    works,
)


def test_a_job_past_its_deadline_is_killed_and_the_next_one_works(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            [child] = children(folder)
            with pytest.raises(RenderTimeout):
                await renderers.run(slow_job(huge, timeout_s=2))
            assert not alive(child)
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_a_child_that_hangs_before_it_reads_its_job_is_killed_at_the_deadline(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            [child] = children(folder)
            os.kill(child, signal.SIGSTOP)
            with pytest.raises(RenderTimeout):
                await renderers.run(probe_job(small, timeout_s=2))
            assert not alive(child)
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_a_child_that_dies_during_a_job_fails_only_that_job(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(renderers=2)) as renderers:
            before = children(folder)
            work = asyncio.create_task(renderers.run(slow_job(huge)))
            await until(lambda: any(_is_busy(pid) for pid in before), "a child is at work")
            kill(next(pid for pid in before if _is_busy(pid)))
            meanwhile = await asyncio.gather(*(renderers.run(probe_job(small)) for _ in range(6)))
            with pytest.raises(RenderFailed, match="crash"):
                await work
            assert all(map(works, meanwhile))

    asyncio.run(scenario())


def _is_busy(pid: int) -> bool:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) > 10


def test_a_child_that_dies_idle_fails_no_job(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            for _ in range(3):
                assert works(await renderers.run(probe_job(small)))
                [child] = children(folder)
                kill(child)
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


def test_jobs_beyond_the_queue_are_refused(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(queue=2)) as renderers:
            [child] = children(folder)
            os.kill(child, signal.SIGSTOP)
            jobs = [asyncio.create_task(renderers.run(probe_job(small))) for _ in range(5)]
            await until(lambda: sum(job.done() for job in jobs) == 2, "two are refused")
            os.kill(child, signal.SIGCONT)
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
            assert len(refused) == 2
            assert refused[0].retry_after_s
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
            [child] = children(folder)
            work = asyncio.create_task(renderers.run(slow_job(huge)))
            await until_busy(child)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            await until(lambda: not alive(child), "the child has ended")
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_cancelling_a_waiting_job_removes_it_from_the_queue(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(queue=1)) as renderers:
            [child] = children(folder)
            os.kill(child, signal.SIGSTOP)
            first = asyncio.create_task(renderers.run(probe_job(small)))
            second = asyncio.create_task(renderers.run(probe_job(small)))
            third = asyncio.create_task(renderers.run(probe_job(small)))
            jobs = (first, second, third)
            await until(lambda: sum(job.done() for job in jobs) == 1, "one is refused")
            waiting = [job for job in jobs if not job.done()]
            for job in waiting:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())
