"""What a message says to an operator: which part is wrong, why, and what to write instead."""

from pathlib import Path
from typing import Any

import pytest

from imgcdn.cli import main
from imgcdn.config import DECLARED, load
from tests.support.configs import mistakes

SECRET = "00112233445566778899aabbccddeeff"
KEY_HINT = "; write KID:HEX, with a key from `openssl rand -hex 32`"
NO_JSON = " must be valid JSON, because it has braces or brackets; write all entries as one JSON array or object"

#: Setting, a mistake that is typical of it as a variable gives it, and what follows the variable's name in the message.
TYPICAL = [
    ("path_prefix", "/images/", " must be a path such as /images, without a slash at its end, not '/images/'"),
    (
        "path_prefix",
        "/img",
        " must not begin with a path of the service (/img, /.netlify, /_image, /-, /favicon.ico), not '/img'",
    ),
    (
        "admin_token",
        "too short",
        " must have 16 to 1000 visible ASCII characters; `openssl rand -hex 32` makes one",
    ),
    (
        "admin_token",
        '{"env": "NOT_SET"}',
        " is in the variable NOT_SET, which is not set",
    ),
    ("trusted_proxies", "10.0.0.1/8", "[0]: '10.0.0.1/8' is an address within a network; write 10.0.0.0/8"),
    ("trusted_proxies", "unix", "[0]: 'unix' is not a network; write unix: for all clients of a Unix socket"),
    ("bind", "8000", " must be HOST:PORT, [IPV6]:PORT or unix:/PATH, not '8000'"),
    ("workers", "0", " must be an integer from 1 to 256, not '0'"),
    ("header_timeout_s", "10s", " must be a number of seconds from 0.1 to 600, not '10s'"),
    ("idle_timeout_s", "0", " must be a number of seconds from 0.1 to 600, not '0'"),
    ("write_timeout_s", "", " must be a number of seconds from 0.1 to 600, not ''"),
    ("max_connections", "none", " must be an integer from 1 to 1000000, not 'none'"),
    ("max_unsent_bytes", "32 M", " must be a number of bytes, such as 500000, 512MB or 2GiB, not '32 M'"),
    ("drain_timeout_s", "900", " must be a number of seconds from 0 to 600, not '900'"),
    ("max_age_s", "1h", " must be an integer from 0 to 31536000, not '1h'"),
    ("stale_while_revalidate", "-1", " must be an integer from 0 to 31536000, not '-1'"),
    ("stale_if_error", "7d", " must be an integer from 0 to 31536000, not '7d'"),
    (
        "cache_control",
        "no-store\r\nX: y",
        " must be the value of an HTTP header, in visible ASCII characters and spaces, not 'no-store\\r\\nX: y'",
    ),
    ("access_log", "none", " must be one of all, misses, off, not 'none'"),
    ("welcome", "yes", " must be one of auto, true, false, not 'yes'"),
    ("log_format", "JSON", " must be one of text, json, not 'JSON'"),
    ("root", "", " must be a path, not ''"),
    ("root", "~nobody-of-this-name", " must be a path whose ~ has a home folder, not '~nobody-of-this-name'"),
    ("allow", "a.test ftp://b.test", "[1]: 'ftp://b.test': only https:// and http:// can be allowed"),
    ("allow", "https://", "[0]: 'https://' names no host"),
    ("allow", "https://me@a.test", "[0]: 'https://me@a.test' has a user name in the URL"),
    ("allow", "https://me:s3cret@a.test", "[0]: 'https://me:...@a.test' has a user name in the URL"),
    ("allow", '["a.test", {"query": "drop"}]', "[1].pattern is missing"),
    (
        "allow",
        '["a.test"',
        f"{NO_JSON}: Expecting ',' delimiter: line 1 column 10 (char 9)",
    ),
    ("mounts", "cms=https://a.test", ".cms must be a path such as /cms"),
    ("mounts", "/cms//a=https://a.test", """."/cms//a" must be a path such as /cms"""),
    ("mounts", "/cms/.git=https://a.test", """."/cms/.git" must be a path such as /cms"""),
    (
        "mounts",
        "/cms=nowhere",
        """."/cms" must lead to a base URL such as https://cms.internal/media, not 'nowhere'""",
    ),
    (
        "mounts",
        "/cms=https://me@a.test",
        """."/cms" must lead to a base URL such as https://cms.internal/media; this one has a user name in the URL""",
    ),
    (
        "mounts",
        "/cms=https://",
        """."/cms" must lead to a base URL such as https://cms.internal/media; this one names no host""",
    ),
    (
        "mounts",
        "/cms=https://a.test/m?key=1",
        """."/cms" must lead to a base URL such as https://cms.internal/media; this one has a query""",
    ),
    (
        "allow",
        'a.test {"pattern": "b.test"}',
        f"{NO_JSON}: Expecting value: line 1 column 1 (char 0)",
    ),
    (
        "mounts",
        '{"/cms": ',
        f"{NO_JSON}: Expecting value: line 1 column 10 (char 9)",
    ),
    ("mounts", "/a=https://a.test /b", "[1] must be NAME=VALUE, such as /cms=https://cms.internal/media, not '/b'"),
    ("allow_addresses", "10.0.0.0/99", "[0]: '10.0.0.0/99' is not a network such as 10.0.0.0/8"),
    ("allow_addresses", "fd00::/8 10.0.0.7/8", "[1]: '10.0.0.7/8' is an address within a network; write 10.0.0.0/8"),
    ("resolve", "a.test:443", "[0]: 'a.test:443' is not HOST:PORT:ADDRESS, as in img.example:443:192.0.2.7"),
    ("fetchers", "0", " must be an integer from 1 to 1024, not '0'"),
    ("fetches_per_host", "0", " must be an integer from 1 to 1024, not '0'"),
    ("connect_timeout_s", "3s", " must be a number of seconds from 0.1 to 600, not '3s'"),
    ("read_timeout_s", "0", " must be a number of seconds from 0.1 to 600, not '0'"),
    ("fetch_timeout_s", "1e2", " must be a number of seconds from 0.1 to 600, not '1e2'"),
    ("max_redirects", "21", " must be an integer from 0 to 20, not '21'"),
    ("min_ttl", "1m", " must be an integer from 0 to 31536000, not '1m'"),
    ("default_ttl", "1.5", " must be an integer from 0 to 31536000, not '1.5'"),
    ("max_ttl", "99999999", " must be an integer from 0 to 31536000, not '99999999'"),
    ("max_pixels", "64M", " must be an integer from 1 to 178956970, not '64M'"),
    ("max_source_bytes", "1.5GB", " must be a number of bytes, such as 500000, 512MB or 2GiB, not '1.5GB'"),
    ("cache_dir", "", " must be a path, not ''"),
    ("cache_max_bytes", "5TB", " must be a number of bytes, such as 500000, 512MB or 2GiB, not '5TB'"),
    ("originals_max_bytes", "-1", " must be a number of bytes, such as 500000, 512MB or 2GiB, not '-1'"),
    ("min_free_bytes", "5%", " must be a number of bytes, such as 500000, 512MB or 2GiB, not '5%'"),
    ("formats", "avif, webp", "[0] must be one of avif, webp, not 'avif,'"),
    ("formats", "avif avif", "[1] repeats avif; list each once"),
    ("formats", "none", "[0] must be one of avif, webp; an empty list is [] in a file, and an empty variable"),
    ("max_dimension", "20000", " must be an integer from 1 to 16383, not '20000'"),
    ("width_policy", "round", " must be one of any, snap, strict, not 'round'"),
    ("widths", "320 0 640", "[1] must be an integer from 1 to 16383, not '0'"),
    ("widths", "", " is empty; list widths in pixels: [320, 640, 1280] in a file, 320 640 1280 in a variable"),
    ("presets", "thumb=w=wide", ".thumb: w must be an integer from 1 to 999999999"),
    ("presets", "thumb=p=other", ".thumb: p belongs to a request; a preset cannot have it"),
    ("presets", "a=w=1 thumb", "[1] must be NAME=VALUE, such as thumb=w=200&h=200&fit=cover, not 'thumb'"),
    ("presets", "a=w=1 a=w=2", "[1] repeats a; list each once"),
    ("params", "preset", " must be one of any, presets, not 'preset'"),
    ("auto_target", "95", " must be an integer from 40 to 90, not '95'"),
    (
        "signing_keys",
        SECRET,
        f"[0] has no colon between the key's id and the key{KEY_HINT}",
    ),
    (
        "signing_keys",
        f"a:{SECRET}0 b:{SECRET}",
        f"[0] has a key that is not an even number of hexadecimal digits{KEY_HINT}",
    ),
    ("require_signature", "yes", " must be true or false, not 'yes'"),
    ("save_data", "on", " must be true or false, not 'on'"),
    ("animation_formats", "gif", "[0] must be one of avif, webp, not 'gif'"),
    ("avif_min_pixels", "-1", " must be an integer from 0 to 1000000000, not '-1'"),
    ("avif_max_pixels", "20MP", " must be an integer from 0 to 1000000000, not '20MP'"),
    ("effort", "settled", " must be one of fast, thorough, not 'settled'"),
    ("thorough_s_per_megapixel", "0", " must be a number of seconds from 0.05 to 60, not '0'"),
    ("partial", "keep", " must be one of serve, refuse, not 'keep'"),
    ("color", "cmyk", " must be one of srgb, keep, not 'cmyk'"),
    ("avif_input", "maybe", " must be true or false, not 'maybe'"),
    ("renderers", "auto", " must be an integer from 1 to 256, not 'auto'"),
    ("budget", "client_variants=0", ".client_variants must be an integer from 1 to 999999999, not '0'"),
    ("renderer_memory_bytes", "4G", " must be a number of bytes, such as 500000, 512MB or 2GiB, not '4G'"),
    ("render_timeout_s", "601", " must be a number of seconds from 0.1 to 600, not '601'"),
    ("request_timeout_s", "inf", " must be a number of seconds from 0.1 to 600, not 'inf'"),
    ("max_waiting", "0", " must be an integer from 1 to 100000, not '0'"),
]


