"""Files that change or disappear between two requests or during one."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from imgcdn.errors import SourceNotFound
from imgcdn.service.delivery import CacheStatus
from tests.support import pictures
from tests.support.brokers import send_to_children
from tests.support.services import WEBP, Bench, get, image_request, is_miss


def _restore_time(path: Path, stat: os.stat_result) -> None:
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_changed_file_is_never_served_as_the_old_one(bench: Bench) -> None:
    """This holds even if its size and its modification time are restored."""
    red, blue = (pictures.png(pictures.chart().point(table)) for table in ([0] * 768, [255] * 768))
    length = max(len(red), len(blue))
    path = bench.put(red.ljust(length, b"\0"))
    stat = path.stat()

    async def scenario() -> None:
        async with bench.service() as service:
            before = await get(service)
            path.write_bytes(blue.ljust(length, b"\0"))
            _restore_time(path, stat)
            after = await get(service)
            assert is_miss(before)
            assert is_miss(after)
            assert before.variant.body != after.variant.body

    asyncio.run(scenario())


def test_a_file_that_changes_right_after_it_was_written_is_noticed(bench: Bench) -> None:
    bodies = [pictures.png(pictures.chart().point([value] * 768)) for value in range(0, 200, 20)]
    length = max(map(len, bodies))

    async def scenario() -> None:
        async with bench.service() as service:
            seen = []
            for body in bodies:
                bench.put(body.ljust(length, b"\0"))
                seen.append((await get(service)).variant.digest)
            assert len(set(seen)) == len(bodies)

    asyncio.run(scenario())


def test_a_touched_file_keeps_its_variants(bench: Bench) -> None:
    path = bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as service:
            assert is_miss(await get(service))
            os.utime(path, (1, 1))
            assert service.lookup(image_request(), WEBP) is None, "the file has to be read"
            assert (await get(service)).status is CacheStatus.HIT

    asyncio.run(scenario())


def test_a_file_that_is_replaced_while_its_render_waits_is_rendered_from_the_new_bytes(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as service:
            await get(service)
            send_to_children(bench.sockets, signal.SIGSTOP)
            work = asyncio.create_task(get(service, image_request(30)))
            for _ in range(20):
                await asyncio.sleep(0.01)
            bench.put(pictures.png(pictures.chart((120, 120))))
            send_to_children(bench.sockets, signal.SIGCONT)
            delivery = await work
            assert delivery.variant.size == (30, 30)
            assert list((bench.cache / "tmp").iterdir()) == []

    asyncio.run(scenario())


def test_a_deleted_file_is_not_found_even_after_a_hit(bench: Bench) -> None:
    path = bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as service:
            await get(service)
            assert (await get(service)).status is CacheStatus.HIT
            path.unlink()
            with pytest.raises(SourceNotFound):
                service.lookup(image_request(), WEBP)
            with pytest.raises(SourceNotFound):
                await service.get(image_request(), WEBP)

    asyncio.run(scenario())
