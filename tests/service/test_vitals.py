"""When the failures of a part count as a problem."""

import asyncio
import socket
from pathlib import Path

import pytest

from imgcdn.core.interest import ALWAYS
from imgcdn.errors import Overloaded
from imgcdn.renderers.channel import Channel
from imgcdn.renderers.jobs import NO_CLAIM
from imgcdn.service.renderers import ObservedRenderClient
from imgcdn.service.vitals import SURE, Vitals
from tests.support.brokers import probe_job, processes, settings, until, works


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_failures_count_when_they_come_in_a_row() -> None:
    vitals = Vitals()
    for _ in range(2):
        vitals.note_failure("renderers", "they crash")
    vitals.note_success("renderers")
    for _ in range(2):
        vitals.note_failure("renderers", "they crash")
    assert vitals.problems() == []
    vitals.note_failure("renderers", "they crash again")
    assert vitals.problems() == ["renderers: they crash again"]
    vitals.note_success("renderers")
    assert vitals.problems() == []


def test_the_failures_of_one_source_count_as_one() -> None:
    vitals = Vitals()
    for source in ("a", "a", "a", "b", "a", "b"):
        vitals.note_failure("renderers", "they crash", source=source)
    assert vitals.problems() == []
    vitals.note_failure("renderers", "they crash", source="c")
    assert vitals.problems() == ["renderers: they crash"]


def test_one_failure_is_enough_if_its_cause_is_certain() -> None:
    vitals = Vitals()
    vitals.note_failure("renderers", "they crash")
    vitals.note_failure("broker", "it does not start", weight=SURE)
    assert vitals.problems() == ["broker: it does not start"]


def test_a_failure_is_forgotten_after_ten_minutes() -> None:
    clock = _Clock()
    vitals = Vitals(clock=clock)
    vitals.note_failure("broker", "it does not start", weight=SURE)
    clock.now = 600
    assert vitals.problems() == ["broker: it does not start"]
    clock.now = 601
    assert vitals.problems() == []


def test_a_broker_that_hangs_is_a_problem_until_one_has_answered(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        vitals = Vitals()
        renderers = ObservedRenderClient(settings(), vitals=vitals, folder=folder)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            renderers.end_silent_broker(ours.fileno())
        hangs = ["broker: it hung; the log has more"]
        assert vitals.problems() == hangs
        await renderers.connect()
        assert vitals.problems() == hangs, "one that hangs can be connected to"
        assert works(await renderers.run(probe_job(small), NO_CLAIM, ALWAYS))
        assert vitals.problems() == []
        renderers.disconnect()
        await until(lambda: not processes(folder), "the broker has ended")

    asyncio.run(scenario())


class _Lost(ObservedRenderClient):
    """A client whose broker is killed again and again."""

    async def connect(self) -> Channel:
        raise ConnectionResetError("the broker has gone")


def test_a_broker_that_cannot_be_reached_is_no_answer(folder: Path, small: Path) -> None:
    vitals = Vitals()
    renderers = _Lost(settings(), vitals=vitals, folder=folder)
    renderers.end_silent_broker(-1)
    with pytest.raises(Overloaded):
        asyncio.run(renderers.run(probe_job(small)))
    assert vitals.problems() == ["broker: it hung; the log has more"]