@pytest.mark.parametrize(("name", "raw", "end"), [pytest.param(*row, id=f"{row[0]}={row[1]}") for row in TYPICAL])
def test_the_message_says_what_is_wrong_and_what_to_write(name: str, raw: str, end: str) -> None:
    assert mistakes(environ={f"IMGCDN_{name.upper()}": raw}) == (f"IMGCDN_{name.upper()}{end}",)


def test_every_setting_has_a_row() -> None:
    # Any text may name a bundle; the message about one that is not there has a row below.
    assert {name for name, *_ in TYPICAL} == DECLARED.keys() - {"ca_bundle"}


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        pytest.param("formats", ["jpeg"], "--formats[0] must be one of avif, webp, not 'jpeg'", id="another format"),
        pytest.param(
            "formats", [["avif"]], "--formats[0] must be one of avif, webp, not a list", id="a list in a list"
        ),
        pytest.param(
            "formats",
            [{"name": "avif"}],
            "--formats[0] must be one of avif, webp, not a table",
            id="a table in a list",
        ),
        pytest.param("formats", {"a": 1}, "--formats must be a list, not a table", id="a table for a list"),
        pytest.param(
            "widths", [True], "--widths[0] must be an integer from 1 to 16383, not True", id="true for a width"
        ),
        pytest.param(
            "presets",
            {"a": 5},
            "--presets.a must be text such as w=200&h=200&fit=cover, not 5",
            id="a number for parameters",
        ),
        pytest.param(
            "budget",
            {"client_variants": True},
            "--budget.client_variants must be an integer from 1 to 999999999, not True",
            id="true for a budget",
        ),
        pytest.param(
            "budget",
            {"client_variant": 60},
            "--budget.client_variant is not a budget; there are client_variants, client_seconds, source_variants, "
            "source_seconds",
            id="the unknown name of a budget",
        ),
        pytest.param(
            "presets",
            ["a=w=1", 5],
            "--presets[1] must be NAME=VALUE, such as thumb=w=200&h=200&fit=cover, not 5",
            id="a number for a preset",
        ),
        pytest.param(
            "mounts",
            {"/cms": True},
            '--mounts."/cms" must be text such as https://cms.internal/media, not True',
            id="true for a base",
        ),
        pytest.param(
            "mounts",
            True,
            "--mounts must be a table, or a list such as /cms=https://cms.internal/media, not True",
            id="true for mounts",
        ),
        pytest.param(
            "signing_keys", {"a": SECRET}, "--signing-keys must be a list of KID:HEX", id="a table of keys, not shown"
        ),
        pytest.param(
            "signing_keys",
            [f"a:{SECRET}", 5],
            '--signing-keys[1] must be text such as KID:HEX, { file = "PATH" } or { env = "VARIABLE" }',
            id="a number for a key",
        ),
        pytest.param(
            "signing_keys",
            [f"a:{SECRET}", f"a:{SECRET}"],
            "--signing-keys[1] repeats the id a; give each key its own",
            id="an id twice",
        ),
        pytest.param("allow", [5], "--allow[0] must be text, not 5", id="a number for a pattern"),
        pytest.param(
            "workers",
            16**5_000,
            "--workers must be an integer from 1 to 256, not a value with too many digits",
            id="a number that Python does not write in decimal digits",
        ),
        pytest.param(
            "max_source_bytes",
            2**63,
            "--max-source-bytes must be at most 9223372036854775807 bytes, not 9223372036854775808",
            id="more bytes than a file can have",
        ),
        pytest.param(
            "bind",
            "unix:/" + "s" * 107,
            f"--bind must be the path of a socket in at most 107 bytes, not 'unix:/{'s' * 107}'",
            id="a socket's path longer than the system allows",
        ),
        pytest.param(
            "log_format",
            "x" * 1_000,
            f"--log-format must be one of text, json, not '{'x' * 299}...",
            id="a long text, of which the beginning is shown",
        ),
    ],
)
def test_the_message_names_the_part_of_a_value_from_a_file(name: str, raw: object, expected: str) -> None:
    assert mistakes({name: raw}) == (expected,)


