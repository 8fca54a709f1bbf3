"""The queue of the broker: which job gets a child, tried with children whose jobs end when the test says so."""

import asyncio
from dataclasses import replace

import pytest

from imgcdn.core.interest import ALWAYS, Interest
from imgcdn.errors import Overloaded, RenderTimeout
from imgcdn.renderers.jobs import Claim, Failed, GaveWay, Outcome
from imgcdn.renderers.queue import SHORT_LIMIT_S, SHORT_MS, JobQueue
from tests.support.queueing import BEHIND, LONG, Hand, begin, end, job, outcome, queue_of, run, settle, work_off

SHORT = Claim(cost_ms=SHORT_MS - 1)


def refusal(result: Outcome) -> Overloaded:
    assert isinstance(result, Failed)
    assert isinstance(result.error, Overloaded)
    return result.error


def test_jobs_of_clients_go_before_background_jobs() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand)
        names = ("a", "behind 1", "b", "behind 2", "c")
        tasks = [await begin(queue, name, BEHIND if name.startswith("behind") else LONG) for name in names]
        assert await work_off(hand, 5) == ["a", "b", "c", "behind 1", "behind 2"]
        assert hand.ended == []
        assert [await task for task in tasks] == [outcome(name) for name in names]

    run(scenario())


def test_short_jobs_have_a_child_of_their_own_and_go_first() -> None:
    async def scenario() -> None:
        hand, short_hand = Hand(), Hand()
        queue = queue_of(hand, short=short_hand)
        tasks = [await begin(queue, name) for name in ("long", "long too")]
        tasks += [await begin(queue, name, SHORT) for name in ("short", "short too", "short as well")]
        assert (hand.begun, short_hand.begun) == (["long"], ["short"])
        assert await work_off(short_hand, 1) == ["short", "short too"]
        assert await work_off(hand, 1) == ["long", "short as well"], "the other child takes short ones, too"
        assert await work_off(short_hand, 1) == ["short", "short too"], "and the child for short ones no long one"
        assert await work_off(hand, 1) == ["long", "short as well", "long too"]
        await end(*tasks)

    run(scenario())


def test_cancelled_jobs_give_back_their_child() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand)
        for claim in (BEHIND, LONG):
            await end(*[await begin(queue, name, claim) for name in ("running", "waiting")])
        client = await begin(queue, "client")
        hand.finish.set()
        assert await client == outcome("client")

    run(scenario())


def test_a_job_that_is_cancelled_when_its_child_comes_gives_it_back() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand)
        first, second = await begin(queue, "first"), await begin(queue, "second")
        hand.finish.set()
        await first
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        third = await begin(queue, "third")
        hand.finish.set()
        assert await third == outcome("third")

    run(scenario())


def test_a_job_gets_a_new_child_if_it_needs_one() -> None:
    async def scenario() -> None:
        hand = Hand()
        queue = queue_of(hand)
        tasks = [
            await begin(queue, "a"),
            await begin(queue, "b", replace(LONG, needs_new_child=True)),
        ]
        await work_off(hand, 2)
        assert hand.anew == [False, True]
        await asyncio.gather(*tasks)

    run(scenario())


