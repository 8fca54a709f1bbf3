"""A small client of HTTP/1.1 for load: one connection that is kept, and opened anew after it broke."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import NamedTuple

_HEAD_BYTES = 64 * 1024


class Reply(NamedTuple):
    """A response; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(Exception):
    """The connection ended before the response did."""


class Client:
    """
    One client, with at most one request under way.

    Args:
        port: Of the service, on loopback.
        timeout_s: Seconds for one response.
    """

    def __init__(self, port: int, *, timeout_s: float = 60.0) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, target: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Reply:
        """
        Send one request and return the response.

        Raises:
            Broken: There is no whole response.
            TimeoutError: It does not come in time.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await self._connect()
                fields = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
                writer.write(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode("latin-1"))
                return await self._read(reader, has_body=method != "HEAD")
        except (OSError, asyncio.IncompleteReadError) as error:  # a TimeoutError is an OSError, too
            await self.leave()
            if isinstance(error, TimeoutError):
                raise
            raise Broken(f"{target}: {error!r}") from error
        except asyncio.CancelledError:
            await self.leave()
            raise

    async def leave(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=_HEAD_BYTES)
        return self._streams

    async def _read(self, reader: asyncio.StreamReader, *, has_body: bool) -> Reply:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ", 2)[1])
        length = int(headers.get("content-length", "0")) if has_body and status not in (204, 304) else 0
        body = await reader.readexactly(length)
        if headers.get("connection") == "close":
            await self.leave()
        return Reply(status, headers, body)
