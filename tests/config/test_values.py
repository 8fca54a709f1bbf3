import math
from pathlib import Path

import pytest

from imgcdn.config import load
from imgcdn.core.request.rules import Preset
from imgcdn.core.request.settings import ParamsPolicy
from imgcdn.core.request.widths import WidthPolicy
from imgcdn.core.setting import Secret
from imgcdn.renderers.settings import Allowance, cpu_count
from imgcdn.web.settings import AccessLog
from tests.support.configs import mistakes, value

A = Preset("a", (("w", "9"), ("h", "8")))
B = Preset("b", (("fm", "png"),))
SIXTY = Allowance(is_for_source=False, counts_seconds=False, amount=60)


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        pytest.param("bind", "0.0.0.0:80", "0.0.0.0:80", id="bind address"),
        pytest.param("bind", "localhost:0", "localhost:0", id="bind any port"),
        pytest.param("bind", "localhost:65535", "localhost:65535", id="bind the highest port"),
        pytest.param("bind", "[::1]:8000", "[::1]:8000", id="bind ipv6"),
        pytest.param("bind", "unix:/run/imgcdn.sock", "unix:/run/imgcdn.sock", id="bind socket"),
        pytest.param("workers", 1, 1, id="integer"),
        pytest.param("save_data", True, True, id="switch"),
        pytest.param("save_data", "true", True, id="switch as text"),
        pytest.param("save_data", "False", False, id="switch as text, capitalised"),
        pytest.param("auto_target", "40", 40, id="smallest target"),
        pytest.param("workers", "256", 256, id="integer as text"),
        pytest.param("max_dimension", "16383", 16_383, id="largest dimension"),
        pytest.param("cache_max_bytes", 0, 0, id="zero bytes"),
        pytest.param("cache_max_bytes", "500000", 500_000, id="bytes without a unit"),
        pytest.param("cache_max_bytes", "2kB", 2_000, id="kilobytes"),
        pytest.param("cache_max_bytes", "512MB", 512_000_000, id="megabytes"),
        pytest.param("cache_max_bytes", "3 GB", 3_000_000_000, id="gigabytes after a space"),
        pytest.param("cache_max_bytes", "1KiB", 1_024, id="kibibytes"),
        pytest.param("cache_max_bytes", "1mib", 1_048_576, id="mebibytes in lower case"),
        pytest.param("cache_max_bytes", "2GiB", 2_147_483_648, id="gibibytes"),
        pytest.param("render_timeout_s", 5, 5.0, id="whole seconds"),
        pytest.param("render_timeout_s", 2.5, 2.5, id="seconds"),
        pytest.param("fetch_timeout_s", 0.1, 0.1, id="fewest seconds"),
        pytest.param("fetch_timeout_s", "600", 600.0, id="most seconds"),
        pytest.param("render_timeout_s", "0.25", 0.25, id="seconds as text"),
        pytest.param("formats", ["webp", "avif"], ("webp", "avif"), id="list"),
        pytest.param("formats", "webp avif", ("webp", "avif"), id="list as text"),
        pytest.param("formats", "  webp ", ("webp",), id="list of one as text"),
        pytest.param("formats", "", (), id="empty list as text"),
        pytest.param("formats", [], (), id="empty list"),
        pytest.param("access_log", "off", AccessLog.OFF, id="choice"),
        pytest.param("widths", [640, 320, 640], (320, 640), id="widths, sorted"),
        pytest.param("widths", "640 320", (320, 640), id="widths as text"),
        pytest.param("width_policy", "snap", WidthPolicy.SNAP, id="width policy"),
        pytest.param("params", "any", ParamsPolicy.ANY, id="any parameters"),
        pytest.param("presets", "a=w=9&h=8 b=fm=png", (A, B), id="presets as text"),
        pytest.param("presets", {"a": "w=9&h=8", "b": "fm=png"}, (A, B), id="presets as a table"),
        pytest.param("presets", {}, (), id="no presets"),
        pytest.param("presets", '{"a": "w=9&h=8", "b": "fm=png"}', (A, B), id="presets as JSON"),
        pytest.param("budget", {"client_variants": 60}, (SIXTY,), id="a budget as an integer"),
        pytest.param("budget", {"client_variants": "60"}, (SIXTY,), id="a budget as text"),
        pytest.param("budget", "client_variants=60", (SIXTY,), id="a budget as a list"),
        pytest.param("budget", '{"client_variants": 60}', (SIXTY,), id="a budget as JSON"),
    ],
)
def test_a_value_is_read(name: str, raw: object, expected: object) -> None:
    assert value(load({name: raw}, {}), name) == expected
    if isinstance(raw, str):
        assert value(load(environ={f"IMGCDN_{name.upper()}": raw}), name) == expected


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        pytest.param("bind", "8000", id="bind port alone"),
        pytest.param("bind", ":8000", id="bind without a host"),
        pytest.param("bind", "localhost:", id="bind without a port"),
        pytest.param("bind", "localhost:65536", id="bind port out of range"),
        pytest.param("bind", "localhost:\N{ARABIC-INDIC DIGIT EIGHT}0", id="bind port in another script"),
        pytest.param("bind", "::1:8000", id="bind ipv6 without brackets"),
        pytest.param("bind", "http://localhost:8000", id="bind a url"),
        pytest.param("bind", "unix:relative", id="bind relative path of a socket"),
        pytest.param("bind", "unix:/", id="bind the root folder"),
        pytest.param("bind", "", id="bind empty"),
        pytest.param("bind", 8000, id="bind a number"),
        pytest.param("root", 5, id="folder a number"),
        pytest.param("root", "", id="folder empty"),
        pytest.param("root", "a\0b", id="folder with a NUL"),
        pytest.param("root", "~no-user-of-this-name/a", id="folder of an unknown user"),
        pytest.param("workers", 0, id="integer below its range"),
        pytest.param("workers", 257, id="integer above its range"),
        pytest.param("auto_target", 39, id="target below its range"),
        pytest.param("auto_target", 91, id="target above its range"),
        pytest.param("save_data", "on", id="switch of another word"),
        pytest.param("save_data", 1, id="switch a number"),
        pytest.param("workers", True, id="integer a bool"),
        pytest.param("workers", 2.0, id="integer a float"),
        pytest.param("workers", "2.0", id="integer a decimal as text"),
        pytest.param("workers", " 2", id="integer after a space"),
        pytest.param("workers", "1_0", id="integer with an underscore"),
        pytest.param("workers", "", id="integer empty"),
        pytest.param("workers", "9" * 5000, id="integer of five thousand digits"),
        pytest.param("workers", {"count": 2}, id="integer a table"),
        pytest.param("cache_max_bytes", -1, id="bytes negative"),
        pytest.param("cache_max_bytes", True, id="bytes a bool"),
        pytest.param("cache_max_bytes", 1.5, id="bytes a float"),
        pytest.param("cache_max_bytes", "1.5GB", id="bytes a decimal"),
        pytest.param("cache_max_bytes", "5TB", id="bytes of an unknown unit"),
        pytest.param("cache_max_bytes", "GB", id="bytes without a number"),
        pytest.param("render_timeout_s", 0, id="seconds below their range"),
        pytest.param("fetch_timeout_s", 600.5, id="seconds above their range"),
        pytest.param("render_timeout_s", math.nan, id="seconds not a number"),
        pytest.param("request_timeout_s", math.inf, id="infinite seconds"),
        pytest.param("request_timeout_s", "1e2", id="seconds with an exponent"),
        pytest.param("request_timeout_s", True, id="seconds a bool"),
        pytest.param("formats", {"avif": True}, id="list a table"),
        pytest.param("access_log", "none", id="choice of another word"),
        pytest.param("access_log", False, id="choice a bool"),
        pytest.param("log_format", ["text"], id="choice a list"),
    ],
)
def test_an_invalid_value_is_one_mistake_that_names_the_setting(name: str, raw: object) -> None:
    problems = mistakes({name: raw})

    assert len(problems) == 1
    assert problems[0].startswith("FOLDER must " if name == "root" else f"--{name.replace('_', '-')} must ")
    shown = "not a table" if isinstance(raw, dict) else "not a list" if isinstance(raw, list) else repr(raw)[:300]
    assert shown in problems[0]


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param("100000 100000\n", 1, id="one CPU"),
        pytest.param("20000 100000\n", 1, id="less than one CPU"),
        pytest.param("99900000 100000\n", None, id="more CPUs than the machine has"),
        pytest.param("max 100000\n", None, id="no limit"),
        pytest.param("", None, id="empty file"),
    ],
)
def test_the_cpu_quota_of_a_container_limits_the_number_of_cpus(share: str, expected: int | None) -> None:
    Path("cpu.max").write_text(share, encoding="ascii")
    all_cpus = cpu_count(Path("missing"))

    assert cpu_count(Path("cpu.max")) == (expected or all_cpus)


