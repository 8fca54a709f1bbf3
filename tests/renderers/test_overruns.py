"""What jobs really took, and which sources are remembered for that, on a clock that the test moves."""

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest

from imgcdn.renderers.jobs import Claim
from imgcdn.renderers.overruns import Overruns
from imgcdn.renderers.time_spent import TimeSpent

CLAIM = Claim(cost_ms=20.0, source="bomb")


@pytest.mark.parametrize(
    ("cost_ms", "spent_ms", "is_overrun"),
    [
        pytest.param(20.0, 20.0, False, id="as estimated"),
        pytest.param(20.0, 149.0, False, id="a new child, a cold file or a busy machine may take so much"),
        pytest.param(20.0, 151.0, True, id="seven times"),
        pytest.param(1000.0, 3900.0, False, id="below four times"),
        pytest.param(1000.0, 4100.0, True, id="above four times"),
    ],
)
def test_an_overrun_is_many_times_the_estimate(cost_ms: float, spent_ms: float, is_overrun: bool) -> None:
    overruns, claim = Overruns(), replace(CLAIM, cost_ms=cost_ms)
    assert overruns.note(claim, spent_ms) is is_overrun
    assert overruns.corrected(claim).cost_ms == (spent_ms if is_overrun else cost_ms)


def test_the_next_jobs_of_a_source_are_estimated_at_what_one_took_for_ten_minutes() -> None:
    now = [1000.0]
    overruns = Overruns(lambda: now[0])
    overruns.note(CLAIM, 9000.0)
    overruns.note(CLAIM, 400.0)
    assert overruns.corrected(CLAIM) == replace(CLAIM, cost_ms=9000.0), "the most counts"
    assert overruns.corrected(replace(CLAIM, cost_ms=9500.0)).cost_ms == 9500.0, "never less than the estimate"
    assert overruns.corrected(replace(CLAIM, source="other")).cost_ms == 20.0
    assert overruns.corrected(replace(CLAIM, source="")).cost_ms == 20.0
    now[0] += 599
    assert overruns.corrected(CLAIM).cost_ms == 9000.0
    now[0] += 2
    assert overruns.corrected(CLAIM).cost_ms == 20.0


def test_a_source_whose_job_was_ended_is_remembered_until_that_was_done_by_another_child() -> None:
    now = [1000.0]
    overruns = Overruns(lambda: now[0])
    overruns.note_late(CLAIM, 400.0)
    assert overruns.corrected(CLAIM).cost_ms == 400.0
    now[0] += 31
    assert overruns.corrected(CLAIM).cost_ms == 20.0, "it was the machine"
    overruns.note(CLAIM, 9000.0)
    overruns.note_late(CLAIM, 400.0)
    now[0] += 590
    assert overruns.corrected(CLAIM).cost_ms == 9000.0, "neither the time nor the cost is reduced"


def test_a_job_without_a_source_leaves_nothing() -> None:
    overruns = Overruns()
    overruns.note_late(replace(CLAIM, source=""), 400.0)
    assert overruns.note(replace(CLAIM, source=""), 9000.0)
    assert len(overruns) == 0


def test_the_memory_of_overruns_is_bounded_and_keeps_the_latest() -> None:
    overruns = Overruns()
    for number in range(3_000):
        overruns.note(replace(CLAIM, source=str(number)), 500.0)
    assert len(overruns) == 1_024
    assert overruns.corrected(replace(CLAIM, source="2999")).cost_ms == 500.0


def _spent(pid: int | None, wall_s: float) -> float:
    async def scenario() -> float:
        spent = TimeSpent()
        with spent.measured(pid):
            await asyncio.sleep(wall_s)
        return spent.ms / 1000

    return asyncio.run(scenario())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the CPU time of other processes")
@pytest.mark.parametrize(
    ("work", "low", "high"),
    [
        # A quarter of the wall-clock time is the least. One busy thread takes as much as the machine gives it.
        pytest.param("while True: pass", 0.25, 1.1, id="busy"),
        pytest.param("import sys; sys.stdin.read()", 0.25, 0.5, id="waiting"),
    ],
)
def test_a_job_has_taken_its_cpu_time_and_at_least_a_quarter_of_the_clock(work: str, low: float, high: float) -> None:
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE) as process:
        try:
            assert 2 * low - 0.01 <= _spent(process.pid, 2.0) <= 2 * high
        finally:
            process.kill()


def test_without_a_process_the_clock_counts() -> None:
    assert _spent(None, 0.2) >= 0.19
