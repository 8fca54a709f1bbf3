"""
The render broker: one process a service, which owns the render children and the queue before them.

    HTTP workers --(private Unix socket, one connection a job)--> broker --(socket pair)--> children

A child that takes too long, dies, or whose client has gone is killed with SIGKILL and replaced; nothing else notices.
A child that is worn out leaves by itself.
The broker keeps running while any HTTP child is connected and goes when the last one has gone, so it needs no pid file
and leaves no orphan.
"""

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import socket
from multiprocessing.context import ForkServerProcess

from imgcdn.errors import CorruptImage, InternalError, Overloaded, RenderTimeout
from imgcdn.renderers.jobs import TAKEN, Failed, Job, Outcome, pack, read_message

_log = logging.getLogger(__name__)

#: Children that are offered a job before it is given up: one that may have died idle, then two fresh ones.
_HANDS = 3

#: Connections that may wait to be accepted. asyncio takes one that the kernel turned away for a connected one.
_BACKLOG = 4096

#: How long the broker waits for its first client, and for another after the last one left.
_FIRST_CLIENT_S = 30.0
_LINGER_S = 0.5

#: Loaded once, in the fork server.
_PRELOADED = ["imgcdn.renderers.child", "imgcdn.renderers.broker"]


def _work(connection: socket.socket, memory_bytes: int, writable: str) -> None:
    from imgcdn.renderers import child  # noqa: PLC0415  # loaded in the fork server; the broker never holds a codec

    child.main(connection, memory_bytes, writable)


class _NoChild(Exception):
    """No render child could be started, or none would take a job."""


class Child:
    """
    One render child and the socket to it.

    Args:
        memory_bytes: Address space it may have.
        writable: The one folder that it may write to.
    """

    def __init__(self, memory_bytes: int, writable: str) -> None:
        self._arguments = memory_bytes, writable
        self._process: ForkServerProcess | None = None

    async def start(self) -> None:
        """Fork a child from the fork server, where the codecs are loaded already."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._reader, self._writer = await asyncio.open_connection(sock=ours)
            process = multiprocessing.get_context("forkserver").Process(
                target=_work, args=(theirs, *self._arguments), name="render-child"
            )
            try:
                process.start()
            except (OSError, EOFError) as error:
                self._writer.close()
                raise _NoChild(f"a render child does not start: {error}") from error
        self._process = process

    async def perform(self, job: Job) -> Outcome:
        """
        Do one job, within its deadline.

        Cancelling this kills the child: a codec cannot be asked to stop.
        """
        try:
            async with asyncio.timeout(job.timeout_s):
                await self._hand_over(job)
                outcome: Outcome = await read_message(self._reader)
                return outcome
        except TimeoutError:
            self.kill()
            return Failed(RenderTimeout(f"Rendering took more than {job.timeout_s:g} seconds and was stopped."))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.kill()
            _log.warning("a render child died of an original")
            return Failed(CorruptImage("The original made the decoder or encoder crash."))
        except _NoChild as error:
            return Failed(InternalError("Rendering failed. The log has the reason.", log=str(error)))
        except asyncio.CancelledError:
            self.kill()
            raise

    async def _hand_over(self, job: Job) -> None:
        """Send a job until a child takes it. One that left, or was killed, while idle is no fault of the original."""
        for _ in range(_HANDS):
            if self._process is None:
                await self.start()
            self._writer.write(pack(job))
            try:
                await self._reader.readexactly(len(TAKEN))
            except (asyncio.IncompleteReadError, ConnectionError):
                self.kill()
            else:
                return
        raise _NoChild("a render child that was just started died before it took its job")

    def kill(self) -> None:
        """End the child at once; the next job starts another."""
        if self._process is None:
            return
        if self._process.is_alive():  # looked at first: a dead one's number may be another process's by now
            self._process.kill()
        self._process.join()
        self._process.close()
        self._process = None
        self._writer.close()


class Broker:
    """
    The queue and the children behind the socket.

    Args:
        renderers: Children, that is jobs at the same time.
        queue: Jobs that may wait for a child.
        memory_bytes: Address space of one child.
        writable: The one folder that children may write to.
    """

    def __init__(self, *, renderers: int, queue: int, memory_bytes: int, writable: str) -> None:
        self._idle: asyncio.Queue[Child] = asyncio.Queue()
        self._children = [Child(memory_bytes, writable) for _ in range(renderers)]
        self._free_places = renderers + queue
        self._clients = 0
        self._leaving: asyncio.TimerHandle | None = None
        self.done = asyncio.Event()

    async def start(self) -> None:
        """Start the children, so that the first picture does not wait for them."""
        for child in self._children:
            await child.start()
            self._idle.put_nowait(child)
        self._leave_after(_FIRST_CLIENT_S)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection: a job, or a client that only says that it is there."""
        self._clients += 1
        try:
            job: Job | None = await read_message(reader)
            if job is None:
                await reader.read()
            else:
                await self._answer(job, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone; there is nobody to tell
        finally:
            writer.close()
            self._clients -= 1
            self._leave_after(_LINGER_S)

    async def _answer(self, job: Job, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        work = asyncio.create_task(self._perform(job))
        gone = asyncio.create_task(reader.read(1))
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not work.done():
            work.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
            return
        writer.write(pack(work.result()))
        await writer.drain()

    async def _perform(self, job: Job) -> Outcome:
        if self._free_places <= 0:
            return Failed(Overloaded("Too many pictures are waiting to be rendered. Try again in a second."))
        self._free_places -= 1
        try:
            child = await self._idle.get()
            try:
                return await child.perform(job)
            finally:
                self._idle.put_nowait(child)
        finally:
            self._free_places += 1

    def _leave_after(self, delay_s: float) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
        self._leaving = asyncio.get_running_loop().call_later(delay_s, self._leave)

    def _leave(self) -> None:
        if self._clients == 0:
            self.done.set()

    def stop(self) -> None:
        """Kill the children."""
        for child in self._children:
            child.kill()


async def run(path: str, *, renderers: int, queue: int, memory_bytes: int, writable: str) -> None:
    """Listen on a Unix socket at `path` until no client has been connected for a while."""
    broker = Broker(renderers=renderers, queue=queue, memory_bytes=memory_bytes, writable=writable)
    await broker.start()
    previous = os.umask(0o177)  # the socket is created 0600
    try:
        server = await asyncio.start_unix_server(broker.serve, path, backlog=_BACKLOG)
    finally:
        os.umask(previous)
    async with server:
        await broker.done.wait()
        # No file at the path from here on, so a late client starts a new broker.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    broker.stop()


def main() -> None:
    """Run the broker: `python -m imgcdn.renderers SOCKET ...`."""
    parser = argparse.ArgumentParser(prog="python -m imgcdn.renderers")
    parser.add_argument("socket")
    for name in ("--renderers", "--queue", "--memory-bytes"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--writable", default="")
    arguments = parser.parse_args()
    # A service manager signals the whole group; a drain needs the broker until the last child has gone.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    multiprocessing.get_context("forkserver").set_forkserver_preload(_PRELOADED)
    asyncio.run(
        run(
            arguments.socket,
            renderers=arguments.renderers,
            queue=arguments.queue,
            memory_bytes=arguments.memory_bytes,
            writable=arguments.writable,
        )
    )
