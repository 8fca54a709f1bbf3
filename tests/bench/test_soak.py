"""The pictures of a soak, what agrees with them, and a soak of some seconds."""

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image

from bench.load.soak import soak
from bench.load.soaking.judgement import complaints
from bench.load.soaking.pictures import SIZE, Code, Shown, paint, read
from bench.load.soaking.truth import Truth
from tests.support.pictures import saved

CODES = [Code(0, 0), Code(255, 255), Code(7, 200), Code(115, 3)]


@pytest.mark.parametrize("code", CODES, ids=str)
@pytest.mark.parametrize("size", [SIZE, (60, 40), (600, 90), (60, 90)], ids=str)
@pytest.mark.parametrize(("form", "quality"), [("JPEG", 40), ("WEBP", 40), ("AVIF", 40), ("PNG", 100)])
def test_a_code_survives_every_size_and_format(code: Code, size: tuple[int, int], form: str, quality: int) -> None:
    picture = Image.open(io.BytesIO(paint(code))).resize(size, Image.Resampling.LANCZOS)

    assert read(saved(picture, form, quality=quality)) == Shown(size, code)


def test_other_pictures_have_no_code() -> None:
    assert read(saved(Image.new("RGB", (60, 40)), "PNG")).code is None
    assert read(saved(Image.new("RGB", (60, 40), (255, 255, 255)), "PNG")).code is None


@pytest.mark.parametrize(
    ("shown", "asked", "expected"),
    [
        pytest.param(Shown((60, 40), Code(3, 0)), 5.0, None, id="the first version"),
        pytest.param(Shown((60, 40), Code(3, 1)), 5.0, "shows version 1, and 1 is", id="one that has not come yet"),
        pytest.param(Shown((60, 40), Code(3, 1)), 10.5, None, id="the second version"),
        pytest.param(Shown((60, 40), Code(3, 0)), 10.5, None, id="the first one, just after the change"),
        pytest.param(Shown((60, 40), Code(3, 0)), 14.0, "shows version 0", id="a stale one"),
        pytest.param(Shown((60, 40), Code(4, 1)), 14.0, "shows source 4, not 3", id="a swapped one"),
        pytest.param(Shown((60, 40), None), 14.0, "no valid code", id="neither"),
        pytest.param(Shown((60, 41), Code(3, 1)), 14.0, "is (60, 41), not (60, 40)", id="another size"),
    ],
)
def test_a_picture_is_of_its_source_and_current(shown: Shown, asked: float, expected: str | None) -> None:
    truth = Truth(3, slack_s=2.0)
    truth.change(0, begins=0.0, ended=0.1)
    truth.change(1, begins=10.0, ended=10.1)
    found = truth.objection(shown, (60, 40), asked=asked, answered=asked + 0.2)

    assert (found is None) == (expected is None)
    assert expected is None or (found is not None and expected in found)


def test_a_short_soak_finds_nothing_wrong(folder: Path) -> None:
    lines: list[str] = []
    course, traffic = asyncio.run(soak(folder, 8.0, seed=1, report=lines.append))

    assert [each for each in complaints(course) if "run it for longer" not in each] == []
    assert course.samples[-1].renders > 20
    assert len(course.samples[-1].memory) >= 6, "master, two workers, broker, fork server, a child"
    assert course.kills["child"]
    assert len(lines) == len(course.samples)
    assert traffic.tally.statuses["200"] > 20
