"""A request gets a stored variant, or a new one."""

import asyncio
import shutil
from dataclasses import replace
from typing import Any

import pytest

from imgcdn.core.output.keys import source_key
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, Source
from imgcdn.errors import SourceNotFound
from imgcdn.service.delivery import CacheStatus
from tests.support import pictures
from tests.support.services import WEBP, Bench, get, image_request, is_miss


def test_a_miss_is_rendered_and_then_a_hit(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as service:
            first, second, third = await get(service), await get(service), await service.get(image_request(), WEBP)
            assert [d.status for d in (first, second, third)] == [CacheStatus.MISS, CacheStatus.HIT, CacheStatus.HIT]
            assert first.stored
            assert first.variant == second.variant == third.variant
            assert (first.variant.format, first.variant.size) == ("webp", (40, 27))
        async with bench.service() as restarted:
            assert (await get(restarted)).status is CacheStatus.HIT

    asyncio.run(scenario())


def test_a_lookup_of_a_new_source_returns_none_and_stores_nothing(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as service:
            assert service.lookup(image_request(), WEBP) is None
            assert service.store.record(source_key(image_request().source)) is None

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changed", "frame", "effort"),
    [
        pytest.param({}, b"\xff\xc0", Effort.FAST, id="fast by default"),
        pytest.param({"effort": "thorough"}, b"\xff\xc2", Effort.THOROUGH, id="thorough"),
    ],
)
def test_the_setting_decides_how_long_encoders_try(
    bench: Bench, changed: dict[str, Any], frame: bytes, effort: Effort
) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service(**changed) as service:
            variant = (await service.get(replace(image_request(), params=Params(width=40, format="jpeg")), ())).variant
            assert (variant.format, variant.effort) == ("jpeg", effort)
            assert frame in variant.body[:]

    asyncio.run(scenario())


def test_a_change_of_effort_keeps_stored_variants(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        for effort, expected in (("fast", True), ("thorough", False), ("fast", False)):
            async with bench.service(effort=effort) as service:
                assert is_miss(await get(service)) is expected

    asyncio.run(scenario())


def test_describe_gives_facts_without_a_render(bench: Bench) -> None:
    bench.put(pictures.oriented_jpeg(6), "photo.jpg")

    async def scenario() -> None:
        async with bench.service() as service:
            facts = await service.describe(Source("local", "photo.jpg"))
            assert (facts.format, facts.size) == ("jpeg", (90, 60))
            with pytest.raises(SourceNotFound):
                await service.describe(Source("local", "nothing.jpg"))

    asyncio.run(scenario())


@pytest.mark.parametrize("max_bytes", [0, 10**8], ids=["a limit of 0", "a folder that cannot be made"])
def test_it_renders_without_a_store(bench: Bench, max_bytes: int) -> None:
    bench.put(pictures.png())
    if max_bytes:
        bench.cache.write_text("in the way")

    async def scenario() -> None:
        async with bench.service(max_bytes=max_bytes) as service:
            deliveries = [await get(service), await get(service)]
            assert [is_miss(delivery) for delivery in deliveries] == [True, True]
            assert not any(delivery.stored for delivery in deliveries)
            followers = await asyncio.gather(*(get(service, image_request(33)) for _ in range(5)))
            assert sum(is_miss(delivery) for delivery in followers) == 1
            assert len({delivery.variant.body for delivery in followers}) == 1

    asyncio.run(scenario())


def test_a_cache_that_was_deleted_is_filled_again(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as service:
            await get(service)
            shutil.rmtree(bench.cache)
            assert is_miss(await get(service))
            await get(service)
            assert (await get(service)).status is CacheStatus.HIT

    asyncio.run(scenario())
