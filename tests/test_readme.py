"""The tables of the README match the code."""

import pytest

from imgcdn.core.request.parameters import MAX_DIMENSION, PARAMETERS
from scripts.tables import TABLES, with_tables
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


def test_the_default_of_max_dimension_is_the_limit_of_the_parameters() -> None:
    assert f"| `max_dimension` | `{MAX_DIMENSION}` |" in README
