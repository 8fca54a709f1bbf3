"""What a service knows of remote originals as time passes; the clock is ours, origin and renderers are real."""

import asyncio
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from imgcdn.config import Config
from imgcdn.core.request.routes import Routes
from imgcdn.core.values import Source
from imgcdn.errors import ImgcdnError, OriginError, SourceNotFound
from imgcdn.origins.addresses import AddressRule
from imgcdn.origins.http import FetchPolicy, RemoteFetcher
from imgcdn.renderers.client import RenderClient
from imgcdn.service.originals import Prober
from imgcdn.service.remote import RemoteOriginals
from imgcdn.service.single_flight import SingleFlight
from imgcdn.store.disk import DiskStore
from tests.support import origin as at
from tests.support import pictures
from tests.support.brokers import processes, settings, until
from tests.support.origin import Origin

PHOTO = pictures.jpeg()


@dataclass
class Bench:
    """A service's remote side, and the hands to move its clock."""

    folder: Path
    sockets: Path
    origin: Origin
    now: float = field(default_factory=time.time)

    @asynccontextmanager
    async def originals(self, **changed: Any) -> AsyncIterator[RemoteOriginals]:
        config = Config(root=self.folder, cache_dir=self.folder / "cache", **changed)
        renderers = RenderClient(settings(), folder=self.sockets)
        flights = SingleFlight(renderers.lock_file)
        policy = FetchPolicy(
            admits=lambda _: True, loop_id="imgcdn-test", addresses=AddressRule([ip_network("127.0.0.0/8")])
        )
        try:
            yield RemoteOriginals(
                config,
                routes=Routes(),
                fetcher=RemoteFetcher(policy, clock=lambda: self.now),
                store=DiskStore(self.folder / "cache", max_bytes=10**8),
                prober=Prober(config, renderers, clock=lambda: self.now),
                flights=flights,
                clock=lambda: self.now,
            )
        finally:
            await flights.drain()
            renderers.disconnect()

    def source(self, path: str = "/a.jpg") -> Source:
        return Source("remote", self.origin.url(path, "127.0.0.1"))


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="imgcdn-test-", dir="/tmp") as folder:  # it is private
        yield Path(folder)
        asyncio.run(until(lambda: not processes(Path(folder)), "the host has gone"))


@pytest.fixture
def bench(tmp_path: Path, sockets: Path) -> Iterator[Bench]:
    with at.running({"/a.jpg": at.answer(PHOTO, cache_control="max-age=600")}) as origin:
        yield Bench(tmp_path, sockets, origin)


def test_an_origin_is_asked_again_when_its_word_has_run_out(bench: Bench) -> None:
    async def scenario() -> None:
        async with bench.originals() as originals:
            await originals.know(bench.source(), None)
            bench.now += 599
            assert originals.current(bench.source(), None) is not None
            bench.now += 2
            assert originals.current(bench.source(), None) is None
            assert (await originals.know(bench.source(), None)).validated == 200
            assert originals.current(bench.source(), None) is not None

    asyncio.run(scenario())
    assert bench.origin.asked("/a.jpg") == 2


def test_an_unseen_version_asks_once_and_no_more_than_every_ten_seconds(bench: Bench) -> None:
    async def scenario() -> None:
        async with bench.originals() as originals:
            await originals.know(bench.source(), None)
            assert originals.current(bench.source(), "1") is not None
            bench.now += 11
            assert originals.current(bench.source(), "1") is None
            await originals.know(bench.source(), "1")
            bench.now += 11
            assert originals.current(bench.source(), "1") is not None, "seen"
            assert originals.current(bench.source(), None) is not None
            assert originals.current(bench.source(), "2") is None

    asyncio.run(scenario())
    assert bench.origin.asked("/a.jpg") == 2


@pytest.mark.parametrize(
    ("script", "error", "lasting_s"),
    [
        pytest.param(at.answer(status=404), SourceNotFound, 10, id="404"),
        pytest.param(at.answer(status=500), OriginError, 2, id="500"),
        pytest.param(at.answer(status=503, retry_after="20"), OriginError, 20, id="it asks for 20 s"),
        pytest.param(at.answer(status=429, retry_after="9000"), OriginError, 60, id="it asks for hours"),
        pytest.param(at.dropped, OriginError, 2, id="it hangs up"),
    ],
)
def test_a_failure_is_remembered_for_a_while(
    bench: Bench, script: at.Script, error: type[ImgcdnError], lasting_s: float
) -> None:
    bench.origin.scripts["/a.jpg"] = script

    async def scenario() -> None:
        async with bench.originals() as originals:
            with pytest.raises(error):
                await originals.know(bench.source(), None)
            bench.now += lasting_s - 0.5
            record = originals.current(bench.source(), None)
            assert record is not None
            assert record.negative is not None
            bench.now += 1
            assert originals.current(bench.source(), None) is None
            bench.origin.scripts["/a.jpg"] = at.answer(PHOTO)
            assert (await originals.know(bench.source(), None)).record.facts is not None

    asyncio.run(scenario())


def test_a_slow_host_takes_no_more_than_its_share_of_the_fetches(bench: Bench) -> None:
    release = threading.Event()

    def slow(exchange: at.Exchange) -> None:
        release.wait(30)
        exchange.answer(PHOTO)

    async def scenario() -> None:
        async with bench.originals(fetches_per_host=2) as originals:
            paths = [f"/{number}" for number in range(4)]
            bench.origin.scripts.update(dict.fromkeys(paths, slow))
            waiting = [asyncio.create_task(originals.know(bench.source(path), None)) for path in paths]
            await until(lambda: len(bench.origin.requests) == 2, "two are under way")
            await asyncio.sleep(0.2)
            assert len(bench.origin.requests) == 2
            release.set()
            await asyncio.gather(*waiting)
            assert len(bench.origin.requests) == 4

    asyncio.run(scenario())
