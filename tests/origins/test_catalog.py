"""The catalogue of sources as time passes: the test controls the clock; origin and renderers are real."""

import asyncio
import hashlib
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from imgcdn.core.values import Source
from imgcdn.errors import (
    ImgcdnError,
    OriginBusy,
    OriginError,
    Overloaded,
    SourceNotFound,
    SourceWithheld,
    UnsupportedImage,
)
from imgcdn.origins.base import Answer, Stop, Validators
from imgcdn.origins.http import HttpFetcher
from tests.support import origin as at
from tests.support import pictures
from tests.support.brokers import until
from tests.support.catalogs import PHOTO, Bench, record_of
from tests.support.fetching import SLACK_S


def test_an_original_is_fetched_again_when_its_lifetime_is_over(bench: Bench) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            await catalog.refresh(bench.source(), None)
            bench.now += 599
            assert catalog.current(bench.source(), None) is not None
            bench.now += 2
            assert catalog.current(bench.source(), None) is None
            assert (await catalog.refresh(bench.source(), None)).origin_status == 200
            assert catalog.current(bench.source(), None) is not None

    asyncio.run(scenario())
    assert bench.origin.count("/a.jpg") == 2


def test_an_unseen_version_causes_one_fetch_and_at_most_one_in_ten_seconds(bench: Bench) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            await catalog.refresh(bench.source(), None)
            assert catalog.current(bench.source(), "1") is not None
            bench.now += 11
            assert catalog.current(bench.source(), "1") is None
            await catalog.refresh(bench.source(), "1")
            bench.now += 11
            assert catalog.current(bench.source(), "1") is not None, "the version was seen"
            assert catalog.current(bench.source(), None) is not None
            assert catalog.current(bench.source(), "2") is None

    asyncio.run(scenario())
    assert bench.origin.count("/a.jpg") == 2


@pytest.mark.parametrize(
    ("script", "error", "lasting_s"),
    [
        pytest.param(at.respond(status=404), SourceNotFound, 10, id="404"),
        pytest.param(at.respond(status=500), OriginError, 2, id="500"),
        pytest.param(at.respond(status=503, retry_after="20"), OriginError, 20, id="Retry-After of 20 s"),
        pytest.param(at.respond(status=429, retry_after="9000"), OriginBusy, 60, id="Retry-After of hours"),
        pytest.param(at.respond(status=429), OriginBusy, 2, id="429 without Retry-After"),
        *(pytest.param(at.respond(status=each), SourceWithheld, 10, id=f"{each}") for each in (401, 403, 451)),
        pytest.param(at.respond(status=400), OriginError, 2, id="400"),
        pytest.param(at.dropped, OriginError, 2, id="closed connection"),
    ],
)
def test_a_failure_is_remembered_for_this_long(
    bench: Bench, script: at.Script, error: type[ImgcdnError], lasting_s: float
) -> None:
    bench.origin.scripts["/a.jpg"] = script

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            with pytest.raises(error):
                await catalog.refresh(bench.source(), None)
            bench.now += lasting_s - 0.5
            record = record_of(catalog.current(bench.source(), None))
            assert record is not None
            assert record.negative is not None
            bench.now += 1
            assert catalog.current(bench.source(), None) is None
            bench.origin.scripts["/a.jpg"] = at.respond(PHOTO)
            assert (await catalog.refresh(bench.source(), None)).record.facts is not None

    asyncio.run(scenario())


def test_a_slow_host_uses_at_most_its_share_of_the_fetches(bench: Bench) -> None:
    release = threading.Event()

    def slow(exchange: at.Exchange) -> None:
        release.wait(30)
        exchange.respond(PHOTO)

    async def scenario() -> None:
        async with bench.catalog(fetches_per_host=2) as catalog:
            paths = [f"/{number}" for number in range(4)]
            bench.origin.scripts.update(dict.fromkeys(paths, slow))
            waiting = [asyncio.create_task(catalog.refresh(bench.source(path), None)) for path in paths]
            await until(lambda: len(bench.origin.requests) == 2, "two fetches are under way")
            await asyncio.sleep(0.2)
            assert len(bench.origin.requests) == 2
            release.set()
            await asyncio.gather(*waiting)
            assert len(bench.origin.requests) == 4

    asyncio.run(scenario())


def test_a_file_is_fresh_while_its_stamp_is_the_same(bench: Bench) -> None:
    path = bench.folder / "root" / "a.jpg"
    path.write_bytes(PHOTO)
    source = Source("local", "a.jpg")

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            assert catalog.current(source, None) is None
            first = (await catalog.refresh(source, None)).record
            bench.now += 10**9
            assert record_of(catalog.current(source, "unseen")) == first
            path.write_bytes(pictures.png())
            assert catalog.current(source, None) is None
            second = (await catalog.refresh(source, None)).record
            assert second.version != first.version

    asyncio.run(scenario())


@pytest.fixture(params=["local", "remote"])
def source(request: pytest.FixtureRequest, bench: Bench) -> Source:
    """The one original, in a folder and on a web server: what follows holds for both."""
    source = Source("local", "a.jpg") if request.param == "local" else bench.source()
    bench.put(source, PHOTO)
    return source


