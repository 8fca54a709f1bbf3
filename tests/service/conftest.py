"""Requirements of these tests."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.brokers import processes, until
from tests.support.services import Bench

# The tests find processes through /proc, which only Linux has.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_images*.py", "test_single_flight.py"]


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """Use one folder for the whole module, so that the next test can use the broker that still runs."""
    with tempfile.TemporaryDirectory(prefix="imgcdn-test-", dir="/tmp") as folder:  # mkdtemp makes it private
        yield Path(folder)
        asyncio.run(until(lambda: not processes(Path(folder)), "the broker has ended"))


@pytest.fixture
def bench(tmp_path: Path, sockets: Path) -> Bench:
    (tmp_path / "root").mkdir()
    return Bench(tmp_path / "root", tmp_path / "cache", sockets)
