"""Originals that cannot be rendered, and renders that take too long."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imgcdn.core.output.keys import source_key
from imgcdn.core.request.params import Params
from imgcdn.core.values import NegativeEntry, Source
from imgcdn.dialects.base import ImageRequest
from imgcdn.errors import CorruptImage, ImageTooLarge, RenderFailed, RenderTimeout, UnsupportedImage
from tests.support import pictures
from tests.support.brokers import children, rendering, send_to_children, until, until_busy
from tests.support.services import WEBP, Bench, get, image_request, is_miss


@pytest.mark.parametrize(
    ("data", "changed", "error"),
    [
        pytest.param(pictures.png_without_pixels(), {}, CorruptImage, id="no pixels"),
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
            assert restarted.lookup(image_request(), WEBP) is None, "nothing else is known of it"
            with pytest.raises(UnsupportedImage):
                await get(restarted)

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


# Noise: about 4 seconds on an idle machine. The estimate is 3, less than twice this deadline, so it is tried.
NOISE = pictures.png(Image.effect_noise((750, 500), 90).convert("RGB"))
SLOW = ImageRequest(Source("local", "photo.png"), Params(width=6000, enlarge=True, q=95, format="avif"), None)
DEADLINE_S = 1.6


def test_a_render_that_took_too_long_is_not_tried_again_for_a_minute(bench: Bench) -> None:
    bench.put(NOISE)

    async def scenario() -> None:
        async with bench.service(render_timeout_s=DEADLINE_S) as service, bench.service() as other_process:
            with pytest.raises(RenderTimeout):
                await service.get(SLOW, WEBP)
            for each in (service, other_process):
                with pytest.raises(RenderTimeout):
                    each.lookup(SLOW, WEBP)
                with pytest.raises(RenderTimeout):
                    await each.get(SLOW, WEBP)
            bench.now += 61
            assert service.lookup(SLOW, WEBP) is None

    asyncio.run(scenario())


def test_a_render_that_took_too_long_fails_no_other_variant(bench: Bench) -> None:
    bench.put(NOISE)

    async def scenario() -> None:
        async with bench.service(render_timeout_s=DEADLINE_S) as service, bench.service() as other_process:
            with pytest.raises(RenderTimeout):
                await service.get(SLOW, WEBP)
            assert is_miss(await get(service, image_request(40)))
            assert is_miss(await get(other_process, image_request(30)))

    asyncio.run(scenario())


def test_a_crash_concerns_its_own_variant_alone(bench: Bench, folder: Path) -> None:
    bench.put(pictures.png())
    bench.sockets = folder

    async def scenario() -> None:
        async with rendering(folder), bench.service() as service, bench.service() as other_process:
            await service.describe(SLOW.source)
            work = asyncio.create_task(service.get(SLOW, WEBP))
            os.kill(await until_busy(*children(folder)), signal.SIGSEGV)
            with pytest.raises(RenderFailed):
                await work
            for each in (service, other_process):
                with pytest.raises(RenderFailed):
                    each.lookup(SLOW, WEBP)
            assert is_miss(await get(service, image_request(40)))
            assert is_miss(await get(other_process, image_request(30)))
            with pytest.raises(RenderFailed):
                await service.get(SLOW, WEBP)

    asyncio.run(scenario())


def _put_animation_with_a_damaged_frame(bench: Bench) -> ImageRequest:
    """Return a request for its still."""
    original = bytearray(pictures.apng([pictures.chart(), pictures.photograph()], [100, 100]))
    original[original.rindex(b"fdAT") + 20] ^= 255
    bench.put(bytes(original))
    return ImageRequest(image_request().source, Params(width=40, still=True), None)


def test_an_animation_with_a_damaged_frame_is_partial_and_its_stills_are_whole(bench: Bench) -> None:
    still = _put_animation_with_a_damaged_frame(bench)

    async def scenario() -> None:
        async with bench.service() as service:
            assert (await get(service)).variant.partial
            assert not (await get(service, still)).variant.partial

    asyncio.run(scenario())


def test_a_damaged_frame_of_an_animation_does_not_fail_its_stills(bench: Bench) -> None:
    still = _put_animation_with_a_damaged_frame(bench)

    async def scenario() -> None:
        async with bench.service(partial="refuse") as service:
            with pytest.raises(CorruptImage):
                await get(service)
            with pytest.raises(CorruptImage):
                service.lookup(image_request(), WEBP)
            assert is_miss(await get(service, still))

    asyncio.run(scenario())


def test_a_pixel_that_does_not_decode_fails_every_variant(bench: Bench) -> None:
    bench.put(pictures.png_without_pixels())

    async def scenario() -> None:
        async with bench.service() as service:
            with pytest.raises(CorruptImage):
                await get(service)
            with pytest.raises(CorruptImage):
                service.lookup(image_request(30), WEBP)

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


def test_the_facts_of_an_original_are_waited_for_as_long_as_a_request(bench: Bench, folder: Path) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with rendering(folder):
            bench.sockets = folder
            async with bench.service(request_timeout_s=1.0) as service:
                send_to_children(folder, signal.SIGSTOP)
                with pytest.raises(RenderTimeout, match="not ready"):
                    await service.describe(image_request().source)
                send_to_children(folder, signal.SIGCONT)

    asyncio.run(scenario())


def test_a_request_that_times_out_fails_but_its_render_is_kept(bench: Bench, folder: Path) -> None:
    bench.put(pictures.png())

    async def scenario() -> None:
        async with rendering(folder) as renderers:
            bench.sockets = folder
            async with bench.service(request_timeout_s=2.0) as service:
                await service.describe(image_request().source)
                send_to_children(folder, signal.SIGSTOP)
                with pytest.raises(RenderTimeout, match="not ready"):
                    await get(service)
                send_to_children(folder, signal.SIGCONT)
                await until(lambda: service.lookup(image_request(), WEBP), "the render is kept")
            assert renderers.lock_file.exists()

    asyncio.run(scenario())
