"""Crashes and deadlines while a header is read."""

import asyncio
from pathlib import Path

import pytest

from imgcdn.core.values import SourceRecord
from imgcdn.errors import CorruptImage, ImgcdnError, RenderFailed, RenderTimeout
from imgcdn.origins.base import Located
from imgcdn.origins.probing import Prober
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import Job, Outcome
from tests.support import pictures
from tests.support.brokers import rendering, settings, stamp


class _FailingClient(RenderClient):
    """Fails the first jobs, and then sends the others to real children."""

    def __init__(self, renderers: RenderClient, folder: Path, errors: list[ImgcdnError]) -> None:
        super().__init__(settings(), folder=folder)
        self._renderers = renderers
        self._errors = errors

    async def run(self, job: Job) -> Outcome:
        if self._errors:
            raise self._errors.pop(0)
        return await self._renderers.run(job)


def _probe(folder: Path, tmp_path: Path, errors: list[ImgcdnError]) -> SourceRecord:
    path = tmp_path / "photo.png"
    path.write_bytes(pictures.png())

    async def scenario() -> SourceRecord:
        async with rendering(folder) as renderers:
            prober = Prober(_FailingClient(renderers, folder, errors), max_pixels=10**6, timeout_s=20)
            record = await prober.probe(Located(path, stamp(path)), version=None)
            assert record is not None
            return record

    return asyncio.run(scenario())


def test_an_original_is_read_by_a_second_child_if_the_first_one_crashes(folder: Path, tmp_path: Path) -> None:
    record = _probe(folder, tmp_path, [RenderFailed("crash")])
    assert record.facts is not None
    assert record.negative is None


@pytest.mark.parametrize(
    ("errors", "slug"),
    [
        pytest.param([RenderFailed("crash"), RenderFailed("crash")], CorruptImage.slug, id="two crashes"),
        pytest.param([RenderTimeout("too long")], RenderTimeout.slug, id="a deadline"),
        pytest.param([RenderFailed("crash"), RenderTimeout("too long")], RenderTimeout.slug, id="a crash, a deadline"),
    ],
)
def test_an_original_whose_header_cannot_be_read_is_at_fault(
    folder: Path, tmp_path: Path, errors: list[ImgcdnError], slug: str
) -> None:
    record = _probe(folder, tmp_path, errors)
    assert record.facts is None
    assert record.negative is not None
    assert record.negative.slug == slug
