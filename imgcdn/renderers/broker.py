"""
The render broker: one process for each service. It owns the render children and the queue of jobs.

    HTTP workers --(private Unix socket, one connection each)--> broker --(socket pair)--> children

A child is killed with SIGKILL and replaced if it takes too long, if its job gives way to another one, or if its worker
has gone. Other jobs are not affected. A child that has done many jobs or uses much memory exits by itself. The broker
runs while any HTTP worker is connected and exits after the last one, so it needs no pid file and leaves no orphan.
"""

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.context import ForkServerProcess

from imgcdn.core.amounts import in_seconds
from imgcdn.core.interest import Interest
from imgcdn.errors import InternalError, Overloaded, RenderFailed, RenderTimeout
from imgcdn.renderers.budgets import Budgets
from imgcdn.renderers.channel import serve
from imgcdn.renderers.jobs import (
    Claim,
    Failed,
    Job,
    Killed,
    Outcome,
    Probed,
    ProbeJob,
    Rendered,
    failed_by_us,
    remove_half_written,
)
from imgcdn.renderers.killings import Killings
from imgcdn.renderers.messages import TAKEN, GarbledOutcome, pack, read_outcome
from imgcdn.renderers.parent import IGNORED_SIGNALS
from imgcdn.renderers.queue import JobQueue
from imgcdn.renderers.settings import BrokerSettings
from imgcdn.renderers.time_spent import TimeSpent

_log = logging.getLogger(__name__)

#: How many children are tried for a job: one that may have died while idle, then two new ones.
_MOST_CHILDREN_TRIED = 3

#: Connections that may wait to be accepted. If this backlog is full, asyncio reports a refused connection as open.
_BACKLOG = 4096

#: Exit statuses of a child that another process killed: signals that no codec raises (negative), and 255, which
#: multiprocessing reports when the fork server was killed. Its children end with it.
_KILLED_BY_OTHERS = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, 255)

#: A child closes its socket a moment before its exit status is known.
_ENDING_S = 1.0

#: How many times a job is tried if another process kills its child.
_ATTEMPTS = 2

#: How long an idle child has to accept a job, and the fork server to fork.
_ACCEPT_S = 3.0
_FORK_S = 10.0

#: How long the broker waits for its first HTTP worker, and for another after the last one left.
_FIRST_WORKER_S = 30.0
_LINGER_S = 0.5

#: Loaded once, in the fork server.
_PRELOADED = ["imgcdn.renderers.child", "imgcdn.renderers.broker", "imgcdn.renderers.inherited"]


def _run_child(connection: socket.socket, memory_bytes: int, writable: str) -> None:
    from imgcdn.renderers import child  # noqa: PLC0415  # loaded in the fork server, so that the broker loads no codec

    child.main(connection, memory_bytes, writable)


class _NoChild(Exception):
    """No render child could be started, or none accepted the job."""


def _crashed() -> Failed:
    return Failed(RenderFailed("The decoder or the encoder crashed. Another size or format may work."))


