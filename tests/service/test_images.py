import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from imgcdn.config import load
from imgcdn.core.output.keys import source_key
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, NegativeEntry, Source
from imgcdn.dialects.base import ImageRequest
from imgcdn.errors import CorruptImage, ImageTooLarge, RenderTimeout, SourceNotFound, UnsupportedImage
from imgcdn.origins.catalog import Catalog
from imgcdn.origins.local import LocalFetcher
from imgcdn.origins.probing import Prober
from imgcdn.renderers.client import RenderClient
from imgcdn.service.images import CacheStatus, Delivery, ImageService, RenderPolicy
from imgcdn.service.single_flight import SingleFlight
from imgcdn.store.disk import DiskStore
from tests.support import pictures
from tests.support.brokers import children, processes, rendering, settings, until

WEBP = ("webp",)


@dataclass
class Bench:
    """A service over a folder, whose originals, settings and clock the test can change."""

    root: Path
    cache: Path
    sockets: Path
    now: float = field(default_factory=time.time)

    def put(self, data: bytes, name: str = "photo.png") -> Path:
        path = self.root / name
        path.write_bytes(data)
        return path

    @asynccontextmanager
    async def service(
        self, *, max_bytes: int = 10**8, request_timeout_s: float = 25.0, **changed: Any
    ) -> AsyncIterator[ImageService]:
        """Run a service as a separate process would; all services of the test share the broker."""
        folders = {"root": str(self.root), "cache_dir": str(self.cache), "cache_max_bytes": max_bytes}
        config = load({**folders, "min_free_bytes": 0, **changed}, environ={})
        renderers = RenderClient(settings(), folder=self.sockets)
        flights = SingleFlight(renderers.lock_file)
        store = DiskStore(config.store)
        local = LocalFetcher(config.origins, hidden=[self.cache])
        timeout_s = config.renderers.render_timeout_s
        catalog = Catalog(
            config.origins,
            fetchers={"local": local},
            store=store,
            prober=Prober(renderers, max_pixels=config.origins.max_pixels, timeout_s=timeout_s, clock=lambda: self.now),
            clock=lambda: self.now,
        )
        policy = RenderPolicy(
            config.output.limits(max_dimension=config.request.max_dimension),
            config.output.budget(render_timeout_s=timeout_s),
            timeout_s,
        )
        service = ImageService(
            # The settings would not allow a request timeout below the render timeout.
            replace(config.service, request_timeout_s=request_timeout_s),
            policy=policy,
            catalog=catalog,
            store=store,
            renderers=renderers,
            flights=flights,
            clock=lambda: self.now,
        )
        try:
            yield service
        finally:
            await flights.drain()
            catalog.close()
            renderers.disconnect()


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """Use one folder for the whole module, so that the next test can use the broker that still runs."""
    with tempfile.TemporaryDirectory(prefix="imgcdn-test-", dir="/tmp") as folder:  # mkdtemp makes it private
        yield Path(folder)
        asyncio.run(until(lambda: not processes(Path(folder)), "the broker has ended"))


@pytest.fixture
def bench(tmp_path: Path, sockets: Path) -> Bench:
    (tmp_path / "root").mkdir()
    return Bench(tmp_path / "root", tmp_path / "cache", sockets)


def image_request(width: int = 40) -> ImageRequest:
    return ImageRequest(Source("local", "photo.png"), Params(width=width), None)


async def get(service: ImageService, request: ImageRequest | None = None) -> Delivery:
    """Do the steps of a request: a lookup, then the rest."""
    request = request or image_request()
    return service.lookup(request, WEBP) or await service.get(request, WEBP)


def is_miss(delivery: Delivery) -> bool:
    return delivery.status is CacheStatus.MISS


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
            [child] = children(bench.sockets)
            os.kill(child, signal.SIGSTOP)
            work = asyncio.create_task(get(service, image_request(30)))
            for _ in range(20):
                await asyncio.sleep(0.01)
            bench.put(pictures.png(pictures.chart((120, 120))))
            os.kill(child, signal.SIGCONT)
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


