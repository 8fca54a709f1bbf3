"""
What a request leaves in memory when it ends with an error, or when its client leaves.

It must leave nothing in a cycle. The collector of cycles runs so rarely in a worker that what waits for it, such as the
connections of all clients that have left, would look like a leak.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from imgcdn.config import load
from imgcdn.service.assembly import assemble
from imgcdn.web.connections import Connections
from imgcdn.web.front import Front
from imgcdn.web.protocol import Connection
from tests.support import origin as at
from tests.support import pictures
from tests.support.brokers import processes, until
from tests.support.collecting import cycles, errors_among
from tests.support.origin import Origin

ORIGIN_PATHS = {
    "/missing.jpg": at.respond(b"no", status=404),
    "/dropped.jpg": at.dropped,
    "/half.jpg": at.half(pictures.png()),
    "/zipped.jpg": at.respond(pictures.png(), content_encoding="gzip"),
    "/bomb.jpg": at.zipped(bytes(40_000_000)),
    "/withheld.jpg": at.respond(b"no", status=403),
    "/busy.jpg": at.respond(b"no", status=429),
    "/text.jpg": at.respond(b"this is no picture"),
    "/photo.jpg": at.respond(pictures.png()),
    "/silent.jpg": at.silent,
}


@asynccontextmanager
async def listening(folder: Path, origin: Origin) -> AsyncIterator[tuple[Front, int]]:
    """Serve connections within this process, so that its memory can be looked at. Yield the front and its port."""
    folders = {"root": str(folder / "root"), "cache_dir": str(folder / "cache")}
    settings = {"allow": origin.url("/**", "127.0.0.1"), "allow_addresses": "127.0.0.0/8", "min_free_bytes": 0}
    config = load({**folders, **settings, "access_log": "off"}, environ={})
    front = Front(config.web, config.request, assemble(config), max_waiting=9)
    peers = Connections(config.web, 9)
    await front.start()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(front, peers), "127.0.0.1", 0)
    try:
        yield front, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await front.stop()


async def ask(port: int, target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return reader, writer


async def status_of(port: int, target: str) -> int:
    reader, writer = await ask(port, target)
    received = await reader.read()
    writer.close()
    return int(received.split(b" ", 2)[1])


async def leave_while_it_waits(front: Front, port: int, target: str) -> None:
    _, writer = await ask(port, target)
    await until(lambda: front.is_busy, "the request waits")
    writer.close()
    await until(lambda: not front.is_busy, "the service has seen that its client has left")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "text.png").write_bytes(b"this is no picture")
    (tmp_path / "root" / "half.png").write_bytes(pictures.png_without_pixels())
    (tmp_path / "root" / "photo.png").write_bytes(pictures.png())
    return tmp_path


async def play(folder: Path, origin: Origin) -> list[str]:
    """Have requests fail in every way, and return what they have left."""
    remote = f"/img?w=20&url={origin.url('', '127.0.0.1')}"
    async with listening(folder, origin) as (front, port):
        assert await status_of(port, "/img/photo.png?w=20") == 200  # what exists once for all requests
        with cycles() as left:
            found = {
                target: await status_of(port, target)
                for target in (
                    "/img/text.png?w=20",
                    "/img/half.png?w=20",
                    "/img/missing.png?w=20",
                    f"{remote}/photo.jpg",
                    f"{remote}/missing.jpg",
                    f"{remote}/dropped.jpg",
                    f"{remote}/half.jpg",
                    f"{remote}/text.jpg",
                    f"{remote}/zipped.jpg",
                    f"{remote}/bomb.jpg",
                    f"{remote}/withheld.jpg",
                    f"{remote}/busy.jpg",
                )
            }
            await leave_while_it_waits(front, port, f"{remote}/silent.jpg")
            await front.stop()
        assert list(found.values()) == [415, 422, 404, 200, 404, 502, 502, 415, 502, 413, 404, 503]
        return errors_among(left)


def test_requests_that_end_with_an_error_or_are_left_leave_no_cycles(folder: Path) -> None:
    with at.running(ORIGIN_PATHS) as origin:
        assert asyncio.run(play(folder, origin)) == []
    asyncio.run(until(lambda: not processes(folder), "the broker has ended"))
