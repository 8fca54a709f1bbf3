"""Jobs for render children, their outcomes, and the messages in which both are sent over a socket."""

import asyncio
import contextlib
import os
import pickle
import signal
import socket
import struct
from dataclasses import dataclass
from typing import Any

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.plan import Limits, Plan
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts, FileStamp, PathBeneath
from imgcdn.errors import ImgcdnError

_LENGTH = struct.Struct(">Q")

#: A child sends this when it accepts a job. If it exits before that, the original is not at fault.
TAKEN = b"\x01"

#: The broker and its children ignore these. A terminal and many service managers signal the whole process group, but
#: HTTP workers need the broker until they have drained.
IGNORED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)

#: Limit of a message: twice 8192 x 8192 pixels of 4 bytes.
_MAX_MESSAGE_BYTES = 2**29


@dataclass(frozen=True, slots=True)
class FirstRender:
    """
    A variant to render right after the probe, in the same job, if that is quick.

    Args:
        params, client, limits: What its plan follows from, beside the probe facts.
        budget: The limits of encoders.
        temp: Path to write the variant's file to.
        made_at: Unix time in whole seconds, for the variant's header.
    """

    params: Params
    client: ClientClass
    limits: Limits
    budget: Budget
    temp: str
    made_at: int


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """
    Read an original's header, and hash its bytes if the fetcher has not.

    Args:
        path: Path of the original.
        stamp: The stamp that the file must have.
        version: SHA-256 of the bytes, hex, if it is known; None to hash them.
        max_pixels: Pixels of an original's frame; larger ones are refused. An animation whose frames together have more
            becomes a still.
        timeout_s: Wall-clock seconds after which the child is killed.
        is_background: Whether no client waits for it. Then it makes way for jobs that a client waits for.
        then: What to render if the original is not refused; None for nothing.
    """

    path: PathBeneath
    stamp: FileStamp
    version: str | None
    max_pixels: int
    timeout_s: float
    is_background: bool = False
    then: FirstRender | None = None


@dataclass(frozen=True, slots=True)
class RenderJob:
    """
    Render one variant.

    Args:
        path: Path of the original.
        stamp: The stamp that the file must have.
        plan: The plan of the variant.
        key: The key of the variant, for its header.
        temp: Path to write the variant's file to; None to send the file back.
        made_at: Unix time in whole seconds, for the variant's header.
        budget: The limits of encoders.
        timeout_s: Wall-clock seconds after which the child is killed.
        is_background: As in a ProbeJob.
    """

    path: PathBeneath
    stamp: FileStamp
    plan: Plan
    key: str
    temp: str | None
    made_at: int
    budget: Budget
    timeout_s: float
    is_background: bool = False


Job = ProbeJob | RenderJob


def remove_half_written(job: Job) -> None:
    """Remove what a child that was killed has written of a variant, so that another child can write it."""
    written = job.then if isinstance(job, ProbeJob) else job
    if written is not None and written.temp is not None:
        with contextlib.suppress(OSError):
            os.unlink(written.temp)


@dataclass(frozen=True, slots=True)
class Rendered:
    """
    The outcome of a RenderJob.

    Args:
        file: The bytes of the variant's file; None if it was written to the job's `temp`.
        errno: The error of a failed write, after which the file is sent instead; 0 if no write failed.
        file_bytes: Length of the file.
    """

    file: bytes | None
    errno: int = 0
    file_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """The job failed. The request gets the error."""

    error: ImgcdnError


@dataclass(frozen=True, slots=True)
class Probed:
    """
    The outcome of a ProbeJob.

    Args:
        version: SHA-256 of the bytes, hex.
        facts: The probe facts; None if the original is refused.
        error: Why it is refused; None if it is not.
        rendered: The outcome of `then`; None if there was none.
    """

    version: str
    facts: Facts | None
    error: ImgcdnError | None
    rendered: Rendered | Failed | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """The file is not the expected one, so its record must be refreshed."""


Outcome = Probed | Rendered | Failed | Changed


def pack(message: Any) -> bytes:
    """Return one message: the length, then the pickle."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


async def read_message(reader: asyncio.StreamReader) -> Any:
    """
    Read one message. Use this only with a socket that no other user can reach, because a pickle can run code.

    Raises:
        asyncio.IncompleteReadError: The other side has closed the connection.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > _MAX_MESSAGE_BYTES:
        raise asyncio.IncompleteReadError(b"", length)
    return pickle.loads(await reader.readexactly(length))  # noqa: S301  # the socket is private, see above


def receive_message(connection: socket.socket) -> Any:
    """
    Read one message, and block until it is complete. The same rule as for `read_message` applies.

    Returns:
        None if the other side has closed the connection.
    """
    length = connection.recv(_LENGTH.size, socket.MSG_WAITALL)
    if len(length) < _LENGTH.size:
        return None
    data = connection.recv(_LENGTH.unpack(length)[0], socket.MSG_WAITALL)
    return pickle.loads(data)  # noqa: S301  # the socket is private, see above
