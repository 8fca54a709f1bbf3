"""
Fuzz targets: the messages between workers, broker and children.

The lengths are drawn, and what follows them: a child that was taken over may send any bytes.
"""

import asyncio
import json
from typing import Any

from hypothesis import strategies as st

from imgcdn.core.interest import Interest
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts, FileStamp, PathBeneath
from imgcdn.errors import ImageTooLarge
from imgcdn.renderers.channel import serve
from imgcdn.renderers.jobs import (
    NO_CLAIM,
    Changed,
    Claim,
    Failed,
    FirstRender,
    GaveWay,
    Job,
    Outcome,
    Probed,
    ProbeJob,
    Rendered,
)
from imgcdn.renderers.messages import ChildOutcome, GarbledOutcome, Request, pack, read_outcome, read_request
from imgcdn.renderers.shapes import WrongShape
from tests.fuzz.target import Target, ready, spliced
from tests.support.planning import FAST, LIMITS

_PATIENCE_S = 10.0

_FIRST = FirstRender(Params(width=3), ("webp",), LIMITS, FAST, "/no/temp", 1_700_000_000)


def _job(name: str) -> ProbeJob:
    return ProbeJob(PathBeneath("/", name), FileStamp(1, 2, 3, 4), None, 9, 1.0, _FIRST)


_MESSAGES = st.lists(
    st.sampled_from([None, True, False, (_job("x"), NO_CLAIM), (_job("x" * 5_000), NO_CLAIM)]), max_size=4
)
#: What comes after the last whole message: nothing, the beginning of one, or a length that no message has.
_ENDS = st.one_of(
    st.just(b""), st.integers(1, 40).map(lambda length: pack((9, (_job("y"), NO_CLAIM)))[:length]),
    st.sampled_from([(2**29).to_bytes(4) + bytes(8), bytes(4) + (1).to_bytes(8), b"\xff" * 12, b"\xff" * 20]),
)  # fmt: skip
_PIECES = st.integers(1, 6_000)
_STREAMS = st.tuples(_MESSAGES, _ENDS, _PIECES)

Stream = tuple[list[Any], bytes, int]


def _check(stream: Stream) -> None:
    asyncio.run(asyncio.wait_for(_check_stream(*stream), _PATIENCE_S))


async def _check_stream(messages: list[Any], end: bytes, piece: int) -> None:
    numbered = list(enumerate(messages))
    data = b"".join(map(pack, numbered)) + end
    assert await _read(_reader(data, piece)) == numbered
    await _check_served(data, piece)


def _reader(data: bytes, piece: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    for start in range(0, len(data), piece):
        reader.feed_data(data[start : start + piece])
    reader.feed_eof()
    return reader


async def _read(reader: asyncio.StreamReader) -> list[Request]:
    """Return the whole messages; what follows them counts as a closed connection."""
    found = []
    try:
        while True:
            found.append(await read_request(reader))
    except (asyncio.IncompleteReadError, WrongShape):
        return found


async def _check_served(data: bytes, piece: int) -> None:
    """Check that a connection with these bytes ends, and that its jobs end with it."""
    running = 0

    async def perform(job: Job, claim: Claim, interest: Interest) -> Outcome:
        nonlocal running
        running += 1
        try:
            await asyncio.sleep(0 if job.path.name == "x" else _PATIENCE_S)
        finally:
            running -= 1
        return Changed()

    served = asyncio.Event()

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(_reader(data, piece), writer, perform)
        served.set()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await served.wait()
        writer.close()
    assert running == 0


MESSAGES = Target("messages", _STREAMS, ready(_check))

_OUTCOMES = [
    Rendered(b"bytes", errno=28, file_bytes=5),
    Probed("0" * 64, Facts("jpeg", (3, 2), 1, alpha=False), None, Rendered(None)),
    Failed(ImageTooLarge("x", limit=9, unit="bytes")),
    Changed(),
    GaveWay(),
]
#: What JSON and the lists in our messages are made of.
_PARTS = [
    b"[", b"]", b"{", b"}", b'"', b",", b":", b"null", b"true", b"[" * 5_000, b"9" * 5_000, b"1e999", b"NaN", b"-1",
    b'"\\ud800"', b'["Changed"]', b'["Rendered"', b'["Failed",["forbidden","x"]]', b"\xff", b"\x00" * 8,
]  # fmt: skip
_CHILD = spliced(
    st.sampled_from([pack(each)[12:] for each in _OUTCOMES]),
    st.one_of(st.sampled_from(_PARTS), st.binary(max_size=4)),
)


def _check_child(data: bytes) -> None:
    framed = len(data).to_bytes(4) + bytes(8) + data
    try:
        outcome = asyncio.run(_read_child(framed))
    except GarbledOutcome:
        return
    assert isinstance(outcome, ChildOutcome)
    error = None if isinstance(outcome, Changed | Rendered) else outcome.error
    if error is not None:
        json.dumps([error.detail, error.log, error.members, error.retry_after_s], allow_nan=False).encode()


async def _read_child(data: bytes) -> ChildOutcome:
    await _read(_reader(data, len(data)))  # it may also pretend to be a worker
    return await read_outcome(_reader(data, len(data)), _job("x"))


CHILD_MESSAGES = Target("child-messages", _CHILD, ready(_check_child))