def test_the_version_of_an_original_is_its_hash(bench: Bench, source: Source) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            original = await catalog.refresh(source, None)
            assert original.record.version == hashlib.sha256(PHOTO).hexdigest()
            file = await catalog.open(source, original)
            assert file is not None
            assert Path(str(file.path)).read_bytes() == PHOTO

    asyncio.run(scenario())


class _Claiming(HttpFetcher):
    """An HTTP fetcher that claims a version of its own."""

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        return replace(super().fetch(source, known, into=into, stop=stop), version="ab" * 32)


def test_bytes_that_a_fetcher_has_hashed_are_not_hashed_again(bench: Bench) -> None:
    async def scenario() -> None:
        async with bench.catalog(http_fetcher=_Claiming) as catalog:
            assert (await catalog.refresh(bench.source(), None)).record.version == "ab" * 32

    asyncio.run(scenario())


def test_what_was_refreshed_is_current(bench: Bench, source: Source) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            assert catalog.current(source, None) is None
            original = await catalog.refresh(source, None)
            assert record_of(catalog.current(source, None)) == original.record
        async with bench.catalog() as restarted:
            assert record_of(restarted.current(source, None)) == original.record

    asyncio.run(scenario())


def test_a_changed_original_has_another_version(bench: Bench, source: Source) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            before = await catalog.refresh(source, None)
            bench.put(source, pictures.png())
            bench.now += 601
            assert catalog.current(source, None) is None
            after = await catalog.refresh(source, None)
            assert after.record.version == hashlib.sha256(pictures.png()).hexdigest() != before.record.version

    asyncio.run(scenario())


def test_only_a_request_that_waited_for_a_validation_has_the_status_of_the_origin(bench: Bench, source: Source) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            assert (await catalog.refresh(source, None)).origin_status == 0
            assert (await catalog.refresh(source, None)).origin_status == 0
            bench.put(source, pictures.png())
            bench.now += 601
            assert (await catalog.refresh(source, None)).origin_status == (200 if source.scheme == "remote" else 0)

    asyncio.run(scenario())


def test_the_same_bytes_change_only_the_freshness_of_the_record(bench: Bench, source: Source) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            before = (await catalog.refresh(source, None)).record
            bench.put(source, PHOTO)
            bench.now += 601
            after = (await catalog.refresh(source, None)).record
            assert (after.version, after.facts) == (before.version, before.facts)
            assert replace(after, stamp=before.stamp, origin=before.origin) == before

    asyncio.run(scenario())


def test_an_original_that_is_gone_is_not_found(bench: Bench, source: Source) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            await catalog.refresh(source, None)
            bench.remove(source)
            bench.now += 601
            with pytest.raises(SourceNotFound):
                await catalog.refresh(source, None)

    asyncio.run(scenario())


def test_a_refused_original_is_remembered_for_a_minute(bench: Bench, source: Source) -> None:
    bench.put(source, b"no picture")

    async def scenario() -> None:
        async with bench.catalog(min_ttl=600) as catalog:
            record = (await catalog.refresh(source, None)).record
            assert record.facts is None
            assert record.negative is not None
            assert record.negative.slug == UnsupportedImage.slug
            bench.now += 59
            assert record_of(catalog.current(source, None)) == record
            bench.now += 2
            assert catalog.current(source, None) is None

    asyncio.run(scenario())


def test_slow_origins_do_not_keep_a_file_waiting(bench: Bench) -> None:
    file = Source("local", "a.jpg")
    bench.put(file, PHOTO)
    bench.origin.scripts["/a.jpg"] = at.silent

    async def scenario() -> None:
        async with bench.catalog(fetchers=1) as catalog:
            await catalog.refresh(file, None)  # starts the render child, which is no part of the time below
            bench.put(file, pictures.png())
            waiting = asyncio.create_task(catalog.refresh(bench.source(), None))
            await until(lambda: bench.origin.requests, "the origin has the request")
            original = await asyncio.wait_for(catalog.refresh(file, None), SLACK_S)
            assert await asyncio.wait_for(catalog.open(file, original), SLACK_S)
            assert not waiting.done()
            catalog.close()
            with pytest.raises(Overloaded):
                await waiting

    asyncio.run(scenario())


def test_a_fetch_that_is_cancelled_gives_its_thread_back(bench: Bench) -> None:
    bench.origin.scripts.update({"/a.jpg": at.silent, "/b.jpg": at.respond(PHOTO)})

    async def scenario() -> None:
        async with bench.catalog(fetchers=1) as catalog:
            waiting = asyncio.create_task(catalog.refresh(bench.source(), None))
            await until(lambda: bench.origin.requests, "the origin has the request")
            waiting.cancel()
            await asyncio.wait_for(catalog.refresh(bench.source("/b.jpg"), None), SLACK_S)

    asyncio.run(scenario())


def test_closing_the_catalogue_ends_fetches_that_are_under_way(bench: Bench) -> None:
    bench.origin.scripts["/a.jpg"] = at.silent

    async def scenario() -> float:
        async with bench.catalog() as catalog:
            waiting = asyncio.create_task(catalog.refresh(bench.source(), None))
            await until(lambda: bench.origin.requests, "the origin has the request")
            began = time.monotonic()
            catalog.close()
            with pytest.raises(Overloaded):
                await waiting
            assert catalog.current(bench.source(), None) is None, "the origin is not at fault"
            return time.monotonic() - began

    assert asyncio.run(scenario()) < SLACK_S