@pytest.mark.parametrize(
    ("data", "changed", "error"),
    [
        pytest.param(pictures.png()[:-60], {}, CorruptImage, id="truncated"),
        pytest.param(b"\xff\xd8\xff" + bytes(50), {}, CorruptImage, id="a header and no data"),
        pytest.param(b"hello", {}, UnsupportedImage, id="not a picture"),
        pytest.param(pictures.png(), {"max_pixels": 5399}, ImageTooLarge, id="too many pixels"),
        pytest.param(pictures.png(), {"max_source_bytes": 100}, ImageTooLarge, id="too many bytes"),
    ],
)
def test_an_original_at_fault_is_refused_each_time(
    bench: Bench, data: bytes, changed: dict[str, Any], error: type[CorruptImage]
) -> None:
    bench.put(data)

    async def scenario() -> None:
        async with bench.service(**changed) as service:
            caught = []
            for _ in range(2):
                with pytest.raises(error) as raised:
                    await get(service)
                caught.append((raised.value.detail, raised.value.members))
            assert caught[0] == caught[1], "the negative entry repeats the first error"

    asyncio.run(scenario())


def test_a_negative_entry_lasts_a_minute(bench: Bench) -> None:
    bench.put(b"hello")

    async def scenario() -> None:
        async with bench.service() as service:
            with pytest.raises(UnsupportedImage):
                await get(service)
            with pytest.raises(UnsupportedImage):
                service.lookup(image_request(), WEBP)
            bench.now += 61
            assert service.lookup(image_request(), WEBP) is None
            with pytest.raises(UnsupportedImage):
                await get(service)
        async with bench.service() as restarted:
            with pytest.raises(UnsupportedImage):
                restarted.lookup(image_request(), WEBP)

    asyncio.run(scenario())


def test_a_bad_file_that_is_repaired_is_served_at_once(bench: Bench) -> None:
    bench.put(b"hello")

    async def scenario() -> None:
        async with bench.service() as service:
            with pytest.raises(UnsupportedImage):
                await get(service)
            bench.put(pictures.png())
            assert is_miss(await get(service))

    asyncio.run(scenario())


def test_a_render_that_took_too_long_is_not_tried_again_at_once(bench: Bench, huge: Path) -> None:
    os.link(huge, bench.root / "photo.png")

    async def scenario() -> None:
        async with bench.service(render_timeout_s=2.0) as service:
            request = ImageRequest(Source("local", "photo.png"), Params(q=95, format="avif"), None)
            with pytest.raises(RenderTimeout):
                await service.get(request, WEBP)
            with pytest.raises(RenderTimeout):
                service.lookup(request, WEBP)

    asyncio.run(scenario())


def test_an_unknown_negative_entry_of_another_release_is_ignored(bench: Bench) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with bench.service() as service:
            await get(service)
            source = source_key(image_request().source)
            record = service.store.record(source)
            assert record
            unknown = replace(record, negative=NegativeEntry("too-ugly", "It is.", bench.now + 100))
            with service.store.open_folder(source) as folder:
                service.store.save_record(folder, unknown)
            assert is_miss(await get(service, image_request(20)))

    asyncio.run(scenario())


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
    bench.put(pictures.png()[:-60])

    async def scenario() -> None:
        async with bench.service() as service:
            errors = await asyncio.gather(*(get(service) for _ in range(10)), return_exceptions=True)
            assert [type(error) for error in errors] == [CorruptImage] * 10

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


def test_describe_gives_facts_without_a_render(bench: Bench) -> None:
    bench.put(pictures.oriented_jpeg(6), "photo.jpg")

    async def scenario() -> None:
        async with bench.service() as service:
            facts = await service.describe(Source("local", "photo.jpg"))
            assert (facts.format, facts.size) == ("jpeg", (90, 60))
            with pytest.raises(SourceNotFound):
                await service.describe(Source("local", "nothing.jpg"))

    asyncio.run(scenario())


def test_a_request_that_times_out_fails_but_its_render_is_kept(bench: Bench, folder: Path) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with rendering(folder) as renderers:
            bench.sockets = folder
            async with bench.service(request_timeout_s=2.0) as service:
                await service.describe(image_request().source)
                [child] = children(folder)
                os.kill(child, signal.SIGSTOP)
                with pytest.raises(RenderTimeout, match="not ready"):
                    await get(service)
                os.kill(child, signal.SIGCONT)
                await until(lambda: service.lookup(image_request(), WEBP), "the render is kept")
            assert renderers.lock_file.exists()

    asyncio.run(scenario())
