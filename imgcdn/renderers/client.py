"""
The client of the render broker in an HTTP worker: it finds or starts the broker, and sends it jobs.

All workers of one service use one socket, in a folder that only this user can enter. Its name is a hash of the settings
that they share. A worker that finds no listener takes a lock and starts the broker. So a broker exists under any WSGI
or ASGI server, and is started again if it was killed.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

from imgcdn import __version__
from imgcdn.core.interest import ALWAYS, Interest, Withdrawn
from imgcdn.errors import ConfigError, ImgcdnError, InternalError, Overloaded
from imgcdn.renderers.channel import Channel
from imgcdn.renderers.jobs import NO_CLAIM, Claim, Failed, GaveWay, Job, Outcome, remove_half_written
from imgcdn.renderers.killings import Killings
from imgcdn.renderers.parent import IGNORED_SIGNALS
from imgcdn.renderers.peer import end_silent_peer
from imgcdn.renderers.settings import BrokerSettings
from imgcdn.store.opening import is_private

_log = logging.getLogger(__name__)

_START_TIMEOUT_S = 20.0
_NO_BROKER = "The renderers do not start. The log has the reason."
_ABSENT = (ConnectionRefusedError, FileNotFoundError)

#: Longest path of a socket (sockaddr_un, unix(7)), and the length of the name that we add.
_MAX_SOCKET_PATH = 107
_NAME_BYTES = len("/0123456789abcdef.sock")

#: How many times a job is sent at most: the first broker may be exiting, the second may be starting, the third is ours.
_ATTEMPTS = 3

#: Retry-After of a job that found no broker. Another one starts in less.
_RETRY_S = 2

#: The pause after the first attempt. A broker that exits removes its socket in a moment.
_PAUSE_S = 0.1


#: The variables that the broker and its children inherit: those of the system, of Python, of allocators, and of a
#: measurement of coverage.
_HARMLESS = re.compile(
    "PATH|HOME|USER|LANG|LC_[A-Z]+|TZ|TMPDIR|TEMP|TMP|LD_LIBRARY_PATH|LD_PRELOAD|VIRTUAL_ENV|GLIBC_TUNABLES"
    "|MALLOC_[A-Z_]+|PYTHON[A-Z0-9_]*|COVERAGE_[A-Z_]+|COV_CORE_[A-Z_]+"
)


class _NoBroker(InternalError):
    """The broker does not start."""


class RenderClient:
    """
    Sends jobs to the broker.

    Args:
        settings: The settings of the broker.
        folder: The folder of its socket, which only this user can enter; None for `private_folder`.

    Raises:
        ConfigError: There is no such folder, or its path is too long.
    """

    def __init__(self, settings: BrokerSettings, *, folder: Path | None = None) -> None:
        self._settings = settings
        self._folder = folder or private_folder()
        if not _fits(self._folder):
            raise ConfigError(f"{self._folder} is too long a path for a socket; set TMPDIR to a shorter one")
        # All that both sides must have in common, so that an upgraded service does not find its predecessor's broker.
        common = (settings, __version__, sys.version, sys.prefix, os.getuid())
        name = hashlib.sha256(repr(common).encode()).hexdigest()[:16]
        self._socket = str(self._folder / f"{name}.sock")
        self._lock = str(self._folder / f"{name}.lock")
        self._channel: Channel | None = None
        self._connecting: asyncio.Task[Channel] | None = None
        self._killings = Killings()

    @property
    def lock_file(self) -> Path:
        """The file that all workers of this service use for locks."""
        return Path(self._lock)

    async def run(self, job: Job, claim: Claim = NO_CLAIM, interest: Interest = ALWAYS) -> Outcome:
        """
        Send one job and return its outcome.

        Cancelling this kills the child that does the job.

        Args:
            claim: What the job costs, and whose turn it takes.
            interest: When nobody waits any more, the job makes way for others.

        Raises:
            ImgcdnError: The job failed; Overloaded if it would not be done in time, if the broker cannot be reached, or
                if two brokers ended within a minute while they had this job.
            Withdrawn: Nobody waited any more.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            refused = self._killings.refusal(job)
            if refused is not None:
                raise refused
            channel = None
            try:
                channel = await self.connect()
                outcome = await channel.run(job, claim, interest)
            except (ConnectionError, FileNotFoundError, _NoBroker) as error:
                # The broker has exited, perhaps with its socket, or it did not start. If it had this job, the job may
                # be the cause.
                if channel is not None:
                    self._killings.note(job)
                _log.warning("%s, attempt %d", error, attempt)
                remove_half_written(job)
                await asyncio.sleep(_PAUSE_S * attempt)
                continue
            if isinstance(outcome, Failed):
                outcome.raise_error()
            if isinstance(outcome, GaveWay):
                raise Withdrawn
            return outcome
        raise Overloaded("The renderers cannot be reached. Try again later.", after_s=_RETRY_S)

    async def connect(self) -> Channel:
        """Return the connection to a broker, which keeps it running while this process does. Start one if needed."""
        if self._channel is not None and self._channel.is_open:
            return self._channel
        return await asyncio.shield(self._begin())

    def disconnect(self) -> None:
        """Close the connection that keeps the broker running."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _begin(self) -> asyncio.Task[Channel]:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(_note)
        return self._connecting

    async def _connect(self) -> Channel:
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except _ABSENT:
            await asyncio.to_thread(self._start_broker)
            reader, writer = await asyncio.open_unix_connection(self._socket)
        self._channel = Channel(reader, writer, on_silence=self.end_silent_broker)
        return self._channel

    def end_silent_broker(self, connection_fd: int) -> None:
        """End a broker that hangs. The next attempt of a job starts another one."""
        if end_silent_peer(connection_fd, argument=self._socket):
            _log.error("the render broker was ended, because it hung")
        else:
            _log.error("the render broker hangs, and cannot be ended from here: end it by hand")

    def _start_broker(self) -> None:
        """Start the broker, unless another worker just has, and wait until it listens."""
        self._folder.mkdir(mode=0o700, exist_ok=True)  # it may have been removed
        with open(self._lock, "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _listens(self._socket):
                return
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._socket)
            # The broker begins with these signals blocked, because a signal to the whole process group would end a
            # Python that has not yet come to ignore it.
            previous = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED_SIGNALS)
            try:
                process = subprocess.Popen(
                    self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=_environment()
                )
            except OSError as error:
                raise _NoBroker(_NO_BROKER, log=str(error)) from error
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, previous)
            # If the broker exits before this process, a thread must read its exit status; otherwise it stays a zombie.
            threading.Thread(target=process.wait, name="render-broker", daemon=True).start()
            deadline = time.monotonic() + _START_TIMEOUT_S
            while not _listens(self._socket):
                if process.returncode is not None or time.monotonic() > deadline:
                    process.kill()
                    raise _NoBroker(_NO_BROKER, log=f"exit status {process.returncode}")
                time.sleep(0.01)

    def _command(self) -> list[str]:
        # -P: do not import from the current folder, which may contain untrusted files.
        return [sys.executable, "-P", "-m", "imgcdn.renderers", self._socket, self._settings.pack()]


def private_folder() -> Path:
    """
    Return a folder for sockets and locks that only this user can enter. Create it if it is missing.

    It is in XDG_RUNTIME_DIR or TMPDIR, if they are set and short enough for a socket; otherwise in /tmp.

    Raises:
        ConfigError: It belongs to another user, or it cannot be created.
    """
    name = f"imgcdn-{os.getuid()}"
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError as error:
        raise ConfigError("there is no folder for temporary files; set TMPDIR to one that can be written") from error
    places = (os.environ.get("XDG_RUNTIME_DIR", ""), temporary, "/tmp")  # noqa: S108  # checked below
    fit = [place for place in places if os.access(place, os.W_OK | os.X_OK) and _fits(Path(place, name))]
    folder = Path(fit[0] if fit else temporary, name)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}; set TMPDIR to a folder that can") from error
    if not is_private(found):
        raise ConfigError(f"{folder} must be a folder that only this user can enter; remove it or set TMPDIR")
    return folder


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder)) + _NAME_BYTES <= _MAX_SOCKET_PATH


def _note(connecting: asyncio.Task[Channel]) -> None:
    """Log why there is no broker. The waiting jobs get the error itself."""
    error = None if connecting.cancelled() else connecting.exception()
    if error is not None:
        _log.error("no render broker: %s", error.log if isinstance(error, ImgcdnError) else error)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as attempt:
        return attempt.connect_ex(path) == 0


def _environment() -> dict[str, str]:
    # Only what is known to be harmless. A setting may refer to any variable for a key, and a codec that was taken over
    # could read it.
    inherited = {name: value for name, value in os.environ.items() if _HARMLESS.fullmatch(name)}
    # Two arenas: with glibc's default of eight for each core, memory of every thread of a codec would be kept.
    environment = {"MALLOC_ARENA_MAX": "2", **inherited}
    root = str(Path(__file__).parents[2])
    if root not in sysconfig.get_paths().values():  # the package may run from a checkout without being installed
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (environment.get("PYTHONPATH"), root)))
    return environment