class TestRefusal:
    """Of jobs that would not be done in time. A claim of 1,000 ms is a second as long as nothing was measured."""

    SECOND = Claim(cost_ms=1000.0, patience_s=25.0, client="a")

    def test_a_gallery_is_done_as_long_as_it_fits(self) -> None:
        async def scenario() -> None:
            queue = queue_of(Hand(), Hand(), full_after_s=25.0)
            tasks = [await begin(queue, str(number), self.SECOND) for number in range(60)]
            refused = [refusal(task.result()) for task in tasks if task.done()]
            assert 48 <= 60 - len(refused) <= 52, "two children do fifty in 25 seconds"
            assert {error.retry_after_s for error in refused} <= {25, 26}
            await end(*tasks)

        run(scenario())

    def test_the_newest_of_the_largest_client_makes_room_for_another_client(self) -> None:
        async def scenario() -> None:
            queue = queue_of(Hand(), full_after_s=10.0)
            gallery = [await begin(queue, str(number), self.SECOND) for number in range(10)]
            assert not any(task.done() for task in gallery)
            other = await begin(queue, "other", replace(self.SECOND, client="b"))
            assert not other.done()
            assert [task.done() for task in gallery] == [False] * 9 + [True]
            await end(other, *gallery)

        run(scenario())

    def test_a_job_that_would_be_late_is_refused_and_no_other(self) -> None:
        async def scenario() -> None:
            queue = queue_of(Hand(), full_after_s=100.0)
            tasks = [await begin(queue, str(number), self.SECOND) for number in range(5)]
            hurried = await begin(queue, "hurried", replace(self.SECOND, patience_s=3.0))
            assert refusal(hurried.result()).retry_after_s == 6
            assert not any(task.done() for task in tasks)
            await end(*tasks)

        run(scenario())

    def test_a_job_that_finds_a_free_child_is_never_refused(self) -> None:
        async def scenario() -> None:
            queue = queue_of(Hand(), full_after_s=1.0)
            task = await begin(queue, "costly", replace(self.SECOND, cost_ms=90_000.0))
            assert not task.done()
            await end(task)

        run(scenario())

    def test_what_a_machine_takes_is_measured(self) -> None:
        async def scenario() -> None:
            hand = Hand()
            queue = queue_of(hand, full_after_s=10.0)
            for _ in range(40):  # each takes no time at all
                task = await begin(queue, "quick", self.SECOND)
                hand.finish.set()
                await task
            tasks = [await begin(queue, str(number), self.SECOND) for number in range(30)]
            assert not any(task.done() for task in tasks), "a quick machine does thirty in ten seconds"
            await end(*tasks)

        run(scenario())

    @pytest.mark.parametrize("claim", [BEHIND])
    def test_background_jobs_take_no_place_of_clients(self, claim: Claim) -> None:
        async def scenario() -> None:
            queue = queue_of(Hand(), full_after_s=10.0)
            behind = [await begin(queue, str(number), claim) for number in range(65)]
            assert [task.done() for task in behind] == [False] * 64 + [True]
            client = await begin(queue, "client", self.SECOND)
            assert not client.done()
            await end(client, *behind)

        run(scenario())


def test_a_queue_is_empty_again_after_all() -> None:
    async def scenario() -> None:
        hands = Hand(), Hand()
        queue: JobQueue = queue_of(*hands)
        tasks = [await begin(queue, str(number)) for number in range(20)]
        while not all(task.done() for task in tasks):
            for hand in hands:
                hand.finish.set()
            await settle()
        assert sorted(name for hand in hands for name in hand.begun) == sorted(map(str, range(20)))

    run(scenario())


def test_a_job_that_was_withdrawn_just_now_is_not_refused_as_well() -> None:
    async def scenario() -> None:
        interest = Interest()
        queue = queue_of(Hand(), full_after_s=2.0)
        claim = Claim(cost_ms=900.0)
        running = await begin(queue, "running", claim)
        leaving = await begin(queue, "leaving", claim, interest)
        new = asyncio.create_task(queue.perform(job("new"), replace(claim, cost_ms=800.0), ALWAYS))
        newer = asyncio.create_task(queue.perform(job("newer"), claim, ALWAYS))
        interest.change(is_wanted=False)  # before the new jobs come, and before the other one has left the queue
        await settle()
        assert await leaving == GaveWay()
        outcomes = [task.result() for task in (new, newer) if task.done()]
        assert all(isinstance(each, Failed) and isinstance(each.error, Overloaded) for each in outcomes)
        await end(running, new, newer)

    run(scenario())


