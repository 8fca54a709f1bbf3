"""
One connection between an HTTP worker and the broker, over which any number of jobs are under way.

The worker sends (number, (job, claim)); then (number, False) when no client waits for that job any more, (number, True)
when one waits again, and (number, None) to have it ended. The broker sends (number, outcome), in any order.

While a job is under way, the worker also sends (PING, None) each second, which the broker sends back at once. If the
broker sends nothing for some seconds, it hangs.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable

from imgcdn.core.interest import Interest
from imgcdn.renderers.jobs import Claim, Job, Outcome, failed_by_us
from imgcdn.renderers.messages import pack, pieces, read_reply, read_request
from imgcdn.renderers.shapes import WrongShape

_log = logging.getLogger(__name__)

#: Raised when the other side has closed the connection, or has sent something that is not a message.
CLOSED = (asyncio.IncompleteReadError, ConnectionError, WrongShape)


#: The number of a message that asks for a sign of life.
PING = -1

#: Seconds between two pings, and how many of them the broker may leave without any message. They are counted one by
#: one, so a worker that was itself stopped for a while does not blame the broker.
_PING_S = 1.0
_MOST_UNANSWERED = 5


class Channel:
    """
    The worker's end.

    Args:
        reader, writer: An open connection to the broker.
        on_silence: Called when the broker hangs, before the connection is closed, with the number of its socket.
        ping_s: Seconds between two pings.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        on_silence: Callable[[int], None] | None = None,
        ping_s: float = _PING_S,
    ) -> None:
        self._writer = writer
        self._on_silence = on_silence
        self._ping_s = ping_s
        self._heard = False
        self._watching: asyncio.Task[None] | None = None
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
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
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
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        """Close the connection if the broker hangs. End when no job is under way and the broker has answered."""
        unanswered = 0
        while self.is_open and unanswered < _MOST_UNANSWERED:
            self._heard = False
            self._writer.write(pack((PING, None)))
            await asyncio.sleep(self._ping_s)
            unanswered = 0 if self._heard else unanswered + 1
            if self._heard and not self._waiting:
                return
        if self.is_open:
            _log.error("the render broker hangs: it has not answered for %g seconds", unanswered * self._ping_s)
            if self._on_silence is not None:
                self._on_silence(self._writer.get_extra_info("socket").fileno())
            self._reading.cancel()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                number, outcome = await read_reply(reader)
                self._heard = True
                future = self._waiting.get(number)
                if future is not None and outcome is not None and not future.done():
                    future.set_result(outcome)
        except CLOSED:
            pass
        finally:
            self._writer.close()
            if self._watching is not None:
                self._watching.cancel()
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
        writer.writelines(pieces((number, outcome)))
        await writer.drain()

    def begin(number: int, job: Job, claim: Claim) -> None:
        interests[number] = Interest()
        task = running[number] = asyncio.create_task(do(number, job, claim))
        task.add_done_callback(lambda _: (running.pop(number), interests.pop(number)))

    try:
        with contextlib.suppress(*CLOSED):
            while True:
                number, said = await read_request(reader)
                if number == PING:
                    writer.write(pack((PING, None)))
                elif isinstance(said, tuple):
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
