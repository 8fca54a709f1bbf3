"""Paths of the files that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "imgcdn"
SAMPLES = ROOT / "sample_images"
TABLES = ROOT / "tests" / "tables"

#: Real images beside the checkout. Optional: a user's clone has none.
CORPUS = ROOT.parent / "shared" / "corpus"

#: Real images that once came out wrong, in a folder for each fault. Optional too.
CASES = ROOT.parent / "shared" / "cases"
