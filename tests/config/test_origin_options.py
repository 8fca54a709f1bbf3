"""Options of the allowlist and of mounts: how they are written, and that no message shows the value of a header."""

import json
from pathlib import Path

import pytest

from imgcdn.cli import main
from imgcdn.config import load
from imgcdn.core.request.origin_options import NO_OPTIONS, OriginHeader, OriginOptions
from tests.support.configs import mistakes, written

FILE = """
[[allow]]
pattern = "*.cdn.test"
[[allow]]
pattern = "https://images.test/**"
query = "drop"
stale = "always"
headers = { Referer = "https://www.test/", X-Key = { env = "KEY" } }
[mounts]
"/cms" = { base = "https://cms.test/media", headers = { authorization = { file = "token" } } }
"/plain" = "https://plain.test"
"""
AS_JSON = {
    "IMGCDN_ALLOW": json.dumps(
        [
            "*.cdn.test",
            {
                "pattern": "https://images.test/**",
                "query": "drop",
                "stale": "always",
                "headers": {"Referer": "https://www.test/", "X-Key": {"env": "KEY"}},
            },
        ]
    ),
    "IMGCDN_MOUNTS": json.dumps(
        {
            "/cms": {"base": "https://cms.test/media", "headers": {"authorization": {"file": "token"}}},
            "/plain": "https://plain.test",
        },
        indent=2,
    ),
}


@pytest.fixture(autouse=True)
def secrets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "s3cret key")
    (folder / "token").write_text("Bearer s3cret\n", encoding="ascii")


@pytest.mark.parametrize("layer", ["file", "variables"])
def test_options_are_read_from_a_file_and_from_variables(layer: str) -> None:
    config = load(environ={}, file=written(FILE)) if layer == "file" else load(environ=AS_JSON)

    plain, images = config.origins.allow
    cms, other = config.origins.mounts
    assert (plain.options, other.options) == (NO_OPTIONS, NO_OPTIONS)
    assert images.options == OriginOptions(
        (OriginHeader("Referer", "https://www.test/"), OriginHeader("X-Key", "s3cret key", ("env", "KEY"))),
        keeps_query=False,
        ignores_stale_rules=True,
    )
    assert cms.options == OriginOptions((OriginHeader("Authorization", "Bearer s3cret", ("file", "token")),))
    assert "s3cret" not in repr(config)


def test_check_shows_where_a_value_is_and_not_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(written(FILE))]) == 0

    shown = capsys.readouterr().out
    assert "s3cret" not in shown
    assert "www.test" not in shown
    assert (
        'allow = ["*.cdn.test", { pattern = "https://images.test/**", query = "drop", stale = "always", headers = '
        '{ Referer = "(not shown)", X-Key = { env = "KEY" } } }]'
    ) in shown
    assert (
        'mounts = { "/cms" = { base = "https://cms.test/media", headers = { Authorization = { file = "token" } } }, '
        '"/plain" = "https://plain.test/" }'
    ) in shown


def test_what_check_shows_is_no_value() -> None:
    file = written('allow = [{ pattern = "a.test", headers = { Referer = "(not shown)" } }]')

    assert mistakes(file=file) == (
        "written.toml: allow[0].headers.Referer is what `imgcdn check` shows in place of a value; write the value",
    )


