"""Presets and widths: mistakes are reported at start, and the rules for parameters come from the settings."""

from typing import Any

import pytest

from imgcdn.config import Config, load
from imgcdn.core.request.rules import Preset, Rules
from imgcdn.core.request.widths import WidthPolicy, Widths
from tests.support.configs import mistakes
from tests.support.planning import RULES


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(
            {"presets": "a=w=0 b=fit=covr c=v=1"},
            [
                "--presets.a: w must be an integer from 1 to 999999999",
                "--presets.b: fit must be one of contain, cover, fill, pad; did you mean cover?",
                "--presets.c: v belongs to a request; a preset cannot have it",
            ],
            id="every preset's mistake",
        ),
        pytest.param(
            {"presets": "=w=1"},
            ["""--presets."": a preset's name must be up to 64 letters, digits, dots, underscores or hyphens"""],
            id="no name",
        ),
        pytest.param(
            {"presets": 5},
            ["--presets must be a table, or a list such as thumb=w=200&h=200&fit=cover, not 5"],
            id="a number",
        ),
        pytest.param(
            {"presets": "a=w=900", "max_dimension": "800"},
            ["presets.a: w must be an integer from 1 to 800"],
            id="beyond max_dimension",
        ),
        pytest.param(
            {"params": "presets"},
            ["params = presets needs presets; without one, every URL is refused"],
            id="presets alone, without one",
        ),
        pytest.param(
            {"width_policy": "snap", "max_dimension": "800"},
            [
                (
                    "widths must not be above max_dimension (800), but the largest is 3840; "
                    "set widths to the ones that you offer, or raise max_dimension"
                )
            ],
            id="widths out of reach",
        ),
        pytest.param({"params": "some"}, ["--params must be one of any, presets, not 'some'"], id="params"),
    ],
)
def test_a_preset_or_a_ladder_that_cannot_work_is_reported_at_start(
    settings: dict[str, Any], expected: list[str]
) -> None:
    assert list(mistakes(settings)) == expected


def test_the_rules_for_parameters_come_from_the_settings() -> None:
    given = {
        "presets": "a=w=9&h=8",
        "params": "presets",
        "widths": "9 8",
        "width_policy": "snap",
        "max_dimension": "99",
    }

    assert load(given, {}).request.rules == Rules(
        max_dimension=99,
        presets=(Preset("a", (("w", "9"), ("h", "8"))),),
        only_presets=True,
        widths=Widths(WidthPolicy.SNAP, (8, 9)),
        auto_target=75,
    )
    assert Config().request.rules == RULES
