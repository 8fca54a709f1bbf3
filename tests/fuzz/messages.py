"""
Fuzz target: the messages between workers, broker and children.

Only their frames are drawn, and not the pickles in them: to read a pickle that anybody wrote could run code here.
"""

import asyncio
from typing import Any

from hypothesis import strategies as st

from imgcdn.renderers.channel import serve
from imgcdn.renderers.jobs import Changed, Outcome, pack, read_message
from tests.fuzz.target import Target, ready

_PATIENCE_S = 10.0

_MESSAGES = st.lists(st.sampled_from([None, Changed(), "x", "x" * 5_000]), max_size=4)
#: What comes after the last whole message: nothing, the beginning of one, or a length that no message has.
_ENDS = st.one_of(
    st.just(b""), st.integers(1, 40).map(lambda length: pack("y" * 50)[:length]),
    st.sampled_from([(2**29 + 1).to_bytes(8), b"\xff" * 8, b"\xff" * 20]),
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


async def _read(reader: asyncio.StreamReader) -> list[Any]:
    """Return the whole messages; what follows them counts as a closed connection."""
    found = []
    try:
        while True:
            found.append(await read_message(reader))
    except asyncio.IncompleteReadError:
        return found


async def _check_served(data: bytes, piece: int) -> None:
    """Check that a connection with these bytes ends, and that its jobs end with it."""
    running = 0

    async def perform(job: object) -> Outcome:
        nonlocal running
        running += 1
        try:
            await asyncio.sleep(0 if job == "x" else _PATIENCE_S)
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