def test_every_mistake_in_the_options_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    (Path.cwd() / "binary").write_bytes(b"Bearer s3cret\xff")
    (Path.cwd() / "lines").write_text("s3cret\ns3cret\n", encoding="ascii")
    monkeypatch.setenv("EMPTY", "")
    problems = mistakes(
        file=written("""
allow = [
  { pattern = "https://u:s3cret@a.test", query = "no", stale = "yes", headers = "s3cret" },
  { pattern = "https://a.test/x?id=1", query = "drop" },
  { query = "keep", header = "s3cret" },
  { pattern = "a.test", headers = { Host = "s3cret", CDN-Loop = "s3cret", Connection = "s3cret", Cookie = "s3cret" } },
  { pattern = "a.test", headers = { Authorization = "s3cret", authorization = "s3cret" } },
  [{ headers = "s3cret" }],
]
[mounts]
cms = { base = "https://b.test", headers = { X-A = "s3cret" } }
"/a" = { headers = { X-A = "s3cret\\r\\nX-B: c", X-C = 5, X-D = { env = "A", file = "B" }, X-E = { s3cret = "x" } } }
"/b" = { base = "https://c.test", headers = { X-F = { env = "UNSET" }, X-G = { env = "EMPTY" } } }
[mounts."/c"]
base = "https://c.test"
headers = { X-H = { file = "none" }, X-I = { file = "binary" }, X-J = { file = "lines" } }
""")
    )

    value = "the value of an HTTP header, in visible ASCII characters and spaces"
    forms = 'must be text, { env = "VARIABLE" } or { file = "PATH" }'
    known = "cannot be set; Authorization, Referer, User-Agent and names that begin with X- can"
    assert problems == tuple(
        f"written.toml: {problem}"
        for problem in [
            "allow[0].pattern: 'https://u:...@a.test' has a user name in the URL",
            "allow[0].query must be one of keep, drop, not 'no'",
            "allow[0].stale must be one of always, permitted, not 'yes'",
            'allow[0].headers must be a table such as { Authorization = { env = "CMS_AUTHORIZATION" } }',
            "allow[1].query must be keep, because the pattern has a query",
            "allow[2].pattern is missing",
            "allow[2].header is not an option; there are pattern, query, stale, headers",
            f"allow[3].headers.Host {known}",
            f"allow[3].headers.CDN-Loop {known}",
            f"allow[3].headers.Connection {known}",
            f"allow[3].headers.Cookie {known}",
            "allow[4].headers has Authorization twice; the case of letters makes no difference",
            "allow[5] must be text, not a list",
            "mounts.cms must be a path such as /cms",
            'mounts."/a".base is missing',
            f'mounts."/a".headers.X-A must be {value}',
            f'mounts."/a".headers.X-C {forms}',
            f'mounts."/a".headers.X-D {forms}',
            f'mounts."/a".headers.X-E {forms}',
            'mounts."/b".headers.X-F is in the variable UNSET, which is not set',
            f'mounts."/b".headers.X-G is in the variable EMPTY, which must hold {value}',
            'mounts."/c".headers.X-H is in the file none, which cannot be read: No such file or directory',
            f'mounts."/c".headers.X-I is in the file binary, which must hold {value}',
            f'mounts."/c".headers.X-J is in the file lines, which must hold {value}',
        ]
    )


@pytest.mark.parametrize("name", ["allow", "mounts"])
@pytest.mark.parametrize("raw", [{"pattern": "s3cret"}, [{"/cms": "s3cret"}], [["s3cret"]], {"/cms": ["s3cret"]}])
def test_a_setting_of_another_shape_is_not_shown(name: str, raw: object) -> None:
    assert "s3cret" not in "".join(mistakes({name: raw}))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param('a.test {"pattern": "b.test", "headers": {"Authorization": "s3cret"}}', id="beside a pattern"),
        pytest.param("[{'pattern': 'b.test', 'headers': {'Authorization': 's3cret'}}]", id="other quotes"),
        pytest.param('{"pattern": "b.test", "headers": {"Authorization": "s3cret"}}', id="no list"),
        pytest.param('["b.test", {"headers": {"Authorization": "s3cret"}}', id="no end"),
    ],
)
def test_a_variable_that_is_not_quite_json_is_not_shown(raw: str) -> None:
    for name in ("IMGCDN_ALLOW", "IMGCDN_MOUNTS"):
        assert "s3cret" not in "".join(mistakes(environ={name: raw}))


def test_a_flag_may_have_options() -> None:
    config = load({"allow": ["a.test", '{"pattern": "b.test", "query": "drop"}']}, {})

    assert [pattern.options.keeps_query for pattern in config.origins.allow] == [True, False]
