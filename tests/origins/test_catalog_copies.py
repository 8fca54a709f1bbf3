"""What the catalogue keeps of an original, and what it removes: copies, records and variants in the store."""

import asyncio
import functools
import gc
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from imgcdn.core.output.keys import source_key
from imgcdn.core.values import Source
from imgcdn.errors import ImgcdnError, OriginError, Overloaded, RenderFailed, SourceNotFound
from imgcdn.origins.base import Answer, Original, Stop, Validators
from imgcdn.origins.http import HttpFetcher
from imgcdn.origins.local import LocalFetcher
from imgcdn.origins.negative import with_failed
from imgcdn.store.disk import DiskStore
from tests.support import origin as at
from tests.support import pictures
from tests.support.catalogs import PHOTO, Bench, record_of
from tests.support.stored import publish, variant_path


def _temporary(bench: Bench) -> list[Path]:
    return list((bench.folder / "cache" / "tmp").iterdir())


def test_the_copy_of_an_original_is_opened_after_a_restart(bench: Bench) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            first = await catalog.refresh(bench.source(), None)
            assert await catalog.open(bench.source(), first) is first.file
        async with bench.catalog() as restarted:
            again = await restarted.refresh(bench.source(), None)
            assert (again.record, again.file, again.origin_status) == (first.record, None, 0)
            file = await restarted.open(bench.source(), again)
            assert file is not None
            assert Path(str(file.path)).is_relative_to(bench.folder / "cache")
            assert Path(str(file.path)).read_bytes() == PHOTO

    asyncio.run(scenario())
    assert bench.origin.count("/a.jpg") == 1


def _remove(copy: Path) -> None:
    copy.unlink()


def _replace(copy: Path) -> None:
    copy.with_name("new").write_bytes(PHOTO)
    copy.with_name("new").rename(copy)


@pytest.mark.parametrize("lose", [pytest.param(_remove, id="evicted"), pytest.param(_replace, id="another file")])
def test_an_original_whose_copy_is_lost_is_fetched_again(bench: Bench, lose: object) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            original = await catalog.refresh(bench.source(), None)
            assert original.file is not None
            assert callable(lose)
            lose(Path(str(original.file.path)))
            known = Original(original.record)
            assert await catalog.open(bench.source(), known) is None
            again = await catalog.fetch_again(bench.source())
            assert again.record.version == original.record.version
            assert again.file is not None
            assert Path(str(again.file.path)).read_bytes() == PHOTO
            assert await catalog.open(bench.source(), Original(again.record)) is not None

    asyncio.run(scenario())
    assert bench.origin.count("/a.jpg") == 2


@pytest.mark.parametrize(
    ("cache_max_bytes", "cache_control"),
    [
        pytest.param(10**8, "no-store", id="the origin says no-store"),
        pytest.param(0, "max-age=600", id="nothing is kept"),
    ],
)
def test_an_original_that_is_not_stored_is_there_for_the_requests_that_wait(
    bench: Bench, cache_max_bytes: int, cache_control: str
) -> None:
    bench.origin.scripts["/a.jpg"] = at.respond(PHOTO, cache_control=cache_control)

    async def scenario() -> Path:
        async with bench.catalog(cache_max_bytes=cache_max_bytes) as catalog:
            original = await catalog.refresh(bench.source(), None)
            file = await catalog.open(bench.source(), original)
            assert file is not None
            assert Path(str(file.path)).read_bytes() == PHOTO
            return Path(str(file.path))

    path = asyncio.run(scenario())
    gc.collect()  # an error's traceback may be part of a cycle

    assert not path.exists()
    assert bench.store().record(source_key(bench.source())) is None
    assert bench.store().original(source_key(bench.source())) is None


def test_a_response_that_may_not_be_stored_removes_what_was_stored_before(bench: Bench) -> None:
    key = source_key(bench.source())

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            await catalog.refresh(bench.source(), None)
            assert publish(bench.store(), source=key)
            bench.origin.scripts["/a.jpg"] = at.respond(PHOTO, cache_control="no-store")
            bench.now += 601
            await catalog.refresh(bench.source(), None)

    asyncio.run(scenario())
    assert bench.store().record(key) is None
    assert not variant_path(bench.store(), source=key).exists()


