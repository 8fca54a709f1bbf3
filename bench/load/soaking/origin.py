"""An origin for a soak: coded pictures that change, and paths that fail in every way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

#: Seconds for which the service may use a picture without asking again.
MAX_AGE_S = 2

Failure = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Origin:
    """
    A running origin.

    Args:
        pictures: Path -> the body that is served now, and its ETag.
        port: It listens on loopback.
        sent_bytes: Bytes of the pictures that were sent.
        broken: Whether every path fails.
        open: Its connections.
    """

    pictures: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    port: int = 0
    sent_bytes: int = 0
    broken: bool = False
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1]
                failure = _dropped if self.broken else FAILURES.get(path.removeprefix("/fail/").partition("?")[0])
                if failure is not None:
                    await failure(writer)
                    break
                await self._send_picture(writer, path, head.lower())
        self.open.discard(writer)
        writer.close()

    async def _send_picture(self, writer: asyncio.StreamWriter, path: str, head: str) -> None:
        body, etag = self.pictures.get(path, (b"", ""))
        if not etag:
            await _send(writer, "404 Not Found", b"nothing here")
            return
        fields = f'ETag: "{etag}"\r\nCache-Control: max-age={MAX_AGE_S}, must-revalidate\r\n'
        if f'if-none-match: "{etag}"' in head:
            await _send(writer, "304 Not Modified", b"", fields)
            return
        self.sent_bytes += len(body)
        await _send(writer, "200 OK", body, fields)


@asynccontextmanager
async def running() -> AsyncIterator[Origin]:
    """Run an origin until the block ends."""
    origin = Origin()
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()
        while origin.open:
            for writer in origin.open:
                writer.transport.abort()
            await asyncio.sleep(0.05)


async def _send(writer: asyncio.StreamWriter, status: str, body: bytes, fields: str = "") -> None:
    length = "" if status.startswith("304") else f"Content-Length: {len(body)}\r\n"
    writer.write(f"HTTP/1.1 {status}\r\n{length}{fields}\r\n".encode() + body)
    await writer.drain()


async def _dropped(writer: asyncio.StreamWriter) -> None:
    """Close without a response."""


async def _error(writer: asyncio.StreamWriter) -> None:
    await _send(writer, "500 Internal Server Error", b"no")


async def _half(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"\xff\xd8\xff" * 1_000)
    await writer.drain()


async def _silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3)


async def _garbage(writer: asyncio.StreamWriter) -> None:
    await _send(writer, "200 OK", b"this is no picture")


async def _loop(writer: asyncio.StreamWriter) -> None:
    await _send(writer, "302 Found", b"", "Location: /fail/loop\r\n")


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        writer.write(b"10000\r\n" + b"\xff" * 65_536 + b"\r\n")
        await writer.drain()


#: Last part of a path beneath /fail/ -> what happens.
FAILURES: dict[str, Failure] = {
    "dropped": _dropped,
    "error": _error,
    "half": _half,
    "silent": _silent,
    "garbage": _garbage,
    "loop": _loop,
    "endless": _endless,
}
