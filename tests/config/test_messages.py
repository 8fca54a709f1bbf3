"""What an operator is told: what is wrong, about the part that is wrong, and what to write instead."""

from typing import Any

import pytest

from imgcdn.config import Config, load
from imgcdn.core.request.rules import Preset, Rules
from imgcdn.core.request.widths import WidthPolicy, Widths
from tests.support.configs import mistakes
from tests.support.planning import RULES


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        pytest.param(
            "widths", "320 0 640", "IMGCDN_WIDTHS[1] must be an integer from 1 to 16383, not '0'", id="a width"
        ),
        pytest.param(
            "widths", "", "IMGCDN_WIDTHS must list widths in pixels, such as 320 640 1280, not ''", id="no widths"
        ),
        pytest.param("formats", "avif, webp", "IMGCDN_FORMATS[0] must be one of avif, webp, not 'avif,'", id="a comma"),
        pytest.param("formats", "avif avif", "IMGCDN_FORMATS[1] repeats avif; list each once", id="a repetition"),
        pytest.param(
            "allow_addresses",
            "10.0.0.0/99",
            "IMGCDN_ALLOW_ADDRESSES[0]: '10.0.0.0/99' is not a network such as 10.0.0.0/8",
            id="a network",
        ),
        pytest.param(
            "allow",
            "a.test ftp://b.test",
            "IMGCDN_ALLOW[1]: 'ftp://b.test': only https:// and http:// can be allowed",
            id="a pattern",
        ),
        pytest.param(
            "resolve",
            "img.test:443",
            "IMGCDN_RESOLVE[0]: 'img.test:443' is not HOST:PORT:ADDRESS, as in img.example:443:192.0.2.7",
            id="an address of a host",
        ),
        pytest.param(
            "mounts",
            "cms=https://a.test",
            "IMGCDN_MOUNTS.cms must be a path such as /cms",
            id="a mount without a slash",
        ),
        pytest.param(
            "mounts",
            "/cms=nowhere",
            "IMGCDN_MOUNTS./cms must lead to a base URL such as https://cms.internal/media; 'nowhere': must be a path "
            "or begin with https://",
            id="a mount that leads nowhere",
        ),
        pytest.param(
            "mounts",
            "/cms",
            "IMGCDN_MOUNTS must be a table, or a list such as /cms=https://cms.internal/media, not '/cms'",
            id="half a mount",
        ),
        pytest.param(
            "presets", "thumb=w=wide", "IMGCDN_PRESETS.thumb: w must be an integer from 1 to 999999999", id="a preset"
        ),
        pytest.param("presets", "a=w=1 a=w=2", "IMGCDN_PRESETS.a is there twice", id="a preset twice"),
        pytest.param(
            "presets",
            "thumb=p=other",
            "IMGCDN_PRESETS.thumb: p belongs to a request; a preset cannot have it",
            id="a preset in a preset",
        ),
        pytest.param(
            "bind", "8000", "IMGCDN_BIND must be HOST:PORT, [IPV6]:PORT or unix:/PATH, not '8000'", id="an address"
        ),
        pytest.param("workers", "0", "IMGCDN_WORKERS must be an integer from 1 to 256, not '0'", id="an integer"),
        pytest.param(
            "render_timeout_s",
            "1e2",
            "IMGCDN_RENDER_TIMEOUT_S must be a number of seconds from 0.1 to 600, not '1e2'",
            id="seconds",
        ),
        pytest.param(
            "cache_max_bytes",
            "5TB",
            "IMGCDN_CACHE_MAX_BYTES must be a number of bytes, such as 500000, 512MB or 2GiB, not '5TB'",
            id="bytes",
        ),
        pytest.param(
            "cache_control",
            "no-store\r\nX: y",
            "IMGCDN_CACHE_CONTROL must be the value of an HTTP header, in visible ASCII characters and spaces, "
            "not 'no-store\\r\\nX: y'",
            id="a header",
        ),
        pytest.param("save_data", "on", "IMGCDN_SAVE_DATA must be true or false, not 'on'", id="a switch"),
        pytest.param("effort", "settled", "IMGCDN_EFFORT must be one of fast, thorough, not 'settled'", id="a choice"),
        pytest.param("root", "", "IMGCDN_ROOT must be text, not ''", id="an empty text"),
        pytest.param("work", "1", "IMGCDN_WORK is not a setting; did you mean workers?", id="an unknown setting"),
    ],
)
def test_the_message_says_what_is_wrong_and_what_to_write(name: str, raw: str, expected: str) -> None:
    assert mistakes(environ={f"IMGCDN_{name.upper()}": raw}) == (expected,)


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        pytest.param(
            "formats", [["avif"]], "--formats[0] must be one of avif, webp, not ['avif']", id="a list in a list"
        ),
        pytest.param("formats", {"a": 1}, "--formats must be a list, not {'a': 1}", id="a table for a list"),
        pytest.param(
            "widths", [True], "--widths[0] must be an integer from 1 to 16383, not True", id="true for a width"
        ),
        pytest.param("presets", {"a": 5}, "--presets.a must be text, not 5", id="a number for parameters"),
        pytest.param("allow", [5], "--allow[0] must be text, not 5", id="a number for a pattern"),
    ],
)
def test_the_message_names_the_part_of_a_value_from_a_file(name: str, raw: object, expected: str) -> None:
    assert mistakes({name: raw}) == (expected,)


def test_every_item_that_is_wrong_is_named() -> None:
    assert mistakes({"widths": "0 320 -1"}) == (
        "--widths[0] must be an integer from 1 to 16383, not '0'",
        "--widths[2] must be an integer from 1 to 16383, not '-1'",
    )


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
            ["--presets.: a preset's name must be up to 64 letters, digits, dots, underscores or hyphens"],
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
            {"presets": "a=w=9", "width_policy": "strict", "widths": "320"},
            ["presets.a: w must be one of 320"],
            id="not a step",
        ),
        pytest.param(
            {"width_policy": "snap", "max_dimension": "800"},
            ["widths must not be above max_dimension, which is 800; 3840 is"],
            id="widths out of reach",
        ),
        pytest.param({"params": "some"}, ["--params must be one of any, presets, not 'some'"], id="params"),
    ],
)
def test_a_preset_or_a_ladder_that_cannot_work_is_told_at_start(settings: dict[str, Any], expected: list[str]) -> None:
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
