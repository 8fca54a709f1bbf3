"""Jobs whose child was killed, on a clock that the test moves."""

from dataclasses import replace
from pathlib import Path

from imgcdn.core.values import PathBeneath
from imgcdn.renderers.killings import Killings
from tests.support.brokers import render_job


def test_a_job_is_refused_for_a_minute_after_two_killings_within_a_minute(small: Path) -> None:
    now = [100.0]
    killings, job = Killings(lambda: now[0]), render_job(small)
    killings.note(job)
    assert killings.refusal(job) is None
    now[0] += 59
    killings.note(job)
    refused = killings.refusal(replace(job, temp="/somewhere/else"))
    assert refused is not None
    assert refused.retry_after_s == 60
    assert killings.refusal(render_job(small, size=(9, 6))) is None, "another variant is not concerned"
    now[0] += 61
    assert killings.refusal(job) is None


def test_two_killings_with_more_than_a_minute_between_them_are_forgiven(small: Path) -> None:
    now = [100.0]
    killings, job = Killings(lambda: now[0]), render_job(small)
    for _ in range(5):
        killings.note(job)
        assert killings.refusal(job) is None
        now[0] += 61


def test_the_memory_of_killings_is_bounded(small: Path) -> None:
    killings = Killings(lambda: 100.0)
    for number in range(3_000):
        killings.note(replace(render_job(small), path=PathBeneath("/", str(number))))
    assert len(killings) <= 1_024