@pytest.mark.parametrize("cache_control", ["no-store", "private, max-age=600"])
def test_a_304_that_forbids_storing_removes_what_was_stored_before(bench: Bench, cache_control: str) -> None:
    """A response to a validation may change the headers of the stored one (RFC 9111, section 4.3.4)."""
    key = source_key(bench.source())
    not_modified = at.respond(status=304, etag='"1"', cache_control=cache_control)
    bench.origin.scripts["/a.jpg"] = at.in_turn(
        at.respond(PHOTO, etag='"1"', cache_control="max-age=600"),
        not_modified,
        at.respond(PHOTO, etag='"1"', cache_control=cache_control),
    )

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            await catalog.refresh(bench.source(), None)
            assert publish(bench.store(), source=key)
            bench.now += 601
            original = await catalog.refresh(bench.source(), None)
            assert (original.origin_status, original.record.facts is not None) == (304, True)
            assert catalog.current(bench.source(), None) is None
            assert bench.store().record(key) is None
            assert await catalog.open(bench.source(), original) is None
            again = await catalog.fetch_again(bench.source())
            assert again.file is not None
            assert Path(str(again.file.path)).read_bytes() == PHOTO

    asyncio.run(scenario())
    assert bench.store().record(key) is None
    assert bench.store().original(key) is None
    assert not variant_path(bench.store(), source=key).exists()


class _FailingMeanwhile(HttpFetcher):
    """While an original is validated, a render of it fails."""

    def __init__(self, *arguments: Any, store: DiskStore, **others: Any) -> None:
        super().__init__(*arguments, **others)
        self._store = store

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        answer = super().fetch(source, known, into=into, stop=stop)
        record = self._store.record(source_key(source))
        if record is not None:
            with self._store.open_folder(source_key(source)) as folder:
                failed = with_failed(record, "key", RenderFailed("crash"), now=answer.received_at)
                self._store.save_record(folder, failed)
        return answer


@pytest.mark.parametrize("etag", ['"1"', ""], ids=["a 304", "a 200 with the same bytes"])
def test_a_validation_keeps_the_failures_that_are_remembered_meanwhile(bench: Bench, etag: str) -> None:
    bench.origin.scripts["/a.jpg"] = at.validated(PHOTO, etag=etag)
    fetcher = cast("type[HttpFetcher]", functools.partial(_FailingMeanwhile, store=bench.store()))

    async def scenario() -> None:
        async with bench.catalog(default_ttl=100, http_fetcher=fetcher) as catalog:
            await catalog.refresh(bench.source(), None)
            bench.now += 101
            again = await catalog.refresh(bench.source(), None)
            assert again.origin_status == (304 if etag else 200)
            assert [each.key for each in again.record.failed] == ["key"]

    asyncio.run(scenario())
    record = bench.store().record(source_key(bench.source()))
    assert record is not None
    assert [each.key for each in record.failed] == ["key"]


def test_a_304_keeps_version_copy_and_variants_and_begins_a_new_lifetime(bench: Bench) -> None:
    key = source_key(bench.source())
    bench.origin.scripts["/a.jpg"] = at.validated(PHOTO, etag='"1"')

    async def scenario() -> None:
        async with bench.catalog(default_ttl=100) as catalog:
            first = await catalog.refresh(bench.source(), None)
            assert publish(bench.store(), source=key)
            for _ in range(2):
                bench.now += 101
                assert catalog.current(bench.source(), None) is None
                again = await catalog.refresh(bench.source(), None)
                assert again.origin_status == 304
                assert (again.record.version, again.record.facts) == (first.record.version, first.record.facts)
                assert record_of(catalog.current(bench.source(), None)) == again.record
                file = await catalog.open(bench.source(), again)
                assert file is not None
                assert Path(str(file.path)).read_bytes() == PHOTO

    asyncio.run(scenario())
    assert [request.headers.get("if-none-match") for request in bench.origin.requests] == [None, '"1"', '"1"']
    assert variant_path(bench.store(), source=key).exists()
    assert _temporary(bench) == []


