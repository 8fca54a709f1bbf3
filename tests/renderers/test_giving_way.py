"""Jobs that make way: background jobs, and those whose clients have all left."""

import asyncio
from pathlib import Path

from imgcdn.core.interest import Interest, Withdrawn
from imgcdn.renderers.jobs import Claim, GaveWay, Job, Outcome
from imgcdn.renderers.time_spent import TimeSpent
from tests.support.brokers import (
    children,
    probe_job,
    render_job,
    rendering,
    settings,
    slow_job,
    until,
    until_busy,
    works,
)
from tests.support.queueing import BEHIND, LONG, Hand, begin, end, outcome, queue_of, run, settle

#: A job that has just begun is left alone for so long.
_YOUNG_S = 0.1


def test_a_background_job_gives_its_child_to_a_client() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand)
        behind = await begin(queue, "behind", BEHIND)
        client = await begin(queue, "client")
        await until(lambda: hand.begun == ["behind", "client"], "the client has the child")
        assert hand.ended == ["behind"]
        hand.finish.set()
        assert await client == outcome("client")
        await settle()
        assert hand.begun == ["behind", "client", "behind"], "it went back into the queue"
        hand.finish.set()
        assert await behind == outcome("behind")

    run(scenario())


def test_a_background_job_is_left_alone_while_another_child_is_free() -> None:
    async def scenario() -> None:
        hands = Hand(), Hand()
        queue = queue_of(*hands)
        tasks = [await begin(queue, "behind", BEHIND), await begin(queue, "client")]
        await asyncio.sleep(_YOUNG_S)
        assert [hand.begun for hand in hands] == [["behind"], ["client"]]
        assert [hand.ended for hand in hands] == [[], []]
        await end(*tasks)

    run(scenario())


def test_one_client_interrupts_one_job_the_one_with_the_most_time_left() -> None:
    async def scenario() -> None:
        hands = Hand(), Hand()
        queue = queue_of(*hands)
        tasks = [
            await begin(queue, "old", BEHIND, timeout_s=10),
            await begin(queue, "new", BEHIND, timeout_s=20),
            await begin(queue, "client"),
        ]
        await until(lambda: hands[1].begun == ["new", "client"], "the client has a child")
        await asyncio.sleep(_YOUNG_S)
        assert [hand.ended for hand in hands] == [[], ["new"]]
        await end(*tasks)

    run(scenario())


def test_a_job_shortly_before_its_deadline_is_not_interrupted() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand)
        tasks = [await begin(queue, "behind", BEHIND, timeout_s=0.35), await begin(queue, "client")]
        await asyncio.sleep(_YOUNG_S)
        assert (hand.begun, hand.ended) == (["behind"], [])
        await end(*tasks)

    run(scenario())


def test_after_two_interruptions_a_job_is_put_off() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand, put_off_s=0.5)
        behind = await begin(queue, "behind", BEHIND)
        for number in (1, 2):
            client = await begin(queue, "client")
            await until(lambda number=number: hand.begun.count("client") == number, "the client has the child")  # type: ignore[misc]  # binds the number
            hand.finish.set()
            await client
            await settle()
        assert hand.begun == ["behind", "client", "behind", "client"], "it does not begin again at once"
        await until(lambda: hand.begun[-1] == "behind", "it begins again")
        hand.finish.set()
        await behind

    run(scenario())


def test_a_job_that_is_cancelled_twice_gives_its_child_back() -> None:
    class Reluctant(Hand):
        """A child that takes a while to end a job."""

        async def perform(self, job: Job, *, anew: bool, spent: TimeSpent) -> Outcome:
            try:
                return await super().perform(job, anew=anew, spent=spent)
            except asyncio.CancelledError:
                for _ in range(5):
                    await asyncio.sleep(0)
                raise

    async def scenario() -> None:
        hand = Reluctant()
        queue = queue_of(hand)
        behind = await begin(queue, "behind", BEHIND)
        for _ in range(3):
            behind.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(behind, return_exceptions=True)
        client = await begin(queue, "client")
        hand.finish.set()
        assert await client == outcome("client")

    run(scenario())


