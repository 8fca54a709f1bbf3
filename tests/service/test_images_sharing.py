"""Requests for the same variant share one render, within a process and across processes."""

import asyncio

from imgcdn.errors import CorruptImage
from imgcdn.service.delivery import CacheStatus
from tests.support import pictures
from tests.support.services import Bench, get


def test_fifty_requests_for_a_new_variant_cause_one_render(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as service:
            deliveries = await asyncio.gather(*(get(service) for _ in range(50)))
            statuses = [delivery.status for delivery in deliveries]
            assert statuses.count(CacheStatus.MISS) == 1
            assert statuses.count(CacheStatus.COLLAPSED) == 49
            assert len({delivery.variant.body for delivery in deliveries}) == 1
            assert all(delivery.stored for delivery in deliveries)

    asyncio.run(scenario())


def test_two_processes_that_need_the_same_variant_render_it_once(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as one, bench.service() as other:
            deliveries = await asyncio.gather(*(get(service) for service in (one, other) for _ in range(5)))
            statuses = [delivery.status for delivery in deliveries]
            assert statuses.count(CacheStatus.MISS) == 1
            assert statuses.count(CacheStatus.COLLAPSED) == 9

    asyncio.run(scenario())


def test_followers_of_a_failing_leader_get_its_error(bench: Bench) -> None:
    bench.put(pictures.png_without_pixels())

    async def scenario() -> None:
        async with bench.service() as service:
            errors = await asyncio.gather(*(get(service) for _ in range(10)), return_exceptions=True)
            assert [type(error) for error in errors] == [CorruptImage] * 10

    asyncio.run(scenario())