def test_an_original_that_was_refused_is_fetched_without_conditions(bench: Bench) -> None:
    bench.origin.scripts["/a.jpg"] = at.validated(b"no picture", etag='"1"')

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            assert (await catalog.refresh(bench.source(), None)).record.facts is None
            bench.now += 61
            assert (await catalog.refresh(bench.source(), None)).record.facts is None
            assert _temporary(bench) == []

    asyncio.run(scenario())
    assert bench.origin.count("/a.jpg") == 2
    assert all("if-none-match" not in request.headers for request in bench.origin.requests)


class _Unmodified(HttpFetcher):
    """An HTTP fetcher that reports every original as unchanged."""

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        return replace(super().fetch(source, known, into=into, stop=stop), modified=False)


def test_a_fetcher_that_reports_an_unknown_original_as_unchanged_is_an_origin_error(bench: Bench) -> None:
    async def scenario() -> None:
        async with bench.catalog(http_fetcher=_Unmodified) as catalog:
            with pytest.raises(OriginError):
                await catalog.refresh(bench.source(), None)

    asyncio.run(scenario())
    assert _temporary(bench) == []


@pytest.mark.parametrize(
    ("script", "error", "stays"),
    [
        pytest.param(at.respond(status=404), SourceNotFound, False, id="404"),
        pytest.param(at.respond(status=500), OriginError, True, id="500"),
        pytest.param(at.half(PHOTO), OriginError, True, id="half a body"),
    ],
)
def test_variants_go_with_an_original_that_is_gone_and_outlast_every_other_failure(
    bench: Bench, script: at.Script, error: type[ImgcdnError], stays: bool
) -> None:
    key = source_key(bench.source())

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            first = (await catalog.refresh(bench.source(), None)).record
            assert publish(bench.store(), source=key)
            bench.origin.scripts["/a.jpg"] = script
            bench.now += 601
            with pytest.raises(error):
                await catalog.refresh(bench.source(), None)
            record = record_of(catalog.current(bench.source(), None))
            assert record is not None
            assert record.negative is not None
            assert record.negative.slug == error.slug
            assert record.facts == (first.facts if stays else None)

    asyncio.run(scenario())
    assert variant_path(bench.store(), source=key).exists() is stays
    assert (bench.store().original(key) is not None) is stays
    assert _temporary(bench) == []


def test_a_missing_file_is_not_remembered(bench: Bench) -> None:
    source = Source("local", "a.jpg")

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            with pytest.raises(SourceNotFound):
                await catalog.refresh(source, None)
            bench.put(source, PHOTO)
            assert (await catalog.refresh(source, None)).record.facts is not None

    asyncio.run(scenario())


def test_the_origin_is_asked_once_for_a_version_and_the_last_sixteen_are_remembered(bench: Bench) -> None:
    def seen(original: Original) -> tuple[str, ...]:
        assert original.record.origin is not None
        return original.record.origin.seen

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            assert seen(await catalog.refresh(bench.source(), None)) == ()
            for number in range(17):
                bench.now += 11
                latest = await catalog.refresh(bench.source(), str(number))
            assert seen(latest) == tuple(str(number) for number in range(1, 17))
            bench.now += 601
            assert seen(await catalog.refresh(bench.source(), "5")) == seen(latest)

    asyncio.run(scenario())


class _ReplacedOnce(LocalFetcher):
    """Finds a file that is replaced directly afterwards, the first time."""

    times = 1

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        answer = super().fetch(source, known, into=into, stop=stop)
        if self.times and answer.file is not None:
            self.times -= 1
            Path(str(answer.file.path)).write_bytes(pictures.png())
        return answer


class _ReplacedAlways(_ReplacedOnce):
    times = 10**6


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(bench: Bench) -> None:
    source = Source("local", "a.jpg")
    bench.put(source, PHOTO)

    async def scenario() -> None:
        async with bench.catalog(local_fetcher=_ReplacedOnce) as catalog:
            facts = (await catalog.refresh(source, None)).record.facts
            assert facts is not None
            assert facts.format == "png"
        async with bench.catalog(local_fetcher=_ReplacedAlways) as catalog:
            bench.put(source, PHOTO)
            with pytest.raises(Overloaded, match="keeps changing"):
                await catalog.refresh(source, None)

    asyncio.run(scenario())
