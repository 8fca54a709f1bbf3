"""
One connection between an HTTP worker and the broker, over which any number of jobs are under way.

The worker sends (number, (job, claim)); then (number, False) when no client waits for that job any more, (number, True)
when one waits again, and (number, None) to have it ended. The broker sends (number, outcome), in any order.
"""

import asyncio
import contextlib
import itertools
import logging
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

from imgcdn.core.interest import Interest
from imgcdn.renderers.jobs import Claim, Job, Outcome, failed_by_us
from imgcdn.renderers.messages import pack, read_message

_log = logging.getLogger(__name__)

#: Raised when the other side has closed the connection, or has sent something that is not a message.
CLOSED = (asyncio.IncompleteReadError, ConnectionError, pickle.UnpicklingError)


class Channel:
    """
    The worker's end.

    Args:
        reader, writer: An open connection to the broker.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._reading = asyncio.create_task(self._read(reader))

    @property
    def is_open(self) -> bool:
        """Whether the broker still has the connection open."""
        return not self._reading.done()

    async def run(self, job: Job, claim: Claim, interest: Interest) -> Outcome:
        """
        Have a job done. Cancelling this kills the child that does it.

        Args:
            interest: The broker is told of its changes.

        Raises:
            ConnectionResetError: The broker has gone.
        """
        if not self.is_open:
            raise ConnectionResetError("the broker has gone")
        number = next(self._numbers)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._writer.write(pack((number, (job, claim))))
        try:
            with interest.watched_by(lambda is_wanted: self._writer.write(pack((number, is_wanted)))):
                return await future
        except asyncio.CancelledError:
            self._writer.write(pack((number, None)))
            raise
        finally:
            del self._waiting[number]

    def close(self) -> None:
        """Close the connection. Jobs under way are cancelled."""
        self._writer.close()
        self._reading.cancel()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                number, outcome = await read_message(reader)
                future = self._waiting.get(number)
                if future is not None and not future.done():
                    future.set_result(outcome)
        except CLOSED:
            pass
        finally:
            self._writer.close()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionResetError("the broker has gone"))


async def serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    perform: Callable[[Job, Claim, Interest], Awaitable[Outcome]],
) -> None:
    """
    Do the jobs that come over a connection, until its worker closes it.

    Args:
        perform: Does one job. It is cancelled when its worker says so or has gone.
    """
    running: dict[int, asyncio.Task[None]] = {}
    interests: dict[int, Interest] = {}

    async def do(number: int, job: Job, claim: Claim) -> None:
        try:
            outcome = await perform(job, claim, interests[number])
        except Exception:  # noqa: BLE001  # the last resort of a job: a worker would wait for an outcome that never comes
            _log.exception("a job failed in the broker")
            outcome = failed_by_us()
        writer.write(pack((number, outcome)))
        await writer.drain()

    def begin(number: int, job: Job, claim: Claim) -> None:
        interests[number] = Interest()
        task = running[number] = asyncio.create_task(do(number, job, claim))
        task.add_done_callback(lambda _: (running.pop(number), interests.pop(number)))

    try:
        with contextlib.suppress(*CLOSED):
            while True:
                message: tuple[int, Any] = await read_message(reader)
                number, said = message
                if isinstance(said, tuple):
                    begin(number, *said)
                elif number not in running:  # its outcome is on its way
                    continue
                elif said is None:
                    running[number].cancel()
                else:
                    interests[number].change(is_wanted=said)
    finally:
        tasks = list(running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
