"""Crashes and deadlines while a header is read."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imgcdn.core.interest import ALWAYS, Interest
from imgcdn.core.output.geometry import Crop
from imgcdn.core.output.keys import variant_key
from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.params import Params
from imgcdn.errors import CorruptImage, ImgcdnError, InvalidParam, RenderFailed, RenderTimeout
from imgcdn.origins.base import Located
from imgcdn.origins.probing import ProbedOriginal, Prober
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import NO_CLAIM, Changed, Claim, Failed, FirstRender, Job, Outcome, Rendered
from imgcdn.store.files import unpack_header
from tests.support import pictures
from tests.support.brokers import beneath, connected, settings, stamp
from tests.support.planning import FAST, LIMITS


class _FailingClient(RenderClient):
    """Fails the first jobs, and then sends the others to real children."""

    def __init__(self, renderers: RenderClient, folder: Path, errors: list[ImgcdnError]) -> None:
        super().__init__(settings(), folder=folder)
        self._renderers = renderers
        self._errors = errors

    async def run(self, job: Job, claim: Claim = NO_CLAIM, interest: Interest = ALWAYS) -> Outcome:
        if self._errors:
            raise self._errors.pop(0)
        return await self._renderers.run(job, claim, interest)


def _probe(
    sockets: Path, tmp_path: Path, errors: list[ImgcdnError], first: FirstRender | None = None
) -> ProbedOriginal:
    path = tmp_path / "photo.png"
    path.write_bytes(pictures.png())

    async def scenario() -> ProbedOriginal:
        async with connected(sockets) as renderers:
            prober = Prober(_FailingClient(renderers, sockets, errors), max_pixels=10**6, timeout_s=20)
            probed = await prober.probe(Located(beneath(path), stamp(path)), version=None, first=first)
            assert probed is not None
            return probed

    return asyncio.run(scenario())


@pytest.mark.parametrize("error", [RenderFailed("crash"), RenderTimeout("too long")], ids=["a crash", "a deadline"])
def test_an_original_is_read_by_a_second_child_if_the_first_one_fails(
    sockets: Path, tmp_path: Path, error: ImgcdnError
) -> None:
    record = _probe(sockets, tmp_path, [error]).record
    assert record.facts is not None
    assert record.negative is None


@pytest.mark.parametrize(
    ("errors", "slug"),
    [
        pytest.param([RenderFailed("crash"), RenderFailed("crash")], CorruptImage.slug, id="two crashes"),
        pytest.param([RenderTimeout("too long"), RenderTimeout("too long")], RenderTimeout.slug, id="two deadlines"),
        pytest.param([RenderTimeout("too long"), RenderFailed("crash")], CorruptImage.slug, id="a deadline, a crash"),
        pytest.param([RenderFailed("crash"), RenderTimeout("too long")], RenderTimeout.slug, id="a crash, a deadline"),
    ],
)
def test_an_original_whose_header_cannot_be_read_is_at_fault(
    sockets: Path, tmp_path: Path, errors: list[ImgcdnError], slug: str
) -> None:
    record = _probe(sockets, tmp_path, errors).record
    assert record.facts is None
    assert record.negative is not None
    assert record.negative.slug == slug


def _first_render(temp: Path, **params: Any) -> FirstRender:
    return FirstRender(Params(**params), ("webp",), LIMITS, FAST, str(temp), 1_700_000_000)


def test_a_render_may_come_with_the_header(sockets: Path, tmp_path: Path) -> None:
    probed = _probe(sockets, tmp_path, [], _first_render(tmp_path / "temp", width=30))

    assert probed.record.facts is not None
    assert isinstance(probed.rendered, Rendered)
    plan = plan_for(probed.record.facts, Params(width=30), ("webp",), LIMITS)
    data = (tmp_path / "temp").read_bytes()
    header = unpack_header(data, len(data), key=variant_key(probed.record.version, plan))
    assert header is not None
    assert (header.format, header.size[0], probed.rendered.file_bytes) == ("webp", 30, len(data))


def test_a_render_that_is_refused_does_not_harm_the_header(sockets: Path, tmp_path: Path) -> None:
    probed = _probe(
        sockets, tmp_path, [], _first_render(tmp_path / "temp", crop=Crop(9_000, 0, 10, 10, relative=False))
    )

    assert probed.record.facts is not None
    assert isinstance(probed.rendered, Failed)
    assert isinstance(probed.rendered.error, InvalidParam)
    assert not (tmp_path / "temp").exists()


@pytest.mark.parametrize("error", [RenderFailed("crash"), RenderTimeout("too long")], ids=["a crash", "a deadline"])
def test_a_render_that_fails_with_the_header_blames_nobody_and_is_tried_by_itself(
    sockets: Path, tmp_path: Path, error: ImgcdnError
) -> None:
    probed = _probe(sockets, tmp_path, [error], _first_render(tmp_path / "temp", width=30))

    assert (probed.record.facts is not None, probed.record.negative) == (True, None)
    assert probed.rendered is None


class _Recording(RenderClient):
    """Keeps the jobs that it is given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(settings(), folder=folder)
        self.jobs: list[Job] = []

    async def run(self, job: Job, claim: Claim = NO_CLAIM, interest: Interest = ALWAYS) -> Outcome:
        self.jobs.append(job)
        return Changed()


@pytest.mark.parametrize(
    ("version", "size", "expected_s"),
    [
        pytest.param(None, 0, 3.0, id="the header alone"),
        pytest.param(None, 50_000_000, 28.0, id="50 MB to hash, at 2 MB a second"),
        pytest.param("12" * 32, 50_000_000, 3.0, id="50 MB that were hashed while they were fetched"),
    ],
)
def test_the_deadline_of_a_header_allows_for_hashing(
    folder: Path, small: Path, version: str | None, size: int, expected_s: float
) -> None:
    renderers = _Recording(folder)
    prober = Prober(renderers, max_pixels=10**6, timeout_s=20)
    located = Located(beneath(small), replace(stamp(small), size=size))
    assert asyncio.run(prober.probe(located, version=version)) is None
    assert [job.timeout_s for job in renderers.jobs] == [expected_s]
