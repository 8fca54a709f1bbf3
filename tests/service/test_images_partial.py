"""Originals that end early: what there is of them is served and marked, or they are refused."""

import asyncio

import pytest

from imgcdn.errors import CorruptImage
from tests.support import pictures
from tests.support.services import WEBP, Bench, get, image_request

# Larger than what is rendered in one trip with the probe, and small.
SIZES = [pytest.param((1200, 900), id="large"), pytest.param((90, 60), id="small")]


def _cut(size: tuple[int, int]) -> bytes:
    data = pictures.png(pictures.photograph(size))
    return data[: len(data) * 3 // 4]


@pytest.mark.parametrize("size", SIZES)
def test_a_part_of_a_picture_is_served_and_its_hits_know_it(bench: Bench, size: tuple[int, int]) -> None:
    bench.put(_cut(size))

    async def scenario() -> None:
        async with bench.service() as service:
            assert (await get(service)).variant.partial
        async with bench.service() as service:
            for body in (True, False):
                hit = service.lookup(image_request(), WEBP, body=body)
                assert hit is not None
                assert hit.variant.partial

    asyncio.run(scenario())


@pytest.mark.parametrize("size", SIZES)
def test_a_part_of_a_picture_is_refused_where_the_settings_say_so(bench: Bench, size: tuple[int, int]) -> None:
    bench.put(_cut(size))

    async def scenario() -> None:
        async with bench.service(partial="refuse") as service:
            for _ in range(2):
                with pytest.raises(CorruptImage, match="ends early"):
                    await get(service)

    asyncio.run(scenario())


def test_a_stored_part_is_refused_once_the_settings_say_so_and_served_again_afterwards(bench: Bench) -> None:
    bench.put(_cut((90, 60)))

    async def scenario() -> None:
        async with bench.service() as service:
            await get(service)
        async with bench.service(partial="refuse") as service:
            with pytest.raises(CorruptImage, match="ends early"):
                await get(service)
            with pytest.raises(CorruptImage, match="ends early"):
                await service.get(image_request(), WEBP)
        async with bench.service() as service:
            assert service.lookup(image_request(), WEBP) is not None

    asyncio.run(scenario())


def test_a_whole_picture_is_served_by_either_setting(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service(partial="refuse") as service:
            assert not (await get(service)).variant.partial

    asyncio.run(scenario())
