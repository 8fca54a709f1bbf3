"""Requirements of these tests."""

import sys
from pathlib import Path

import pytest

from tests.support.services import Bench

# The tests find processes through /proc, which only Linux has.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_images*.py", "test_single_flight.py"]


@pytest.fixture
def bench(tmp_path: Path, sockets: Path) -> Bench:
    (tmp_path / "root").mkdir()
    return Bench(tmp_path / "root", tmp_path / "cache", sockets)
