"""Where failures of remote originals are remembered: in the process, and on disk only beside a good record."""

import asyncio
from pathlib import Path

import pytest

from imgcdn.core.output.keys import source_key
from imgcdn.errors import ImgcdnError, OriginError, SourceNotFound
from imgcdn.origins.base import Original
from tests.support import origin as at
from tests.support.catalogs import PHOTO, Bench, record_of
from tests.support.stored import publish, size_on_disk, variant_path


def _files(bench: Bench) -> list[Path]:
    return [
        path for name in ("current", "tmp", "trash") for path in (bench.folder / "cache" / name).resolve().rglob("*/*")
    ]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param(at.respond(status=404), SourceNotFound, id="404"),
        pytest.param(at.respond(status=500), OriginError, id="500"),
        pytest.param(at.half(PHOTO), OriginError, id="half a body"),
        pytest.param(at.respond(b"no picture", cache_control="max-age=600"), None, id="not a picture"),
    ],
)
def test_a_failure_of_an_unknown_source_leaves_nothing_on_disk(
    bench: Bench, script: at.Script, error: type[ImgcdnError] | None
) -> None:
    paths = [f"/{number}" for number in range(20)]
    bench.origin.scripts.update(dict.fromkeys(paths, script))

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            before = size_on_disk(bench.folder / "cache")
            for path in paths:
                if error is None:
                    assert (await catalog.refresh(bench.source(path), None)).record.facts is None
                else:
                    with pytest.raises(error):
                        await catalog.refresh(bench.source(path), None)
                record = record_of(catalog.current(bench.source(path), None))
                assert record is not None
                assert record.negative is not None
            assert _files(bench) == []
            shards = len(list((bench.folder / "cache" / "current").iterdir()))
            assert size_on_disk(bench.folder / "cache") - before <= shards * 4096
        async with bench.catalog() as restarted:
            assert restarted.current(bench.source(paths[0]), None) is None, "each process asks the origin"

    asyncio.run(scenario())


def test_a_failure_beside_a_good_record_is_on_disk_for_all_processes(bench: Bench) -> None:
    async def scenario() -> None:
        async with bench.catalog() as catalog:
            good = (await catalog.refresh(bench.source(), None)).record
            bench.origin.scripts["/a.jpg"] = at.respond(status=500)
            bench.now += 601
            with pytest.raises(OriginError):
                await catalog.refresh(bench.source(), None)
        async with bench.catalog() as restarted:
            record = record_of(restarted.current(bench.source(), None))
            assert record is not None
            assert record.negative is not None
            assert (record.version, record.facts) == (good.version, good.facts)

    asyncio.run(scenario())


def test_another_process_that_fetches_an_original_ends_the_failure(bench: Bench) -> None:
    bench.origin.scripts["/a.jpg"] = at.respond(status=404)

    async def scenario() -> None:
        async with bench.catalog() as catalog, bench.catalog() as other:
            with pytest.raises(SourceNotFound):
                await catalog.refresh(bench.source(), None)
            bench.put(bench.source(), PHOTO)
            fetched = await other.refresh(bench.source(), None)
            assert record_of(catalog.current(bench.source(), None)) == fetched.record

    asyncio.run(scenario())


def test_a_copy_that_cannot_be_fetched_again_is_not_asked_for_at_every_request(bench: Bench) -> None:
    key = source_key(bench.source())

    async def scenario() -> None:
        async with bench.catalog() as catalog:
            good = (await catalog.refresh(bench.source(), None)).record
            publish(bench.store(), source=key)
            bench.origin.scripts["/a.jpg"] = at.respond(status=500)
            for _ in range(3):
                with pytest.raises(OriginError):
                    await catalog.fetch_again(bench.source())
            assert bench.origin.count("/a.jpg") == 2
            assert record_of(catalog.current(bench.source(), None)) == good, "what is stored is still served"
            bench.now += 3
            bench.put(bench.source(), PHOTO)
            again = await catalog.fetch_again(bench.source())
            assert isinstance(again, Original)
            assert again.record.version == good.version

    asyncio.run(scenario())
    assert variant_path(bench.store(), source=key).exists()


def test_an_original_is_fetched_without_a_cache_folder_that_can_be_written(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    async def scenario() -> None:
        async with bench.catalog(cache_max_bytes=0) as catalog:
            original = await catalog.refresh(bench.source(), None)
            assert original.file is not None
            path = Path(str(original.file.path))
            assert path.read_bytes() == PHOTO
            assert path.parent.parent == tmp_path / "temporary"
            assert path.parent.stat().st_mode & 0o777 == 0o700

    asyncio.run(scenario())