class TestRealTime:
    """Of jobs that take many times their estimate."""

    BOMB = replace(SHORT, cost_ms=8.0, source="bomb", client="a")

    def test_a_job_that_takes_long_in_the_child_for_short_jobs_goes_on_in_another_one(self) -> None:
        async def scenario() -> None:
            hand, short_hand = Hand(), Hand(is_late=True, spent_ms=400.0)
            queue = queue_of(hand, short=short_hand)
            task = await begin(queue, "bomb", self.BOMB)
            assert short_hand.timeouts_s == [SHORT_LIMIT_S]
            await work_off(short_hand, 1)
            assert (short_hand.begun, hand.begun, hand.timeouts_s) == (["bomb"], ["bomb"], [20.0])
            await work_off(hand, 1)
            assert await task == outcome("bomb")

        run(scenario())

    @pytest.mark.parametrize(
        ("in_short_child", "timeout_s"),
        [
            pytest.param(True, SHORT_LIMIT_S / 2, id="its own is lower"),
            pytest.param(False, 20.0, id="in another child"),
        ],
    )
    def test_a_deadline_of_its_own_ends_a_job(self, in_short_child: bool, timeout_s: float) -> None:
        async def scenario() -> None:
            hand = Hand(is_late=True)
            queue = queue_of(*([] if in_short_child else [hand]), short=hand if in_short_child else None)
            task = await begin(queue, "bomb", self.BOMB, timeout_s=timeout_s)
            assert await work_off(hand, 1) == ["bomb"]
            failed = await task
            assert isinstance(failed, Failed)
            assert isinstance(failed.error, RenderTimeout)

        run(scenario())

    @pytest.mark.parametrize("spent_ms", [400.0, pytest.param(100.0, id="the machine is busy")])
    def test_a_second_job_of_such_a_source_never_gets_the_child_for_short_jobs(self, spent_ms: float) -> None:
        async def scenario() -> None:
            hand, short_hand = Hand(), Hand(is_late=True, spent_ms=spent_ms)
            queue = queue_of(hand, short=short_hand)
            bombs = [await begin(queue, f"bomb {number}", self.BOMB) for number in range(5)]
            assert (short_hand.begun, hand.begun) == (["bomb 0"], ["bomb 1"])
            await work_off(short_hand, 1)
            assert short_hand.begun == ["bomb 0"], "those that wait already have left its line"
            bombs.append(await begin(queue, "bomb 5", self.BOMB))
            visitor = await begin(queue, "visitor", replace(SHORT, client="b"))
            assert short_hand.begun == ["bomb 0", "visitor"]
            await end(visitor, *bombs)

        run(scenario())

    def test_what_a_job_took_beyond_its_estimate_counts_in_turns(self) -> None:
        async def scenario() -> None:
            hand = Hand(spent_ms=900.0)
            queue = queue_of(hand)
            hostile, other = replace(LONG, client="a"), replace(LONG, client="b")
            names = {"a 0": hostile, "a 1": hostile, "b 0": other, "b 1": other, "b 2": other}
            tasks = [await begin(queue, name, claim) for name, claim in names.items()]
            hand.finish.set()
            await settle()
            hand.spent_ms = 100.0
            assert await work_off(hand, 4) == ["a 0", "b 0", "b 1", "b 2", "a 1"]
            await end(*tasks)

        run(scenario())

    def test_what_each_job_took_is_charged_also_if_it_gives_way(self) -> None:
        async def scenario() -> None:
            charged = []

            def charge(claim: Claim, spent_ms: float, *, was_ended: bool) -> None:
                charged.append((claim.client, spent_ms, was_ended))

            hand, interest = Hand(spent_ms=700.0), Interest()
            queue = JobQueue(1, full_after_s=1000.0, charge=charge)
            queue.add(hand)
            left = await begin(queue, "left", replace(LONG, client="a"), interest)
            interest.change(is_wanted=False)
            await asyncio.sleep(2 * SHORT_MS / 1000)  # one that has just begun is not ended
            other = await begin(queue, "other", replace(LONG, client="b"))
            assert await left == GaveWay()
            hand.finish.set()
            assert await other == outcome("other")
            assert charged == [("a", 700.0, True), ("b", 700.0, False)]

        run(scenario())

    def test_a_job_whose_estimate_was_corrected_is_charged_beyond_its_own_estimate(self) -> None:
        async def scenario() -> None:
            charged = []

            def charge(claim: Claim, spent_ms: float, *, was_ended: bool) -> None:
                charged.append(spent_ms - claim.cost_ms)

            hand = Hand(spent_ms=5000.0)
            queue = JobQueue(1, full_after_s=1000.0, charge=charge)
            queue.add(hand)
            for _ in range(3):
                task = await begin(queue, "bomb", replace(LONG, client="a", source="bomb"))
                hand.finish.set()
                await task
            assert charged == [5000.0 - LONG.cost_ms] * 3

        run(scenario())

    def test_an_overrun_says_nothing_about_the_machine(self) -> None:
        async def scenario() -> None:
            hand = Hand(spent_ms=9000.0)
            queue = queue_of(hand, full_after_s=10.0)
            for _ in range(40):
                task = await begin(queue, "bomb", replace(LONG, cost_ms=1000.0))
                hand.finish.set()
                await task
            tasks = [await begin(queue, str(number), replace(LONG, cost_ms=1000.0)) for number in range(30)]
            assert sum(task.done() for task in tasks) >= 18, "forty jobs without any time make no quick machine"
            await end(*tasks)

        run(scenario())
