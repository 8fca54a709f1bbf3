"""Files from other projects' test suites, where they are at hand: everything renders or is refused by name."""

import contextlib
import io
import itertools
from pathlib import Path

import pytest

from imgcdn.core.params import Params
from imgcdn.core.plan import Limits, plan_for
from imgcdn.core.values import Facts
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from imgcdn.errors import ImageError, UnsupportedImage
from tests.engine.variants import MAX_PIXELS, film, total_ms

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

_IMAGES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif")


def _files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (CORPUS / folder).glob("*") if path.is_file())


def _table(files: list[Path]) -> list[object]:
    return [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in files]


def _facts(original: bytes) -> Facts:
    return probe(io.BytesIO(original), max_pixels=MAX_PIXELS)


def _decodes(original: bytes, params: Params) -> None:
    """Render, and hold the result against the plan and against a decoder."""
    plan = plan_for(_facts(original), params, (), Limits())
    encoded = render(io.BytesIO(original), plan)
    frames = film(encoded.body)
    assert {frame.image.size for frame in frames} == {plan.size}
    assert encoded.frames == len(frames)


if CORPUS.is_dir():
    _formats = itertools.cycle(["avif", "webp", "jpeg", "png", "gif"])

    @pytest.mark.parametrize(
        ("path", "fmt"),
        [
            pytest.param(path, next(_formats), id=f"{path.parent.name}/{path.name}")
            for path in _files("photos", "exif", "icc", "formats", "animated")
            if path.suffix in _IMAGES
        ],
    )
    def test_an_image_renders_or_is_refused(path: Path, fmt: str) -> None:
        with contextlib.suppress(ImageError):
            _decodes(path.read_bytes(), Params(width=160, format=fmt))

    @pytest.mark.parametrize("path", _table(_files("unsupported")))
    def test_an_unsupported_kind_is_named(path: Path) -> None:
        with pytest.raises(UnsupportedImage, match=r"The original is [A-Z]"):
            _facts(path.read_bytes())

    @pytest.mark.parametrize("path", _table(_files("corrupt")))
    def test_a_damaged_file_renders_whole_or_is_refused(path: Path) -> None:
        with contextlib.suppress(ImageError):
            _decodes(path.read_bytes(), Params(width=160, format="webp"))

    @pytest.mark.parametrize("fmt", ["webp", "gif"])
    @pytest.mark.parametrize("path", _table([path for path in _files("animated") if path.suffix == ".gif"]))
    def test_an_animated_gif_keeps_its_duration(path: Path, fmt: str) -> None:
        original = path.read_bytes()
        plan = plan_for(_facts(original), Params(width=80, format=fmt), (), Limits())
        encoded = render(io.BytesIO(original), plan)
        if encoded.frames > 1:
            assert total_ms(film(encoded.body)) == total_ms(film(original))
