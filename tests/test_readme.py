"""The tables of the README match the code."""

import re
from pathlib import Path

import pytest

from imgcdn.config import DECLARED, Config
from imgcdn.core.request.parameters import MAX_DIMENSION, PARAMETERS
from scripts.tables import TABLES, with_tables
from tests.support.configs import value
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_each_table_matches_the_code(name: str) -> None:
    assert f"<!-- {name} -->\n{TABLES[name]()}\n<!-- {name} -->" in README, "run: .venv/bin/python -m scripts.tables"


def test_writing_the_tables_again_changes_nothing() -> None:
    assert with_tables(README) == README


@pytest.mark.parametrize("name", [parameter.name for parameter in PARAMETERS])
def test_a_parameter_has_a_row(name: str) -> None:
    assert f"\n| `{name}` " in README


@pytest.mark.parametrize("name", DECLARED)
def test_a_setting_has_one_row(name: str) -> None:
    settings = README.split("<!-- settings -->")[1]

    assert settings.count(f"\n| `{name}` | ") == 1


@pytest.mark.parametrize("name", DECLARED)
def test_the_default_in_a_settings_row_is_read_as_that_default(name: str) -> None:
    written = re.search(rf"\n\| `{name}` \| `([^`]*)` \|", README)
    default = value(Config(), name)

    # "none" and "the CPUs" are in words. A folder is made absolute when the settings are composed.
    parsed = DECLARED[name][1].metadata["parse"](written[1]) if written else default
    assert (Path.cwd() / parsed if isinstance(parsed, Path) else parsed) == default


def test_the_largest_edge_of_the_parameters_is_the_settings() -> None:
    assert f"| `max_dimension` | `{MAX_DIMENSION}` |" in README
