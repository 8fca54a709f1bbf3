import sys
from pathlib import Path

import pytest

from scripts.release_check import check_changelog, check_wheel, serve

CHANGELOG = "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n### Added\n\n* A thing.\n\n## 0.1.0 (2026-11-01)\n\n"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("0.2.0", "", id="a section"),
        pytest.param("0.1.0", "the section for 0.1.0 is empty", id="an empty one"),
        pytest.param("0.3.0", "CHANGELOG.md has no section for 0.3.0: write ## 0.3.0 (date)", id="none"),
        pytest.param("0.2", "CHANGELOG.md has no section for 0.2: write ## 0.2 (date)", id="the beginning of another"),
    ],
)
def test_a_version_needs_a_section_in_the_changelog(version: str, expected: str) -> None:
    assert check_changelog(CHANGELOG, version) == expected


def test_a_wheel_holds_the_package_and_nothing_else() -> None:
    tree = {"imgcdn/__init__.py", "imgcdn/py.typed"}
    metadata = {"imgcdn-0.1.0.dist-info/METADATA"}

    assert check_wheel(tree | metadata, tree) == []
    assert check_wheel({"imgcdn/__init__.py", "tests/x.py"} | metadata, tree) == [
        "imgcdn/py.typed is missing",
        "tests/x.py does not belong in it",
    ]


def test_an_installed_service_starts_serves_and_stops() -> None:
    assert serve(Path(sys.executable).parent) == ""


def test_the_folder_of_programs_may_be_relative(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Path(sys.executable).parent
    monkeypatch.chdir(programs.parent)

    assert serve(Path(programs.name)) == ""
