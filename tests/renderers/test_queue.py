"""The queue of the broker: which job gets a child, tried with children whose jobs end when the test says so."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path

from imgcdn.core.values import FileStamp, PathBeneath
from imgcdn.errors import Overloaded
from imgcdn.renderers.jobs import Failed, Job, Outcome, Probed, ProbeJob
from imgcdn.renderers.queue import JobQueue
from tests.support.brokers import children, probe_job, rendering, settings, slow_job, until, until_busy, works


def job(name: str, *, is_background: bool = False, timeout_s: float = 20.0) -> ProbeJob:
    return ProbeJob(PathBeneath("/", name), FileStamp(0, 0, 0, 0), None, 1, timeout_s, is_background)


@dataclass
class Hand:
    """A child that notes its jobs, and finishes one when it is told to."""

    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    finish: asyncio.Event = field(default_factory=asyncio.Event)

    async def perform(self, job: Job) -> Outcome:
        self.begun.append(job.path.name)
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.ended.append(job.path.name)
            raise
        self.finish.clear()
        return Probed(job.path.name, None, None)


def run(scenario: Coroutine[None, None, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario

    asyncio.run(bounded())


def queue_of(*hands: Hand, places: int = 8, put_off_s: float = 60.0) -> JobQueue:
    queue = JobQueue(places, put_off_s=put_off_s)
    for hand in hands:
        queue.add(hand)
    return queue


async def begin(queue: JobQueue, *jobs: ProbeJob) -> list[asyncio.Task[Outcome]]:
    tasks = []
    for each in jobs:
        tasks.append(asyncio.create_task(queue.perform(each)))
        await asyncio.sleep(0)
    await settle()
    return tasks


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_jobs_run_in_their_order_and_those_of_clients_first() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand)
        tasks = await begin(
            queue,
            job("a"),
            job("behind 1", is_background=True),
            job("b"),
            job("behind 2", is_background=True),
            job("c"),
        )
        for _ in tasks:
            hand.finish.set()
            await settle()
        assert hand.begun == ["a", "b", "c", "behind 1", "behind 2"]
        assert hand.ended == []
        assert [await task for task in tasks] == [
            Probed(name, None, None) for name in ("a", "behind 1", "b", "behind 2", "c")
        ]

    run(scenario())


def test_a_background_job_gives_its_child_to_a_client() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand)
        behind, client = await begin(queue, job("behind", is_background=True), job("client"))
        assert (hand.begun, hand.ended) == (["behind", "client"], ["behind"])
        hand.finish.set()
        assert await client == Probed("client", None, None)
        await settle()
        assert hand.begun == ["behind", "client", "behind"], "it went back into the queue"
        hand.finish.set()
        assert await behind == Probed("behind", None, None)

    run(scenario())


def test_a_background_job_is_left_alone_while_another_child_is_free() -> None:
    async def scenario() -> None:
        hands = Hand(), Hand()
        queue = queue_of(*hands)
        await begin(queue, job("behind", is_background=True), job("client"))
        assert [hand.begun for hand in hands] == [["behind"], ["client"]]
        assert [hand.ended for hand in hands] == [[], []]

    run(scenario())


def test_one_client_interrupts_one_job_the_one_with_the_most_time_left() -> None:
    async def scenario() -> None:
        hands = Hand(), Hand()
        queue = queue_of(*hands)
        await begin(
            queue,
            job("old", is_background=True, timeout_s=10),
            job("new", is_background=True, timeout_s=20),
            job("client"),
        )
        assert [hand.ended for hand in hands] == [[], ["new"]]

    run(scenario())


def test_a_job_shortly_before_its_deadline_is_not_interrupted() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand)
        await begin(queue, job("behind", is_background=True, timeout_s=0.25), job("client"))
        assert (hand.begun, hand.ended) == (["behind"], [])

    run(scenario())


def test_after_two_interruptions_a_job_is_put_off() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand, put_off_s=0.5)
        (behind,) = await begin(queue, job("behind", is_background=True))
        for _ in range(2):
            (client,) = await begin(queue, job("client"))
            hand.finish.set()
            await client
            await settle()
        assert hand.begun == ["behind", "client", "behind", "client"], "it does not begin again at once"
        await asyncio.sleep(0.6)
        assert hand.begun[-1] == "behind"
        hand.finish.set()
        await behind

    run(scenario())


def test_cancelled_jobs_give_back_their_child_and_their_place() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand, places=2)
        for is_background in (True, False):
            tasks = await begin(queue, *(job(name, is_background=is_background) for name in ("running", "waiting")))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        (client,) = await begin(queue, job("client"))
        hand.finish.set()
        assert await client == Probed("client", None, None)

    run(scenario())


def test_a_job_that_is_cancelled_twice_gives_its_child_back() -> None:
    class Reluctant(Hand):
        """A child that takes a while to end a job."""

        async def perform(self, job: Job) -> Outcome:
            try:
                return await super().perform(job)
            except asyncio.CancelledError:
                for _ in range(5):
                    await asyncio.sleep(0)
                raise

    async def scenario() -> None:
        hand = Reluctant()
        queue = queue_of(hand)
        (behind,) = await begin(queue, job("behind", is_background=True))
        for _ in range(3):
            behind.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(behind, return_exceptions=True)
        (client,) = await begin(queue, job("client"))
        hand.finish.set()
        assert await client == Probed("client", None, None)

    run(scenario())


def test_each_class_has_its_own_places() -> None:
    async def scenario() -> None:
        queue = queue_of(Hand(), places=1)
        behind = await begin(queue, *(job(f"behind {number}", is_background=True) for number in range(65)))
        (client,) = await begin(queue, job("client"))
        refused = await queue.perform(job("one more"))
        assert isinstance(refused, Failed)
        assert isinstance(refused.error, Overloaded)
        assert not client.done()
        assert [task.done() for task in behind] == [False] * 64 + [True]
        for task in (client, *behind):
            task.cancel()
        await asyncio.gather(client, *behind, return_exceptions=True)

    run(scenario())


def test_a_real_render_that_nobody_waits_for_makes_way(folder: Path, small: Path, huge: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(renderers=1)) as renderers:
            temp = tmp_path / "variant"
            slow = replace(slow_job(huge), temp=str(temp), is_background=True)
            behind = asyncio.create_task(renderers.run(slow))
            await until(lambda: children(folder), "a child runs")
            (first,) = children(folder)
            await until_busy(first)
            temp.write_bytes(b"half")  # as a child leaves it that is killed while it writes
            assert works(await renderers.run(probe_job(small)))
            assert children(folder) != [first]
            assert not temp.exists(), "the next child can write it"
            assert not behind.done()
            behind.cancel()
            await asyncio.gather(behind, return_exceptions=True)

    asyncio.run(scenario())