def test_a_job_that_waits_is_withdrawn_when_its_last_client_leaves() -> None:
    async def scenario() -> None:
        hand, interest = Hand(), Interest()
        queue = queue_of(hand)
        running, waiting = await begin(queue, "running"), await begin(queue, "waiting", LONG, interest)
        interest.change(is_wanted=False)
        assert await waiting == GaveWay()
        hand.finish.set()
        await running
        await settle()
        assert hand.begun == ["running"]

    run(scenario())


def test_a_job_that_nobody_waits_for_is_done_if_a_child_is_idle() -> None:
    async def scenario() -> None:
        hand, interest = Hand(), Interest()
        interest.change(is_wanted=False)
        abandoned = await begin(queue_of(hand), "abandoned", LONG, interest)
        hand.finish.set()
        assert await abandoned == outcome("abandoned")

    run(scenario())


def test_a_job_that_runs_goes_on_while_nobody_waits_for_its_child() -> None:
    async def scenario() -> None:
        hand, interest = Hand(), Interest()
        queue = queue_of(hand)
        abandoned = await begin(queue, "abandoned", LONG, interest)
        interest.change(is_wanted=False)
        await asyncio.sleep(_YOUNG_S)
        assert hand.ended == []
        hand.finish.set()
        assert await abandoned == outcome("abandoned")

    run(scenario())


def test_a_job_that_runs_is_ended_for_the_first_who_needs_its_child() -> None:
    async def scenario() -> None:
        hand, interest = Hand(), Interest()
        queue = queue_of(hand)
        abandoned, client = await begin(queue, "abandoned", LONG, interest), await begin(queue, "client")
        interest.change(is_wanted=False)
        assert await abandoned == GaveWay()
        await settle()
        assert hand.begun == ["abandoned", "client"], "the abandoned one does not come back"
        await end(client)

    run(scenario())


def test_a_job_is_kept_if_a_client_joins_it_again_in_time() -> None:
    async def scenario() -> None:
        hand, interest = Hand(), Interest()
        queue = queue_of(hand)
        abandoned = await begin(queue, "abandoned", LONG, interest)
        interest.change(is_wanted=False)
        interest.change(is_wanted=True)
        client = await begin(queue, "client")
        await asyncio.sleep(_YOUNG_S)
        assert hand.ended == []
        await end(abandoned, client)

    run(scenario())


def test_the_child_for_short_jobs_is_freed_for_short_jobs_alone() -> None:
    async def scenario() -> None:
        hand, short_hand, interest = Hand(), Hand(), Interest()
        queue = queue_of(hand, short=short_hand)
        hanging = await begin(queue, "hanging", Claim(cost_ms=1.0), interest)
        interest.change(is_wanted=False)
        tasks = [await begin(queue, name) for name in ("long", "long too")]
        await asyncio.sleep(_YOUNG_S)
        assert short_hand.ended == []
        tasks.append(await begin(queue, "short", Claim(cost_ms=1.0)))
        assert await hanging == GaveWay()
        await until(lambda: short_hand.begun == ["hanging", "short"], "the short one has the child")
        await end(*tasks)

    run(scenario())


def test_a_real_background_render_makes_way(folder: Path, small: Path, huge: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(renderers=1)) as renderers:
            temp = tmp_path / "variant"
            slow = slow_job(huge, temp=temp)
            before = children(folder)
            behind = asyncio.create_task(renderers.run(slow, BEHIND))
            await until_busy(*before)
            temp.write_bytes(b"half")  # as a child leaves it that is killed while it writes
            assert works(await renderers.run(probe_job(small), LONG))
            assert children(folder) != before
            assert not temp.exists(), "the next child can write it"
            assert not behind.done()
            behind.cancel()
            await asyncio.gather(behind, return_exceptions=True)

    asyncio.run(scenario())


def test_a_real_render_whose_client_has_left_makes_way(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(renderers=1)) as renderers:
            interest = Interest()
            slow = asyncio.create_task(renderers.run(slow_job(huge), LONG, interest))
            queued = asyncio.create_task(renderers.run(render_job(huge), LONG, interest))
            await until_busy(*children(folder))
            interest.change(is_wanted=False)
            async with asyncio.timeout(5):
                outcomes = await asyncio.gather(queued, renderers.run(probe_job(small), LONG), return_exceptions=True)
            assert isinstance(outcomes[0], Withdrawn)
            assert works(outcomes[1])
            assert isinstance((await asyncio.gather(slow, return_exceptions=True))[0], Withdrawn)

    asyncio.run(scenario())