def test_an_unknown_setting_is_reported_with_the_nearest() -> None:
    assert mistakes(environ={"IMGCDN_WORK": "1"}) == ("IMGCDN_WORK is not a setting; did you mean IMGCDN_WORKERS?",)
    assert mistakes({"work": "1"}) == ("--work is not a setting; did you mean workers?",)


def test_a_setting_of_an_earlier_version_is_reported_with_what_has_replaced_it() -> None:
    assert mistakes({"render_queue": "64"}) == (
        (
            "--render-queue was removed, so leave it out; "
            "a request is refused if its picture would not be ready within request_timeout_s"
        ),
    )


def test_every_entry_of_a_table_that_is_wrong_is_named() -> None:
    assert mistakes({"mounts": "/a=nowhere b=https://b.test /c /d=https://d.test /d=https://e.test"}) == (
        """--mounts."/a" must lead to a base URL such as https://cms.internal/media, not 'nowhere'""",
        "--mounts.b must be a path such as /cms",
        "--mounts[2] must be NAME=VALUE, such as /cms=https://cms.internal/media, not '/c'",
        "--mounts[4] repeats /d; list each once",
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(
            {"ca_bundle": "authorities.pem"},
            "ca_bundle: there is no file authorities.pem; name a PEM file, or leave ca_bundle out",
            id="a bundle that is not there",
        ),
        pytest.param(
            {"ca_bundle": "b" * 300},
            f"ca_bundle: there is no file {'b' * 300}; name a PEM file, or leave ca_bundle out",
            id="a bundle whose name is longer than a file system allows",
        ),
        pytest.param(
            {"min_ttl": 100, "default_ttl": 50},
            "min_ttl, default_ttl and max_ttl must ascend; they are 100, 50 and 31536000",
            id="a default below the least",
        ),
        pytest.param(
            {"require_signature": True},
            "require_signature needs signing_keys; without a key, no URL can be signed",
            id="signatures without keys",
        ),
        pytest.param(
            {"render_timeout_s": 11, "request_timeout_s": 10.5},
            "render_timeout_s must not be above request_timeout_s, which is 10.5; it is 11",
            id="a render beyond its request",
        ),
    ],
)
def test_settings_that_cannot_work_together_are_reported_with_their_values(
    settings: dict[str, Any], expected: str
) -> None:
    assert mistakes(settings) == (expected,)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param("missing.toml", "missing.toml: cannot be read: No such file or directory", id="no file"),
        pytest.param("sample_images", "sample_images: cannot be read: Is a directory", id="a folder"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_once(file: str, expected: str) -> None:
    assert mistakes(file=Path(file)) == (expected,)


def test_every_item_that_is_wrong_is_named() -> None:
    assert mistakes({"widths": "0 320 -1"}) == (
        "--widths[0] must be an integer from 1 to 16383, not '0'",
        "--widths[2] must be an integer from 1 to 16383, not '-1'",
    )


@pytest.mark.parametrize(
    "above",
    [
        pytest.param('[[allow]]\npattern = "a.test"', id="a list of tables"),
        pytest.param('[mounts."/cms"]\nbase = "https://a.test"', id="a table in a table"),
        pytest.param('[mounts]\n"/cms" = "https://a.test"', id="a table"),
    ],
)
def test_a_setting_below_a_table_is_told_to_go_above_it(above: str, tmp_path: Path) -> None:
    file = tmp_path / "imgcdn.toml"
    file.write_text(f"{above}\nbudget = {{ client_variants = 120 }}\n", encoding="utf-8")

    (mistake,) = mistakes(file=file)

    assert mistake.endswith("; if the setting budget is meant, write it above the first [table]")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("secret-" * 200, id="too long"),
        pytest.param("secret with spaces", id="spaces"),
        pytest.param("secret", id="short"),
        pytest.param("{secret-and-no-json}", id="a brace"),
        pytest.param(["secret-secret-secret"], id="a list"),
        pytest.param({"env": "SECRET", "file": "secret"}, id="two references"),
    ],
)
def test_no_message_and_no_text_shows_the_token(
    raw: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [message] = mistakes({"admin_token": raw})
    assert message.startswith(("--admin-token must be ", "--admin-token must have "))
    assert "secret" not in message

    monkeypatch.setenv("IMGCDN_ADMIN_TOKEN", "secret-secret-secret")
    assert "secret" not in repr(load().web)
    assert main(["check"]) == 0
    shown = capsys.readouterr().out
    assert '# admin_token = "..."  # IMGCDN_ADMIN_TOKEN\n' in shown
    assert "secret" not in shown
