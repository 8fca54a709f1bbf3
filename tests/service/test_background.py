"""Work that no client waits for: bounded, once for each key, and ended with the process."""

import asyncio
from collections.abc import Coroutine

import pytest

from imgcdn.service.background import Background


def run(scenario: Coroutine[None, None, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario

    asyncio.run(bounded())


class Work:
    """Work that goes on until it is told to end."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.end = asyncio.Event()

    async def __call__(self) -> None:
        self.begun += 1
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def test_work_with_a_key_is_done_once_at_a_time() -> None:
    async def scenario() -> None:
        background, work = Background(), Work()
        assert [background.submit("a", work) for _ in range(3)] == [True, False, False]
        assert background.submit("b", work)
        await asyncio.sleep(0)
        assert work.begun == 2
        work.end.set()
        await asyncio.sleep(0.01)
        assert background.submit("a", work), "it has ended, so it can begin again"
        await background.stop()

    run(scenario())


def test_no_more_is_begun_than_the_limit() -> None:
    async def scenario() -> None:
        background, work = Background(limit=2), Work()
        assert [background.submit(key, work) for key in "abc"] == [True, True, False]
        await background.stop()

    run(scenario())


def test_the_end_of_the_process_ends_it() -> None:
    async def scenario() -> None:
        background, work = Background(), Work()
        background.submit("a", work)
        background.repeat("b", 0.001, work)
        await asyncio.sleep(0.05)
        await background.stop()
        assert (work.begun, work.cancelled) == (2, 2)
        assert not background.submit("c", work)

    run(scenario())


def test_an_error_is_logged_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async def scenario() -> None:
        background = Background()
        background.submit("a", fail)
        await asyncio.sleep(0.01)
        assert background.submit("a", fail)
        await asyncio.sleep(0.01)
        await background.stop()

    with caplog.at_level("ERROR", logger="imgcdn"):
        run(scenario())
    assert [record.getMessage() for record in caplog.records] == ["background work failed: a"] * 2


def test_work_that_is_repeated_and_goes_on_failing_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    attempts = 0

    async def fail() -> None:
        nonlocal attempts
        attempts += 1
        if attempts != 3:
            raise ValueError("broken")

    async def scenario() -> None:
        background = Background()
        background.repeat("a", 0.001, fail)
        while attempts < 6:
            await asyncio.sleep(0.001)
        await background.stop()

    with caplog.at_level("ERROR", logger="imgcdn"):
        run(scenario())
    assert len(caplog.records) == 2, "once before it succeeded, and once after"
