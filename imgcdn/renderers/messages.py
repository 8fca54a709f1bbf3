"""
How jobs and outcomes are sent over a socket: two lengths, then JSON (`shapes.py`), then the bytes of a file, if any.

A child may have been taken over by an original that it decoded. So what it sends is read as data of a fixed shape with
greatest lengths, and is refused if it is no outcome of its job.
"""

import asyncio
import re
import socket
import struct
from typing import Any

from imgcdn.core.output.file_size import most_variant_bytes
from imgcdn.renderers.jobs import Changed, Claim, Failed, Job, Outcome, Probed, ProbeJob, Rendered, RenderJob
from imgcdn.renderers.shapes import WrongShape, read, write

#: Length of the JSON, and of the file after it.
_LENGTHS = struct.Struct(">IQ")

#: A child sends this when it accepts a job. If it exits before that, the original is not at fault.
TAKEN = b"\x01"

#: Limits of the JSON of a job, which has three paths of at most 4,096 bytes, and of an outcome, which has four texts of
#: at most 1,000 characters. JSON writes a character in at most 12 bytes.
_MAX_JOB_BYTES = 256 * 1024
_MAX_OUTCOME_BYTES = 64 * 1024

#: How much of a file is read at once.
_PIECE_BYTES = 256 * 1024

#: Limit of a variant that is rendered with its probe, beside its original: it has few pixels.
_MAX_FIRST_BYTES = 16 * 2**20

_VERSION = re.compile(r"[0-9a-f]{64}")
_MAX_ERRNO = 4_095  # MAX_ERRNO of the kernel

#: What a child may send.
ChildOutcome = Probed | Rendered | Failed | Changed

#: What a worker sends: the number of a job, and what it says of it (`channel.py`).
Request = tuple[int, tuple[Job, Claim] | bool | None]

#: What the broker sends to a worker.
Reply = tuple[int, Outcome | None]


class GarbledOutcome(Exception):
    """A child has sent something other than an outcome."""


def pack(message: Any) -> bytes:
    """Return one message: a job, an outcome, a request or a reply."""
    return b"".join(pieces(message))


def pieces(message: Any) -> tuple[bytes, bytes | bytearray]:
    """Return one message in two pieces, of which the second is a file. So a large one is not copied."""
    text, file = write(message)
    return _LENGTHS.pack(len(text), len(file)) + text, file


async def read_request(reader: asyncio.StreamReader) -> Request:
    """
    Read one message from a worker.

    Raises:
        asyncio.IncompleteReadError: It has closed the connection.
        WrongShape: The message is too long, or is no request.
    """
    text, file = await _read(reader, most_text=_MAX_JOB_BYTES, most_file=0)
    request: Request = read(text, file, Request)
    return request


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """
    Read one message from the broker. It has checked the file's length.

    Raises:
        asyncio.IncompleteReadError: It has closed the connection.
        WrongShape: The message is too long, or is no reply.
    """
    text, file = await _read(reader, most_text=2 * _MAX_OUTCOME_BYTES, most_file=2**63)
    reply: Reply = read(text, bytes(file), Reply)
    return reply


async def read_outcome(reader: asyncio.StreamReader, job: Job) -> ChildOutcome:
    """
    Read the outcome of a job from a child.

    Raises:
        asyncio.IncompleteReadError: The child has ended.
        GarbledOutcome: It has sent something else.
    """
    try:
        text, file = await _read(reader, most_text=_MAX_OUTCOME_BYTES, most_file=_most_file(job))
        outcome: ChildOutcome = read(text, file, ChildOutcome)
    except WrongShape as error:
        raise GarbledOutcome(str(error)) from error
    if not _answers(outcome, job):
        raise GarbledOutcome(f"a {type(outcome).__name__} that is no outcome of a {type(job).__name__}")
    return outcome


def receive_message(connection: socket.socket) -> Job | None:
    """
    Read a job from the broker, and block until it is complete.

    Returns:
        None if the other side has closed the connection.

    Raises:
        WrongShape: The message is no job.
    """
    lengths = connection.recv(_LENGTHS.size, socket.MSG_WAITALL)
    if len(lengths) < _LENGTHS.size:
        return None
    text_length, _ = _LENGTHS.unpack(lengths)
    job: Job = read(connection.recv(text_length, socket.MSG_WAITALL), b"", Job)
    return job


async def _read(reader: asyncio.StreamReader, *, most_text: int, most_file: int) -> tuple[bytes, bytearray]:
    text_length, file_length = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    if text_length > most_text or file_length > most_file:
        raise WrongShape(f"a message of {text_length} bytes with a file of {file_length}")
    text = await reader.readexactly(text_length)
    file = bytearray()  # not `readexactly`, which holds all of it twice
    while len(file) < file_length:
        piece = await reader.read(min(file_length - len(file), _PIECE_BYTES))
        if not piece:
            raise asyncio.IncompleteReadError(b"", file_length)
        file += piece
    return text, file


def _most_file(job: Job) -> int:
    """Return how long a file may be that comes with the outcome of a job."""
    if isinstance(job, RenderJob):
        return most_variant_bytes(job.plan, job.stamp.size)
    return 0 if job.then is None else job.stamp.size + _MAX_FIRST_BYTES


def _answers(outcome: ChildOutcome, job: Job) -> bool:
    """Tell whether a job can have an outcome."""
    if isinstance(outcome, Failed | Changed):
        return True
    if isinstance(outcome, Rendered):
        return isinstance(job, RenderJob) and _is_possible(outcome, job.temp)
    if isinstance(job, RenderJob) or not _VERSION.fullmatch(outcome.version):
        return False
    if outcome.facts is None or not outcome.facts.are_possible:
        return outcome.facts is None and outcome.error is not None and outcome.rendered is None
    return outcome.error is None and _is_first(outcome.rendered, job)


def _is_first(rendered: Rendered | Failed | None, job: ProbeJob) -> bool:
    """Tell whether this can be the outcome of what a probe renders at once."""
    if rendered is None:
        return True
    return job.then is not None and (isinstance(rendered, Failed) or _is_possible(rendered, job.then.temp))


def _is_possible(rendered: Rendered, temp: str | None) -> bool:
    return (rendered.file is not None or temp is not None) and 0 <= rendered.errno <= _MAX_ERRNO
