"""
Files from the test suites of other projects, if they are present: each has the outcome in the table.

`tests/tables/corpus.tsv` has a row for every file: the size of its render with w=160 and fm=webp, with the number of
frames if there are several, or the slug of its error.
"""

import csv
import io
import itertools
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from imgcdn.core.output.plan import Limits, plan_for
from imgcdn.core.request.params import Params
from imgcdn.core.values import EncodedImage, Facts
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from imgcdn.errors import ImageError, InvalidParam, UnsupportedImage
from tests.support import pictures
from tests.support.paths import CORPUS, TABLES
from tests.support.planning import FAST, LIMITS
from tests.support.variants import MAX_PIXELS, decode_frames, psnr, render_image, total_ms

TABLE = TABLES / "corpus.tsv"

_GOOD = ("photos", "exif", "icc", "formats", "animated")

# A limit for a busy machine; on an idle one, the slowest of the corrupt files takes 0.1 s.
_MOST_SECONDS = 5.0


def _files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (CORPUS / folder).glob("*") if path.is_file())


def _table(files: list[Path]) -> list[object]:
    return [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in files]


def _facts(original: bytes) -> Facts:
    return probe(io.BytesIO(original), max_pixels=MAX_PIXELS)


def expected_outcomes() -> dict[str, str]:
    """Return the table: folder and name of a file -> its outcome."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["file"]: row["outcome"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}


def _render_and_check(original: bytes, params: Params, limits: Limits = LIMITS) -> EncodedImage:
    """Render, and check that the plan, the result and a decoder agree on the size and the frames."""
    plan = plan_for(_facts(original), params, (), limits)
    encoded = render(io.BytesIO(original), plan, FAST)
    frames = decode_frames(encoded.body)
    assert {frame.image.size for frame in frames} == {plan.size}
    assert encoded.frames == len(frames)
    return encoded


def _outcome(original: bytes, params: Params) -> str:
    try:
        encoded = _render_and_check(original, params)
    except (ImageError, InvalidParam) as error:
        return error.slug
    width, height = encoded.size
    return f"{width}x{height}" + (f" {encoded.frames} frames" if encoded.frames > 1 else "")


def _share_rendered(outcomes: list[str]) -> float:
    """Return the share of the files of supported kinds that rendered."""
    offered = [outcome for outcome in outcomes if outcome != UnsupportedImage.slug]
    return sum(outcome[0].isdigit() for outcome in offered) / len(offered)


def test_nearly_all_good_files_of_supported_kinds_render() -> None:
    outcomes = [outcome for name, outcome in expected_outcomes().items() if name.startswith(_GOOD)]
    assert len(outcomes) > 150
    assert _share_rendered(outcomes) >= 0.95


def test_every_file_of_an_unsupported_kind_is_an_unsupported_image() -> None:
    assert {outcome for name, outcome in expected_outcomes().items() if name.startswith("unsupported/")} == {
        UnsupportedImage.slug
    }


@pytest.fixture(scope="module")
def upright() -> dict[int, Image.Image]:
    """Render one photograph from each of the orientations in which it is stored."""
    params = Params(width=160, format="png")
    return {way: render_image(pictures.oriented_photograph(way, (480, 320)), params) for way in range(1, 9)}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(range(1, 9), 2)))
def test_a_picture_looks_the_same_from_any_stored_orientation(
    one: int, other: int, upright: dict[int, Image.Image]
) -> None:
    assert psnr(upright[one], upright[other]) > 35


if CORPUS.is_dir():
    _formats = itertools.cycle(["avif", "jpeg", "png", "gif"])

    def test_the_table_has_a_row_for_every_file_and_no_other() -> None:
        assert {f"{path.parent.name}/{path.name}" for path in CORPUS.glob("*/*")} == set(expected_outcomes())

    @pytest.mark.parametrize("path", _table(_files(*_GOOD, "unsupported", "corrupt")))
    def test_a_file_renders_or_is_refused_as_the_table_says(path: Path) -> None:
        name = f"{path.parent.name}/{path.name}"
        start = time.monotonic()
        outcome = _outcome(path.read_bytes(), Params(width=160, format="webp"))
        assert time.monotonic() - start < _MOST_SECONDS
        assert f"{name}\t{outcome}" == f"{name}\t{expected_outcomes().get(name)}"

    @pytest.mark.parametrize(
        ("path", "fmt"),
        [
            pytest.param(path, next(_formats), id=f"{path.parent.name}/{path.name}")
            for path in _files(*_GOOD)
            if expected_outcomes().get(f"{path.parent.name}/{path.name}", "")[:1].isdigit()
        ],
    )
    def test_a_file_that_renders_as_webp_renders_in_the_other_formats(path: Path, fmt: str) -> None:
        limits = replace(LIMITS, animation_formats=("avif", "webp"))
        assert _render_and_check(path.read_bytes(), Params(width=160, format=fmt), limits).format == fmt

    @pytest.mark.parametrize("path", _table(_files("unsupported")))
    def test_the_error_names_the_unsupported_kind(path: Path) -> None:
        with pytest.raises(UnsupportedImage, match=r"The original is [A-Z]"):
            _facts(path.read_bytes())

    @pytest.mark.parametrize("path", _table(_files("exif")))
    def test_a_turned_photograph_matches_one_that_was_turned_and_then_resized(path: Path) -> None:
        original = path.read_bytes()
        image = render_image(original, Params(width=160, format="png"))
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(original)))
        assert psnr(image, upright.resize(image.size, Image.Resampling.LANCZOS)) > 35

    @pytest.mark.parametrize("fmt", ["webp", "gif"])
    @pytest.mark.parametrize("path", _table([path for path in _files("animated") if path.suffix == ".gif"]))
    def test_an_animated_gif_keeps_its_duration(path: Path, fmt: str) -> None:
        original = path.read_bytes()
        plan = plan_for(_facts(original), Params(width=80, format=fmt), (), LIMITS)
        encoded = render(io.BytesIO(original), plan, FAST)
        if encoded.frames > 1:
            assert total_ms(decode_frames(encoded.body)) == total_ms(decode_frames(original))
