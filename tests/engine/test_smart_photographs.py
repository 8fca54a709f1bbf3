"""
How often `position=smart` keeps the subject of photographs, which was marked by eye.

Each row of `tests/tables/subjects.tsv` has a photograph, the box of its subject in fractions of the upright picture,
and whether the scores were tuned on it. A photograph succeeds if two crops each keep four fifths of the box, or as much
of it as such a crop can contain: the square, and the one of 9:16 and 16:9 that cuts more.
"""

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from imgcdn.core.output.geometry import CENTER, Box, Fit, Position, Size, Smart
from imgcdn.core.request.params import Params
from imgcdn.engine.probe import probe
from tests.support.paths import ROOT
from tests.support.variants import MAX_PIXELS, resolved_plan

CORPUS = ROOT.parent / "shared" / "corpus"
TABLE = ROOT / "tests" / "tables" / "subjects.tsv"

SMART = Params(fit=Fit.COVER, position=Smart.SUBJECT)


@dataclass(frozen=True, slots=True)
class Marked:
    """
    A photograph of the table.

    Args:
        box: Box of its subject, in fractions.
        tuned: Whether the scores were tuned on it.
    """

    path: Path
    box: Box
    tuned: bool

    def keeps_subject(self, params: Params, ratio: Size) -> bool:
        """Tell whether a crop of this ratio keeps enough of the subject."""
        original = self.path.read_bytes()
        facts = probe(io.BytesIO(original), max_pixels=MAX_PIXELS)
        params = replace(params, width=ratio[0] * 20, height=ratio[1] * 20)
        crop = resolved_plan(original, params).crop or (0, 0, *facts.size)
        box = [edge * facts.size[axis % 2] for axis, edge in enumerate(self.box)]
        share = fits = 1.0
        for axis in (0, 1):
            length = box[axis + 2] - box[axis]
            share *= max(0.0, min(box[axis + 2], crop[axis + 2]) - max(box[axis], crop[axis])) / length
            fits *= min(length, crop[axis + 2] - crop[axis]) / length
        return share >= min(0.8, fits) - 0.005  # the marked boxes have two decimals

    def succeeds(self, position: Position | Smart) -> bool:
        """Tell whether both crops keep enough of the subject."""
        width, height = probe(io.BytesIO(self.path.read_bytes()), max_pixels=MAX_PIXELS).size
        narrow = (9, 16) if width >= height else (16, 9)
        params = replace(SMART, position=position)
        return all(self.keeps_subject(params, ratio) for ratio in ((9, 9), narrow))


def marked() -> list[Marked]:
    """Return the photographs of the table that are present on this machine."""
    found = []
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            path = next((base / row["file"] for base in (ROOT, CORPUS) if (base / row["file"]).is_file()), None)
            box = (float(row["left"]), float(row["top"]), float(row["right"]), float(row["bottom"]))
            if path:
                found.append(Marked(path, box, row["half"] == "tuned"))
    return found


SAMPLES = [one for one in marked() if one.path.is_relative_to(ROOT)]


@pytest.mark.parametrize("photograph", [pytest.param(one, id=one.path.name) for one in SAMPLES])
def test_the_subject_of_a_sample_is_kept(photograph: Marked) -> None:
    assert photograph.succeeds(Smart.SUBJECT)


def test_four_photographs_of_the_table_are_in_the_repository() -> None:
    assert len(SAMPLES) == 4


if CORPUS.is_dir():

    def test_a_smart_crop_keeps_the_subject_more_often_than_a_center_crop() -> None:
        photographs = marked()
        smart = [one for one in photographs if one.succeeds(Smart.SUBJECT)]
        center = [one for one in photographs if one.succeeds(CENTER)]
        assert len(photographs) == 20
        assert len(smart) >= 15
        assert len(center) < 15
        # This holds both for the ten photographs that the scores were tuned on and for the ten others.
        for tuned in (True, False):
            assert sum(one.tuned is tuned for one in smart) > sum(one.tuned is tuned for one in center)
