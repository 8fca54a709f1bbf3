"""Budgets of new variants, on a clock that the test moves."""

import asyncio
import contextlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.core.interest import ALWAYS, Interest, Withdrawn
from imgcdn.core.request.params import Params
from imgcdn.errors import InternalError, OverBudget, Overloaded, RenderFailed, RenderTimeout
from imgcdn.renderers.broker import Broker
from imgcdn.renderers.budgets import Budgets
from imgcdn.renderers.jobs import Changed, Claim, Failed, FirstRender, GaveWay, Job, Outcome, Probed, Rendered
from imgcdn.renderers.settings import Allowance
from tests.support.brokers import probe_job, render_job, rendering, settings, slow_job, works
from tests.support.planning import FAST, LIMITS

VARIANTS = Allowance(is_for_source=False, counts_seconds=False, amount=3)
SECONDS = replace(VARIANTS, counts_seconds=True, amount=2)
OF_SOURCE = replace(VARIANTS, is_for_source=True)

CLAIM = Claim(cost_ms=500.0, client="192.0.2.1", source="abc")


class Clocked:
    """Budgets with a clock."""

    def __init__(self, *allowances: Allowance) -> None:
        self.now = 1000.0
        self.budgets = Budgets(allowances, lambda: self.now)

    def accepts(self, claim: Claim = CLAIM) -> bool:
        return self.budgets.charge(claim) is None


def test_without_a_budget_everything_is_accepted() -> None:
    assert all(Clocked().accepts() for _ in range(100))


def test_a_client_gets_its_variants_and_then_one_after_the_other() -> None:
    clocked = Clocked(VARIANTS)
    assert [clocked.accepts() for _ in range(4)] == [True, True, True, False]
    refused = clocked.budgets.charge(CLAIM)
    assert refused is not None
    assert refused.retry_after_s == 20, "three a minute"
    clocked.now += 20
    assert [clocked.accepts() for _ in range(2)] == [True, False]
    clocked.now += 1000
    assert [clocked.accepts() for _ in range(4)] == [True, True, True, False]


def test_seconds_are_what_was_estimated_and_one_job_may_take_more() -> None:
    clocked = Clocked(SECONDS)
    assert [clocked.accepts(replace(CLAIM, cost_ms=cost)) for cost in (1_500.0, 6_500.0, 1.0)] == [
        True,
        True,
        False,
    ]
    clocked.now += 179
    assert not clocked.accepts(), "six seconds of debt take three minutes"
    clocked.now += 2
    assert clocked.accepts()


@pytest.mark.parametrize(
    ("allowance", "other", "is_apart"),
    [
        pytest.param(VARIANTS, replace(CLAIM, client="192.0.2.2"), True, id="another client"),
        pytest.param(VARIANTS, replace(CLAIM, source="def"), False, id="another source of one client"),
        pytest.param(OF_SOURCE, replace(CLAIM, source="def"), True, id="another source"),
        pytest.param(OF_SOURCE, replace(CLAIM, client="192.0.2.2"), False, id="another client of one source"),
        pytest.param(VARIANTS, replace(CLAIM, client=""), True, id="an unknown client has no budget"),
        pytest.param(VARIANTS, replace(CLAIM, is_background=True), True, id="background work"),
    ],
)
def test_whose_budget_it_is(allowance: Allowance, other: Claim, is_apart: bool) -> None:
    clocked = Clocked(allowance)
    for _ in range(3):
        clocked.accepts()
    assert clocked.accepts(other) is is_apart


def test_a_refund_gives_back() -> None:
    clocked = Clocked(VARIANTS)
    for _ in range(20):
        assert clocked.accepts()
        clocked.budgets.refund(CLAIM)


@pytest.mark.parametrize(
    ("allowances", "note"),
    [
        pytest.param([VARIANTS], "client_variants = 3", id="variants of a client"),
        pytest.param([OF_SOURCE], "source_variants = 3", id="variants of a source"),
        pytest.param([VARIANTS, OF_SOURCE], "client_variants = 3, source_variants = 3", id="both"),
    ],
)
def test_the_log_says_which_budget_is_used_up(allowances: list[Allowance], note: str) -> None:
    budgets = Budgets(allowances)
    refused = [error for error in (budgets.charge(CLAIM) for _ in range(4)) if error is not None]

    assert [error.log for error in refused] == [f"used up for this minute: {note}"]
    assert note not in refused[0].detail


def test_the_memory_of_budgets_is_bounded() -> None:
    clocked = Clocked(VARIANTS)
    for number in range(21_000):
        clocked.accepts(replace(CLAIM, client=str(number)))
    assert len(clocked.budgets) == 20_000


