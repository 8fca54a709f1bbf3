"""The connection between a worker and the broker."""

import asyncio
from pathlib import Path

import pytest

from imgcdn.core.interest import ALWAYS, Interest
from imgcdn.errors import InternalError
from imgcdn.renderers.channel import Channel, serve
from imgcdn.renderers.jobs import NO_CLAIM, Changed, Claim, Failed, Job, Outcome
from tests.support.queueing import job


def test_a_job_that_fails_in_the_broker_gets_an_outcome_and_the_others_go_on(tmp_path: Path) -> None:
    async def perform(job: Job, claim: Claim, interest: Interest) -> Outcome:
        if job.path.name == "bad":
            raise RuntimeError("nobody expected this")
        return Changed()

    async def scenario() -> None:
        server = await asyncio.start_unix_server(
            lambda reader, writer: serve(reader, writer, perform), tmp_path / "socket"
        )
        async with server:
            channel = Channel(*await asyncio.open_unix_connection(tmp_path / "socket"))
            async with asyncio.timeout(10):
                good, bad = await asyncio.gather(
                    *(channel.run(job(name), NO_CLAIM, ALWAYS) for name in ("good", "bad"))
                )
            assert good == Changed()
            assert isinstance(bad, Failed)
            assert isinstance(bad.error, InternalError)
            channel.close()

    asyncio.run(scenario())


def test_changes_of_interest_arrive(tmp_path: Path) -> None:
    async def perform(job: Job, claim: Claim, interest: Interest) -> Outcome:
        told: asyncio.Queue[bool] = asyncio.Queue()
        with interest.watched_by(told.put_nowait):
            assert [await told.get(), await told.get()] == [False, True]
        return Changed()

    async def scenario() -> None:
        server = await asyncio.start_unix_server(
            lambda reader, writer: serve(reader, writer, perform), tmp_path / "socket"
        )
        async with server:
            channel, interest = Channel(*await asyncio.open_unix_connection(tmp_path / "socket")), Interest()
            interest.change(is_wanted=False)
            running = asyncio.create_task(channel.run(job("any"), NO_CLAIM, interest))
            await asyncio.sleep(0.05)
            interest.change(is_wanted=True)
            async with asyncio.timeout(10):
                assert await running == Changed()
            channel.close()

    asyncio.run(scenario())


def test_a_channel_whose_broker_has_gone_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_unix_server(hang_up, tmp_path / "socket"):
            channel = Channel(*await asyncio.open_unix_connection(tmp_path / "socket"))
            with pytest.raises(ConnectionError):
                await channel.run(job("any"), NO_CLAIM, ALWAYS)

    asyncio.run(scenario())


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read what a worker sends, and send nothing."""
    try:
        await reader.read()
    finally:
        writer.close()


def test_a_broker_that_hangs_is_noticed_and_its_jobs_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        silent: list[int] = []
        async with await asyncio.start_unix_server(hang, tmp_path / "socket"):
            connection = await asyncio.open_unix_connection(tmp_path / "socket")
            channel = Channel(*connection, on_silence=silent.append, ping_s=0.05)
            async with asyncio.timeout(20):
                with pytest.raises(ConnectionError):
                    await channel.run(job("any"), NO_CLAIM, ALWAYS)
            assert len(silent) == 1
            assert not channel.is_open

    asyncio.run(scenario())


def test_a_broker_that_hangs_is_noticed_although_each_request_gives_up_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with await asyncio.start_unix_server(hang, tmp_path / "socket"):
            channel = Channel(*await asyncio.open_unix_connection(tmp_path / "socket"), ping_s=0.1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await channel.run(job("any"), NO_CLAIM, ALWAYS)
            async with asyncio.timeout(20):
                while channel.is_open:
                    await asyncio.sleep(0.05)

    asyncio.run(scenario())


def test_a_broker_that_works_for_long_is_not_taken_for_one_that_hangs(tmp_path: Path) -> None:
    async def perform(job: Job, claim: Claim, interest: Interest) -> Outcome:
        await asyncio.sleep(2)
        return Changed()

    async def scenario() -> None:
        server = await asyncio.start_unix_server(
            lambda reader, writer: serve(reader, writer, perform), tmp_path / "socket"
        )
        async with server:
            channel = Channel(*await asyncio.open_unix_connection(tmp_path / "socket"), ping_s=0.1)
            assert await channel.run(job("any"), NO_CLAIM, ALWAYS) == Changed()
            channel.close()

    asyncio.run(scenario())