class Child:
    """
    One render child, and the socket to it.

    Args:
        memory_bytes: Limit of its address space.
        writable: The only folder that it may write to.
        thread: Starts and ends all children. It is one thread, because each start of a process in `multiprocessing`
            also asks for the exit statuses of all others, and of two threads that ask for one, the second gets a wrong
            one.
    """

    def __init__(self, memory_bytes: int, writable: str, thread: ThreadPoolExecutor) -> None:
        self._arguments = memory_bytes, writable
        self._thread = thread
        self._process: ForkServerProcess | None = None

    async def start(self) -> None:
        """
        Fork a child from the fork server, which has already loaded the codecs.

        If the fork server hangs, no child can ever be started, so the broker exits. The next job starts another one.

        Raises:
            _NoChild: The fork server fails three times in a row.
        """
        for attempt in range(1, _MOST_CHILDREN_TRIED + 1):
            try:
                await self._start()
                break
            except (OSError, EOFError) as error:  # somebody killed the fork server; the next attempt starts another one
                if attempt == _MOST_CHILDREN_TRIED:
                    raise _NoChild(f"a render child does not start: {error}") from error

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        process = multiprocessing.get_context("forkserver").Process(
            target=_run_child, args=(theirs, *self._arguments), name="render-child"
        )

        def fork() -> None:
            with theirs:  # closed here, because the thread goes on if the task is cancelled
                process.start()

        try:
            async with asyncio.timeout(_FORK_S):
                await asyncio.get_running_loop().run_in_executor(self._thread, fork)  # it waits for the fork server
        except TimeoutError:
            _log.error("the fork server hangs; the broker exits, and the next job starts another one")
            os._exit(1)  # not by the usual way, which waits for the thread
        except BaseException:  # after a cancellation the child may still start; it exits because its socket is closed
            self._writer.close()
            raise
        self._process = process

    async def perform(self, job: Job, *, anew: bool, spent: TimeSpent) -> Outcome:
        """
        Do one job within its deadline.

        Cancelling this kills the child, because a codec cannot be stopped in another way.

        Args:
            anew: Whether to do it in a new process.
            spent: Gets the time that it takes.
        """
        if anew:
            await self.kill()
        try:
            await self._hand_over(job)  # outside the deadline: a slow hand-over is not the original's fault
            with spent.measured(None if self._process is None else self._process.pid):
                async with asyncio.timeout(job.timeout_s):
                    return await read_outcome(self._reader, job)
        except TimeoutError:
            await self.kill()
            return Failed(RenderTimeout(f"Rendering took more than {in_seconds(job.timeout_s)} and was stopped."))
        except (asyncio.IncompleteReadError, ConnectionError):
            status = await self.kill(patience_s=_ENDING_S)
            # None: a child closes its socket only at its end, so it is the fork server that hangs and does not tell.
            if status is None or status in _KILLED_BY_OTHERS:
                _log.warning("a render child was killed by another process or the kernel: is memory short?")
                return Killed()
            _log.warning("a render child crashed on an original, with exit status %s", status)
            return _crashed()
        except GarbledOutcome as error:
            await self.kill()
            _log.error("a render child sent no outcome; an original may have taken it over: %s", error)
            return _crashed()
        except _NoChild as error:
            return failed_by_us(log=str(error))
        except asyncio.CancelledError:
            try:
                await self.kill()
            finally:
                remove_half_written(job)
            raise

    async def _hand_over(self, job: Job) -> None:
        """Send a job until a child accepts it. The original is not at fault if a child exited while idle."""
        for _ in range(_MOST_CHILDREN_TRIED):
            if self._process is None:
                await self.start()
            self._writer.write(pack(job))
            try:
                async with asyncio.timeout(_ACCEPT_S):
                    await self._reader.readexactly(len(TAKEN))
            except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
                await self.kill()
            else:
                return
        raise _NoChild(f"none of {_MOST_CHILDREN_TRIED} render children took the job within {_ACCEPT_S:g} seconds")

    async def kill(self, *, patience_s: float = 0.0) -> int | None:
        """
        End the child. The next job starts another one.

        Args:
            patience_s: How long it has to end by itself, before it is killed.

        Returns:
            Its exit status, if it has ended by itself; otherwise None.
        """
        if self._process is None:
            return None
        process, self._process = self._process, None
        self._writer.close()
        return await asyncio.get_running_loop().run_in_executor(self._thread, _end, process, patience_s)


def _end(process: ForkServerProcess, patience_s: float) -> int | None:
    process.join(patience_s)
    status = process.exitcode
    if status is None:  # the pid of a dead child may already be another process's
        process.kill()
        process.join(_ENDING_S)
    if process.exitcode is not None:  # a fork server that hangs does not report it
        process.close()
    return status


