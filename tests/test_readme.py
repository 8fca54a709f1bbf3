"""The tables of the README match the code."""

import re
from pathlib import Path

import pytest

from imgcdn.config import DECLARED, Config
from imgcdn.core.request.parameters import MAX_DIMENSION, PARAMETERS
from imgcdn.engine.colour import expand, to_srgb
from imgcdn.engine.render import STEPS, UPRIGHT_STEPS
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


#: Step of the pipeline -> its word in README.
STEP_WORDS = {
    "orient": "orient, rotate, flip",
    "resize": "resize",
    "adjust_brightness": "brightness",
    "adjust_contrast": "contrast",
    "adjust_saturation": "saturation",
    "remove_colour": "grayscale",
    "flatten": "bg",
    "blur": "blur",
    "sharpen": "sharpen",
    "pad": "pad",
}


def test_the_order_of_the_steps_is_that_of_the_pipeline() -> None:
    listed = " ".join(README.split()).partition("The order of the steps is always: ")[2].partition(".")[0]
    steps = [step.__name__ for step in (*UPRIGHT_STEPS, *STEPS) if step not in (expand, to_srgb)]

    assert [word for word in listed.split(", ") if word not in ("trim", "crop")] == [
        word for step in steps for word in STEP_WORDS[step].split(", ")
    ]
