"""The catalogue of sources as time passes: the test controls the clock; origin and renderers are real."""

import asyncio
import hashlib
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from imgcdn.core.values import Source
from imgcdn.errors import ImgcdnError, OriginError, SourceNotFound
from imgcdn.origins.addresses import AddressRule
from imgcdn.origins.catalog import Catalog
from imgcdn.origins.http import HttpFetcher
from imgcdn.origins.local import LocalFetcher
from imgcdn.origins.probing import Prober
from imgcdn.renderers.client import RenderClient
from tests.support import origin as at
from tests.support import pictures
from tests.support.brokers import processes, settings, until
from tests.support.fetching import ORIGIN, POLICY, SLACK_S
from tests.support.origin import Origin
from tests.support.stored import open_store

PHOTO = pictures.jpeg()


@dataclass
class Bench:
    """A catalogue over a folder and a web server, with a clock that the test controls."""

    folder: Path
    sockets: Path
    origin: Origin
    now: float = field(default_factory=time.time)

    @asynccontextmanager
    async def catalog(self, **changed: Any) -> AsyncIterator[Catalog]:
        renderers = RenderClient(settings(), folder=self.sockets)
        origin = replace(ORIGIN, **changed)
        http = HttpFetcher(replace(POLICY, addresses=AddressRule([ip_network("127.0.0.0/8")])), clock=lambda: self.now)
        local = LocalFetcher(self.folder / "root", max_source_bytes=10**6)
        catalog = Catalog(
            origin,
            fetchers={"remote": http, "local": local},
            store=open_store(self.folder / "cache", max_bytes=10**8),
            prober=Prober(renderers, max_pixels=origin.max_pixels, timeout_s=10.0, clock=lambda: self.now),
            clock=lambda: self.now,
        )
        try:
            yield catalog
        finally:
            catalog.close()
            renderers.disconnect()

    def source(self, path: str = "/a.jpg") -> Source:
        return Source("remote", self.origin.url(path, "127.0.0.1"))


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="imgcdn-test-", dir="/tmp") as folder:  # mkdtemp makes it private
        yield Path(folder)
        asyncio.run(until(lambda: not processes(Path(folder)), "the broker has ended"))


@pytest.fixture
def bench(tmp_path: Path, sockets: Path) -> Iterator[Bench]:
    with at.running({"/a.jpg": at.respond(PHOTO, cache_control="max-age=600")}) as origin:
        yield Bench(tmp_path, sockets, origin)


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
        pytest.param(at.respond(status=429, retry_after="9000"), OriginError, 60, id="Retry-After of hours"),
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
            record = catalog.current(bench.source(), None)
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
    (bench.folder / "root").mkdir()
    path = bench.folder / "root" / "a.jpg"
    path.write_bytes(PHOTO)
    source = Source("local", "a.jpg")

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            assert catalog.current(source, None) is None
            first = (await catalog.refresh(source, None)).record
            bench.now += 10**9
            assert catalog.current(source, "unseen") == first
            path.write_bytes(pictures.png())
            assert catalog.current(source, None) is None
            second = (await catalog.refresh(source, None)).record
            assert second.version != first.version

    asyncio.run(scenario())


@pytest.mark.parametrize("scheme", ["local", "remote"])
def test_the_version_of_an_original_is_its_hash_for_every_fetcher(bench: Bench, scheme: str) -> None:
    (bench.folder / "root").mkdir()
    (bench.folder / "root" / "a.jpg").write_bytes(PHOTO)
    source = Source("local", "a.jpg") if scheme == "local" else bench.source()

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            original = await catalog.refresh(source, None)
            assert original.record.version == hashlib.sha256(PHOTO).hexdigest()
            file = catalog.open(source, original)
            assert file is not None
            assert file.path.read_bytes() == PHOTO

    asyncio.run(scenario())


def test_closing_the_catalogue_ends_fetches_that_are_under_way(bench: Bench) -> None:
    bench.origin.scripts["/a.jpg"] = at.silent

    async def scenario() -> float:
        async with bench.catalog() as catalog:
            waiting = asyncio.create_task(catalog.refresh(bench.source(), None))
            await until(lambda: bench.origin.requests, "the origin has the request")
            began = time.monotonic()
            catalog.close()
            with pytest.raises(OriginError):
                await waiting
            return time.monotonic() - began

    assert asyncio.run(scenario()) < SLACK_S
