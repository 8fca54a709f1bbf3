"""The README says what the code does."""

import pytest

from scripts.tables import TABLES, with_tables
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_each_table_is_the_codes(name: str) -> None:
    assert f"<!-- {name} -->\n{TABLES[name]()}\n<!-- {name} -->" in README, "run: .venv/bin/python -m scripts.tables"


def test_rewriting_changes_nothing() -> None:
    assert with_tables(README) == README
