"""docs/security.md names, for each rule, a test that exists."""

import ast
import re

import pytest

from tests.support.paths import ROOT

_REFERENCES = re.findall(r"`([\w/]+\.py)::(\w+)` \|$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)
_RULES = re.findall(r"^\| (?!rule|---)", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)


def test_every_rule_names_a_test() -> None:
    assert len(_REFERENCES) == len(_RULES) > 70


@pytest.mark.parametrize(("file", "name"), _REFERENCES)
def test_the_test_of_a_rule_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