def test_the_broker_counts_for_all_workers(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        limited = settings(budget=(replace(VARIANTS, amount=2),))
        async with rendering(folder, limited) as one, rendering(folder, limited) as other:
            for renderers in (one, other):
                await renderers.run(render_job(small), CLAIM)
            with pytest.raises(OverBudget) as refused:
                await one.run(render_job(small), CLAIM)
            assert 25 <= (refused.value.retry_after_s or 0) <= 30
            await one.run(render_job(small), replace(CLAIM, client="198.51.100.9"))
            assert works(await one.run(probe_job(small), CLAIM))
            one.disconnect()

    asyncio.run(scenario())


def test_a_crowd_of_new_originals_gets_no_more_than_the_budget(folder: Path, small: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(budget=(VARIANTS,))) as renderers:

            async def first(number: int) -> bool:
                then = FirstRender(Params(width=30), ("webp",), LIMITS, FAST, str(tmp_path / f"{number}"), 1)
                outcome = await renderers.run(replace(probe_job(small), then=then), CLAIM)
                assert works(outcome)
                return isinstance(outcome, Probed) and outcome.rendered is not None

            rendered = await asyncio.gather(*(first(number) for number in range(12)))
            assert sum(rendered) == 3

    asyncio.run(scenario())


class _Scripted(Broker):
    """A broker whose queue gives one outcome."""

    def __init__(self, outcome: Outcome | None) -> None:
        super().__init__(settings(budget=(replace(VARIANTS, amount=1),)))
        self._outcome = outcome

    async def _perform(self, job: Job, claim: Claim, interest: Interest) -> Outcome:
        if self._outcome is None:
            raise asyncio.CancelledError
        return self._outcome

    async def is_charged(self, job: Job) -> bool:
        with contextlib.suppress(asyncio.CancelledError):
            await self.perform(job, CLAIM, ALWAYS)
        return self._budgets.charge(CLAIM) is not None


@pytest.mark.parametrize(
    ("outcome", "is_charged"),
    [
        pytest.param(Rendered(None), True, id="rendered"),
        pytest.param(Failed(RenderFailed("crash")), True, id="a crash"),
        pytest.param(Failed(RenderTimeout("too long")), True, id="a deadline"),
        pytest.param(Changed(), False, id="the original was replaced"),
        pytest.param(GaveWay(), False, id="nobody waited"),
        pytest.param(Failed(Overloaded("later")), False, id="the queue was full"),
        pytest.param(Failed(InternalError("ours")), False, id="no child could be started"),
        pytest.param(None, False, id="cancelled"),
    ],
)
def test_only_a_render_that_was_done_is_charged(small: Path, outcome: Outcome | None, is_charged: bool) -> None:
    assert asyncio.run(_Scripted(outcome).is_charged(render_job(small))) is is_charged
    with_probe = outcome
    if isinstance(outcome, Rendered | Failed):
        with_probe = Probed("12" * 32, None, None, outcome)
    first = FirstRender(Params(width=30), ("webp",), LIMITS, FAST, "temp", 1_700_000_000)
    job = replace(probe_job(small), then=first)
    assert asyncio.run(_Scripted(with_probe).is_charged(job)) is is_charged


def test_a_probe_that_renders_nothing_is_not_charged(small: Path) -> None:
    first = FirstRender(Params(width=30), ("webp",), LIMITS, FAST, "temp", 1_700_000_000)
    job = replace(probe_job(small), then=first)
    assert not asyncio.run(_Scripted(Probed("12" * 32, None, None)).is_charged(job))


@pytest.mark.parametrize(
    ("spent_ms", "was_ended", "left"),
    [
        pytest.param(300.0, False, (2, 1.5), id="less than the estimate"),
        pytest.param(1800.0, False, (2, 0.2), id="what was above the estimate"),
        pytest.param(6500.0, False, (2, -4.5), id="a debt"),
        pytest.param(300.0, True, (2, 1.7), id="ended: what was spent, and a variant"),
        pytest.param(0.0, True, (3, 2.0), id="ended before it began"),
    ],
)
def test_what_a_job_has_really_taken_is_charged(spent_ms: float, was_ended: bool, left: tuple[int, float]) -> None:
    clocked = Clocked(VARIANTS, SECONDS)
    assert clocked.accepts()
    clocked.budgets.charge_afterwards(CLAIM, spent_ms, was_ended=was_ended)
    if was_ended:
        clocked.budgets.refund(CLAIM)
    found = [clocked.budgets._now_left(each, CLAIM.client) for each in (VARIANTS, SECONDS)]
    assert found == pytest.approx(left)


def test_a_probe_that_takes_long_is_charged_to_its_client_and_its_source(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        of_both = (replace(SECONDS, amount=1), replace(SECONDS, amount=1, is_for_source=True))
        async with rendering(folder, settings(budget=of_both)) as renderers:
            first = FirstRender(Params(width=30), ("webp",), LIMITS, FAST, str(small.with_suffix(".temp")), 1)
            hostile = replace(CLAIM, cost_ms=17.0)
            os.truncate(small, 3_000_000_000)  # to hash the zeros after the picture takes longer than the claim says
            assert isinstance(
                await renderers.run(replace(probe_job(small, timeout_s=120), then=first), hostile), Probed
            )
            for other in (replace(CLAIM, client="192.0.2.2"), replace(CLAIM, source="def")):
                with pytest.raises(OverBudget):
                    await renderers.run(render_job(small), other)

    asyncio.run(scenario())


def test_an_abandoned_render_is_charged_for_what_it_took(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(budget=(replace(SECONDS, amount=1),))) as renderers:
            interest, hostile = Interest(), replace(CLAIM, cost_ms=900.0)
            left = asyncio.create_task(renderers.run(slow_job(huge), hostile, interest))
            await asyncio.sleep(2)
            interest.change(is_wanted=False)
            visitor = replace(CLAIM, cost_ms=100.0, client="192.0.2.2")
            assert isinstance(await renderers.run(render_job(small), visitor), Rendered)
            with pytest.raises(Withdrawn):
                await left
            again = [renderers.run(render_job(small), replace(hostile, cost_ms=600.0)) for _ in range(2)]
            outcomes = await asyncio.gather(*again, return_exceptions=True)
            assert any(isinstance(each, OverBudget) for each in outcomes), "both would do if nothing had been spent"

    asyncio.run(scenario())
