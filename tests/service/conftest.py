"""Folders whose paths are short enough for sockets, and originals that take long."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import pictures

# How processes are found is Linux's way.
collect_ignore = [] if sys.platform == "linux" else ["test_renderers.py", "test_images.py", "test_flights.py"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that only this user can enter."""
    made = tempfile.mkdtemp(prefix="imgcdn-test-", dir="/tmp")  # mkdtemp makes it private
    yield Path(made)
    shutil.rmtree(made)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """An original that is rendered at once."""
    path = tmp_path / "small.png"
    path.write_bytes(pictures.png())
    return path


@pytest.fixture(scope="session")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An original of 64 million pixels: several seconds for any encoder, 192 MB decoded."""
    path = tmp_path_factory.mktemp("huge") / "huge.png"
    path.write_bytes(pictures.png(pictures.chart((8000, 8000))))
    return path