class Broker:
    """
    The queue and the render children.

    Args:
        settings: The settings of the queue and the children.
    """

    def __init__(self, settings: BrokerSettings) -> None:
        thread = ThreadPoolExecutor(1, thread_name_prefix="children")

        def new_child() -> Child:
            return Child(settings.memory_bytes, settings.writable, thread)

        self._children = [new_child() for _ in range(settings.renderers)]
        self._short_child = new_child()
        self._budgets = Budgets(settings.budget)
        charge = self._budgets.charge_afterwards
        self._queue = JobQueue(settings.renderers, full_after_s=settings.patience_s, charge=charge)
        self._killings = Killings()
        self._workers = 0
        self._leaving: asyncio.TimerHandle | None = None
        self.done = asyncio.Event()

    async def start(self) -> None:
        """Start the children, so that the first job does not wait for that."""
        for child in (self._short_child, *self._children):
            await child.start()
            self._queue.add(child, for_short_jobs=child is self._short_child)
        self._leave_after(_FIRST_WORKER_S)

    async def perform(self, job: Job, claim: Claim, interest: Interest) -> Outcome:
        """Do one job in a child. A job whose child somebody else killed is tried once more."""
        if isinstance(job, ProbeJob):
            return await self._probe(job, claim, interest)
        refused = self._budgets.charge(claim)
        if refused is not None:
            return Failed(refused)
        outcome: Outcome | None = None
        try:
            outcome = await self._perform(job, claim, interest)
        finally:
            if not _is_charged(outcome):
                self._budgets.refund(claim)
        return outcome

    async def _probe(self, job: ProbeJob, claim: Claim, interest: Interest) -> Outcome:
        """Do a probe, and charge the render that comes with it. If the budget is used up, only the probe is done."""
        if job.then is not None and self._budgets.charge(claim) is not None:
            job = replace(job, then=None)
        outcome: Outcome | None = None
        try:
            outcome = await self._perform(job, claim, interest)
        finally:
            rendered = outcome.rendered if isinstance(outcome, Probed) else None
            if job.then is not None and not _is_charged(rendered):
                self._budgets.refund(claim)
        return outcome

    async def _perform(self, job: Job, claim: Claim, interest: Interest) -> Outcome:
        for _ in range(_ATTEMPTS):
            refused = self._killings.refusal(job)
            if refused is not None:
                return Failed(refused)
            outcome = await self._queue.perform(job, claim, interest)
            if not isinstance(outcome, Killed):
                return outcome
            remove_half_written(job)
            self._killings.note(job)
        return Failed(self._killings.refusal(job) or Overloaded("Rendering was stopped twice. Try again later."))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one HTTP worker. While its connection is open, the broker runs."""
        self._workers += 1
        try:
            await serve(reader, writer, self.perform)
        finally:
            self._workers -= 1
            self._leave_after(_LINGER_S)

    def _leave_after(self, delay_s: float) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
        self._leaving = asyncio.get_running_loop().call_later(delay_s, self._leave)

    def _leave(self) -> None:
        if self._workers == 0:
            self.done.set()

    async def stop(self) -> None:
        """Kill the children."""
        await asyncio.gather(*(child.kill() for child in (self._short_child, *self._children)))


def _is_charged(outcome: Outcome | None) -> bool:
    """Tell whether a render was done, or failed by its original's fault. None: it was cancelled, or not begun."""
    if isinstance(outcome, Failed):
        return not isinstance(outcome.error, Overloaded | InternalError)
    return isinstance(outcome, Rendered)


async def run(path: str, settings: BrokerSettings) -> None:
    """Listen on a Unix socket at `path` until no HTTP worker was connected for a while."""
    broker = Broker(settings)
    await broker.start()
    previous = os.umask(0o177)  # the socket is created 0600
    try:
        server = await asyncio.start_unix_server(broker.serve, path, backlog=_BACKLOG)
    finally:
        os.umask(previous)
    async with server:
        await broker.done.wait()
        # Without the file, a late client starts a new broker.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    await broker.stop()


def main() -> None:
    """Run the broker: `python -m imgcdn.renderers SOCKET SETTINGS`."""
    parser = argparse.ArgumentParser(prog="python -m imgcdn.renderers")
    parser.add_argument("socket")
    parser.add_argument("settings", type=BrokerSettings.unpack)
    arguments = parser.parse_args()
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED_SIGNALS)
    multiprocessing.get_context("forkserver").set_forkserver_preload(_PRELOADED)
    asyncio.run(run(arguments.socket, arguments.settings))
