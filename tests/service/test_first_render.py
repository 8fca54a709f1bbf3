"""A new picture is read and rendered in one trip to a child; a failure of that render harms nobody else."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from imgcdn.core.interest import ALWAYS, Interest
from imgcdn.core.output.geometry import Crop
from imgcdn.core.output.keys import source_key
from imgcdn.core.request.params import Params
from imgcdn.core.values import Source
from imgcdn.dialects.base import ImageRequest
from imgcdn.errors import InvalidParam
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import NO_CLAIM, Claim, Job, Outcome, ProbeJob
from imgcdn.service.delivery import CacheStatus
from tests.support import pictures
from tests.support.brokers import settings
from tests.support.services import WEBP, Bench, get, image_request, is_miss


class Noting(RenderClient):
    """Sends jobs to the real broker, and notes them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(settings(), folder=folder)
        self.jobs: list[Job] = []

    async def run(self, job: Job, claim: Claim = NO_CLAIM, interest: Interest = ALWAYS) -> Outcome:
        self.jobs.append(job)
        return await super().run(job, claim, interest)


@pytest.fixture
def renderers(bench: Bench) -> Noting:
    return Noting(bench.sockets)


def request_for(**params: Any) -> ImageRequest:
    return ImageRequest(Source("local", "photo.png"), Params(**params), None)


def test_a_new_picture_takes_one_trip(bench: Bench, renderers: Noting) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service(renderers=renderers) as service:
            first = await get(service)
            assert (is_miss(first), first.stored) == (True, True)
            assert len(renderers.jobs) == 1
            assert (await get(service)).status is CacheStatus.HIT
            assert is_miss(await get(service, image_request(41)))
            assert len(renderers.jobs) == 2
        assert list((bench.cache / "tmp").iterdir()) == []

    asyncio.run(scenario())


def test_requests_for_other_widths_wait_for_the_source_alone(bench: Bench, renderers: Noting) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service(renderers=renderers) as service:
            widths = [40, 41, 42, 40, 41]
            deliveries = await asyncio.gather(*(service.get(image_request(width), WEBP) for width in widths))
            assert [delivery.variant.size[0] for delivery in deliveries] == widths
            assert [isinstance(job, ProbeJob) for job in renderers.jobs] == [True, False, False]
            assert sum(is_miss(delivery) for delivery in deliveries) == 3

    asyncio.run(scenario())


def test_a_first_render_that_fails_is_the_fault_of_its_request(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as service:
            wrong = request_for(crop=Crop(5_000, 5_000, 10, 10, relative=False))
            outcomes = await asyncio.gather(
                service.get(wrong, WEBP), service.get(image_request(), WEBP), return_exceptions=True
            )
            assert isinstance(outcomes[0], InvalidParam)
            assert not isinstance(outcomes[1], BaseException)
            record = service.store.record(source_key(wrong.source))
            assert record is not None
            assert record.negative is None
        assert list((bench.cache / "tmp").iterdir()) == []

    asyncio.run(scenario())


def test_a_render_that_may_take_long_is_a_job_of_its_own(bench: Bench, renderers: Noting) -> None:
    bench.put(pictures.png(pictures.photograph((1_200, 900))))

    async def scenario() -> None:
        async with bench.service(renderers=renderers) as service:
            assert is_miss(await get(service))
            assert [isinstance(job, ProbeJob) for job in renderers.jobs] == [True, False]

    asyncio.run(scenario())


def test_without_a_cache_a_picture_takes_two_trips(bench: Bench, renderers: Noting) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service(max_bytes=0, renderers=renderers) as service:
            delivery = await get(service)
            assert (is_miss(delivery), delivery.stored, len(renderers.jobs)) == (True, False, 2)

    asyncio.run(scenario())