NEW, OLD = "2026:00112233445566778899aabbccddeeff", "2025:ffeeddccbbaa99887766554433221100"


def test_a_signing_key_can_be_in_a_file_or_in_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(f"{NEW}\n")
    monkeypatch.setenv("IMAGES_KEY", OLD)
    settings = tmp_path / "imgcdn.toml"
    settings.write_text(f'signing_keys = [{{ file = "{tmp_path}/key" }}, {{ env = "IMAGES_KEY" }}]')

    expected = value(load({"signing_keys": [NEW, OLD]}, environ={}), "signing_keys")
    assert value(load(environ={}, file=settings), "signing_keys") == expected
    as_json = f'[{{"file": "{tmp_path}/key"}}, "{OLD}"]'
    assert value(load(environ={"IMGCDN_SIGNING_KEYS": as_json}), "signing_keys") == expected


def test_the_token_can_be_in_a_file_or_in_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("of-the-operator-alone\n")
    monkeypatch.setenv("TOKEN", "of-the-operator-alone")
    settings = tmp_path / "imgcdn.toml"
    settings.write_text(f'admin_token = {{ file = "{tmp_path}/token" }}')

    expected = Secret("of-the-operator-alone")
    assert value(load(environ={}, file=settings), "admin_token") == expected
    assert value(load({"admin_token": {"env": "TOKEN"}}, environ={}), "admin_token") == expected
    assert value(load(environ={"IMGCDN_ADMIN_TOKEN": '{"env": "TOKEN"}'}), "admin_token") == expected
    assert value(load(environ={"IMGCDN_ADMIN_TOKEN": "of-the-operator-alone"}), "admin_token") == expected
    assert not value(load(environ={"IMGCDN_ADMIN_TOKEN": ""}), "admin_token")


def test_a_message_about_a_key_elsewhere_names_its_place_and_shows_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "long").write_text(NEW + "0" * 20_000)
    (tmp_path / "short").write_text("2026:0011")
    monkeypatch.delenv("IMAGES_KEY", raising=False)
    places = [*({"file": str(tmp_path / name)} for name in ("missing", "long", "short")), {"env": "IMAGES_KEY"}]
    told = [mistakes({"signing_keys": [OLD, place]})[0] for place in places]

    assert [line.startswith("--signing-keys[1] ") for line in told] == [True] * 4
    assert "which cannot be read: No such file or directory" in told[0]
    assert "which has more than 16,384 bytes" in told[1]
    assert "has a key of 16 bits" in told[2]
    assert "in the variable IMAGES_KEY, which is not set" in told[3]
    assert "0011" not in "".join(told).replace(str(tmp_path), "")
