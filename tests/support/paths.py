"""Paths of the files that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "imgcdn"
SAMPLES = ROOT / "sample_images"
TABLES = ROOT / "tests" / "tables"

#: Real images beside the checkout. Optional: a user's clone has none.
CORPUS = ROOT.parent / "shared" / "corpus"

#: Files that once came out wrong, a folder each. Optional as well.
CASES = ROOT.parent / "shared" / "cases"
