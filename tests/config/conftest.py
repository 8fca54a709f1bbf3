"""Run each test of settings in its own folder, with originals at the default place and without IMGCDN_ variables."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sample_images").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("IMGCDN_")]:
        monkeypatch.delenv(name)
    return tmp_path
