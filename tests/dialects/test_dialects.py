"""The table of dialects: the steps that CONTRIBUTING lists for a new dialect."""

from pathlib import Path

import pytest

from imgcdn import dialects
from imgcdn.dialects import DIALECTS
from imgcdn.dialects.base import Target
from imgcdn.errors import InvalidParam
from tests.support.paths import PACKAGE, ROOT
from tests.support.planning import RULES

NAMES = [dialect.__name__.rpartition(".")[2] for dialect in DIALECTS]  # type: ignore[attr-defined]  # modules have a name


def test_every_module_of_the_folder_is_in_the_table() -> None:
    modules = {path.stem for path in (PACKAGE / "dialects").glob("*.py")}

    assert modules - {"__init__", "base", "reading"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_dialect_has_tests_and_is_named_in_the_readme(name: str) -> None:
    assert Path(__file__).with_name(f"test_{name}.py").is_file()
    assert DIALECTS[NAMES.index(name)].PREFIX in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "raw", ["/img", "/img/a.jpg", "/img?url=/a.jpg", "/.netlify/images?url=/a.jpg", "/", "/-/healthz"]
)
def test_no_two_dialects_match_one_target(raw: str) -> None:
    assert sum(dialect.matches(Target.read(raw)) for dialect in DIALECTS) <= 1


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param("/img?url=/a.jpg&w=wide", 400, id="native: invalid value"),
        pytest.param("/img?w=9", 400, id="native: no url"),
        pytest.param("/.netlify/images?url=/a.jpg&w=wide", 404, id="netlify: invalid value"),
        pytest.param("/.netlify/images?w=9", 400, id="netlify: no url"),
    ],
)
def test_an_error_has_the_status_of_its_dialect(raw: str, status: int) -> None:
    with pytest.raises(InvalidParam) as caught:
        dialects.parse(Target.read(raw), RULES)

    assert caught.value.http_status == status
    assert caught.value.status == 400
