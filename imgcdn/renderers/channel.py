"""
One connection between an HTTP worker and the broker, over which any number of jobs are under way.

The worker sends (number, job), or (number, None) when nobody waits for that job any more. The broker sends
(number, outcome), in any order.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from imgcdn.renderers.jobs import Job, Outcome, pack, read_message

#: Raised when the other side has closed the connection.
CLOSED = (asyncio.IncompleteReadError, ConnectionError)


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

    async def run(self, job: Job) -> Outcome:
        """
        Have a job done. Cancelling this kills the child that does it.

        Raises:
            ConnectionResetError: The broker has gone.
        """
        if not self.is_open:
            raise ConnectionResetError("the broker has gone")
        number = next(self._numbers)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._writer.write(pack((number, job)))
        try:
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
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, perform: Callable[[Job], Awaitable[Outcome]]
) -> None:
    """
    Do the jobs that come over a connection, until its worker closes it.

    Args:
        perform: Does one job. It is cancelled when nobody waits for that job any more.
    """
    running: dict[int, asyncio.Task[None]] = {}

    async def do(number: int, job: Job) -> None:
        try:
            outcome = await perform(job)
            writer.write(pack((number, outcome)))
            await writer.drain()
        finally:
            del running[number]

    try:
        with contextlib.suppress(*CLOSED):
            while True:
                message: tuple[int, Any] = await read_message(reader)
                number, job = message
                if job is not None:
                    running[number] = asyncio.create_task(do(number, job))
                elif number in running:
                    running[number].cancel()
    finally:
        tasks = list(running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
