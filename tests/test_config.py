import math
import os
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from imgcdn.config import DEFAULT_FILE, Config, _cpu_count, load
from imgcdn.core.request.rules import Preset, Rules
from imgcdn.core.request.widths import WidthPolicy, Widths
from imgcdn.errors import ConfigError

A = Preset("a", (("w", "9"), ("h", "8")))
B = Preset("b", (("fm", "png"),))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder of its own with pictures at the default place, and without anybody's variables."""
    (tmp_path / "sample_images").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("IMGCDN_")]:
        monkeypatch.delenv(name)
    return tmp_path


def mistakes(
    flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(flags, environ or {}, file)
    return caught.value.problems


def written(text: str) -> Path:
    file = Path("written.toml")
    file.write_text(text, encoding="utf-8")
    return file


def test_without_settings_the_defaults_hold(folder: Path) -> None:
    config = load(environ={})

    assert config == Config()
    assert config.root == folder / "sample_images"
    assert config.cache_dir == folder / ".imgcdn-cache"


@pytest.mark.parametrize("field", [pytest.param(field, id=field.name) for field in fields(Config)])
def test_a_default_is_of_its_type_and_passes_its_own_parser(field: Any) -> None:
    default = getattr(Config(), field.name)
    kind = get_type_hints(Config)[field.name]

    assert isinstance(default, getattr(kind, "__origin__", kind))
    assert field.metadata["parse"](str(default) if isinstance(default, Path) else default) == default
    assert field.metadata["help"].endswith(".")


def test_flags_come_before_variables_before_the_file_before_defaults() -> None:
    file = written("workers = 3\nrender_queue = 3\nmax_waiting = 3\n")
    environ = {"IMGCDN_WORKERS": "4", "IMGCDN_RENDER_QUEUE": "4"}

    config = load({"workers": 5}, environ, file)

    assert (config.workers, config.render_queue, config.max_waiting, config.max_pixels) == (5, 4, 3, 64_000_000)


def test_a_flag_that_was_not_given_hides_nothing() -> None:
    assert load({"workers": None}, {"IMGCDN_WORKERS": "4"}).workers == 4


def test_the_file_in_the_current_folder_is_read_by_itself() -> None:
    Path(DEFAULT_FILE).write_text("workers = 7\n", encoding="utf-8")

    assert load(environ={}).workers == 7


def test_another_file_is_read_instead_of_it() -> None:
    Path(DEFAULT_FILE).write_text("workers = 7\n", encoding="utf-8")

    assert load(environ={}, file=written("render_queue = 8\n")).workers == Config().workers


def test_the_processs_own_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGCDN_WORKERS", "9")

    assert load().workers == 9


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        pytest.param("bind", "0.0.0.0:80", "0.0.0.0:80", id="bind address"),
        pytest.param("bind", "localhost:0", "localhost:0", id="bind any port"),
        pytest.param("bind", "[::1]:8000", "[::1]:8000", id="bind ipv6"),
        pytest.param("bind", "unix:/run/imgcdn.sock", "unix:/run/imgcdn.sock", id="bind socket"),
        pytest.param("workers", 1, 1, id="integer"),
        pytest.param("save_data", True, True, id="switch"),
        pytest.param("save_data", "true", True, id="switch as text"),
        pytest.param("save_data", "False", False, id="switch as text, with a capital"),
        pytest.param("auto_target", "40", 40, id="least target"),
        pytest.param("workers", "256", 256, id="integer as text"),
        pytest.param("max_dimension", "16383", 16_383, id="largest dimension"),
        pytest.param("cache_max_bytes", 0, 0, id="no bytes"),
        pytest.param("cache_max_bytes", "500000", 500_000, id="bytes without a unit"),
        pytest.param("cache_max_bytes", "2kB", 2_000, id="kilobytes"),
        pytest.param("cache_max_bytes", "512MB", 512_000_000, id="megabytes"),
        pytest.param("cache_max_bytes", "3 GB", 3_000_000_000, id="gigabytes after a space"),
        pytest.param("cache_max_bytes", "1KiB", 1_024, id="kibibytes"),
        pytest.param("cache_max_bytes", "1mib", 1_048_576, id="mebibytes in small letters"),
        pytest.param("cache_max_bytes", "2GiB", 2_147_483_648, id="gibibytes"),
        pytest.param("render_timeout_s", 5, 5.0, id="whole seconds"),
        pytest.param("render_timeout_s", 2.5, 2.5, id="seconds"),
        pytest.param("render_timeout_s", "0.25", 0.25, id="seconds as text"),
        pytest.param("formats", ["webp", "avif"], ("webp", "avif"), id="list"),
        pytest.param("formats", "webp avif", ("webp", "avif"), id="list as text"),
        pytest.param("formats", "  webp ", ("webp",), id="list of one as text"),
        pytest.param("formats", "", (), id="empty list as text"),
        pytest.param("formats", [], (), id="empty list"),
        pytest.param("access_log", "off", "off", id="choice"),
        pytest.param("widths", [640, 320, 640], (320, 640), id="widths, sorted"),
        pytest.param("widths", "640 320", (320, 640), id="widths as text"),
        pytest.param("width_policy", "snap", "snap", id="width policy"),
        pytest.param("params", "presets", "presets", id="presets alone"),
        pytest.param("presets", "a=w=9&h=8 b=fm=png", (A, B), id="presets as text"),
        pytest.param("presets", {"a": "w=9&h=8", "b": "fm=png"}, (A, B), id="presets as a table"),
        pytest.param("presets", {}, (), id="no presets"),
    ],
)
def test_a_value_is_read(name: str, raw: object, expected: object) -> None:
    assert getattr(load({name: raw}, {}), name) == expected
    if isinstance(raw, str):
        assert getattr(load(environ={f"IMGCDN_{name.upper()}": raw}), name) == expected


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        pytest.param("bind", "8000", id="bind port alone"),
        pytest.param("bind", ":8000", id="bind without a host"),
        pytest.param("bind", "localhost:", id="bind without a port"),
        pytest.param("bind", "localhost:65536", id="bind port beyond"),
        pytest.param("bind", "localhost:\N{ARABIC-INDIC DIGIT EIGHT}0", id="bind port in another script"),
        pytest.param("bind", "::1:8000", id="bind ipv6 without brackets"),
        pytest.param("bind", "http://localhost:8000", id="bind a url"),
        pytest.param("bind", "unix:relative", id="bind relative socket"),
        pytest.param("bind", "unix:/", id="bind the root folder"),
        pytest.param("bind", "", id="bind empty"),
        pytest.param("bind", 8000, id="bind a number"),
        pytest.param("root", 5, id="folder a number"),
        pytest.param("root", "", id="folder empty"),
        pytest.param("root", "a\0b", id="folder with a NUL"),
        pytest.param("root", "~nobody-of-this-name/a", id="folder of an unknown user"),
        pytest.param("workers", 0, id="integer below"),
        pytest.param("workers", 257, id="integer above"),
        pytest.param("auto_target", 39, id="target below"),
        pytest.param("auto_target", 91, id="target above"),
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
        pytest.param("render_timeout_s", 0, id="seconds below"),
        pytest.param("render_timeout_s", math.nan, id="seconds not a number"),
        pytest.param("request_timeout_s", math.inf, id="seconds without end"),
        pytest.param("request_timeout_s", "1e2", id="seconds with an exponent"),
        pytest.param("request_timeout_s", True, id="seconds a bool"),
        pytest.param("formats", "avif, webp", id="list with commas"),
        pytest.param("formats", ["avif", "avif"], id="list with a repetition"),
        pytest.param("formats", ["jpeg"], id="list of another format"),
        pytest.param("formats", [["avif"]], id="list of lists"),
        pytest.param("formats", [{"name": "avif"}], id="list of tables"),
        pytest.param("formats", {"avif": True}, id="list a table"),
        pytest.param("access_log", "none", id="choice of another word"),
        pytest.param("access_log", False, id="choice a bool"),
        pytest.param("log_format", ["text"], id="choice a list"),
    ],
)
def test_a_value_that_cannot_work_is_one_mistake_that_names_it(name: str, raw: object) -> None:
    problems = mistakes({name: raw})

    assert len(problems) == 1
    assert problems[0].startswith(f"--{name.replace('_', '-')} must ")
    assert repr(raw) in problems[0]


@pytest.mark.parametrize(
    ("layer", "start"),
    [
        pytest.param({"flags": {"log_format": "xml"}}, "--log-format must", id="flag"),
        pytest.param({"environ": {"IMGCDN_LOG_FORMAT": "xml"}}, "IMGCDN_LOG_FORMAT must", id="variable"),
    ],
)
def test_a_mistake_is_named_as_it_was_written(layer: dict[str, Any], start: str) -> None:
    assert mistakes(**layer)[0].startswith(start)


def test_a_mistake_in_the_file_is_named_with_the_file() -> None:
    assert mistakes(file=written("log_format = 'xml'\n"))[0].startswith("written.toml: log_format must be one of text")


def test_every_mistake_is_reported_at_once() -> None:
    file = written("workers = 0\nworker = 3\n")
    environ = {"IMGCDN_BIND": "nowhere", "IMGCDN_CASHE_DIR": "/tmp/cache"}  # noqa: S108 - only named

    problems = mistakes({"root": "missing", "render_timeout_s": 20, "request_timeout_s": 10}, environ, file)

    assert [problem.partition(" ")[0] for problem in problems] == [
        "written.toml:",
        "written.toml:",
        "IMGCDN_BIND",
        "IMGCDN_CASHE_DIR",
        "root:",
        "render_timeout_s",
    ]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("worker", "workers"), ("cachedir", "cache_dir"), ("max_pixel", "max_pixels"), ("zzz", None)],
)
def test_an_unknown_setting_is_a_mistake_that_names_the_nearest(name: str, nearest: str | None) -> None:
    expected = f"IMGCDN_{name.upper()} is not a setting" + (f"; did you mean {nearest}?" if nearest else "")

    assert mistakes(environ={f"IMGCDN_{name.upper()}": "1"}) == (expected,)


def test_a_table_of_the_file_is_an_unknown_setting() -> None:
    assert mistakes(file=written("[server]\nworkers = 2\n")) == ("written.toml: server is not a setting",)


@pytest.mark.parametrize(
    "name",
    [
        "IMGCDN_TEST_ALL",
        "IMGCDN_CONFIG",
        "PATH",
        "MY_IMGCDN_WORKERS",
        "imgcdn_workers",
        "CONFIG",
    ],
)
def test_a_variable_that_is_no_setting_of_ours_is_left_alone(name: str) -> None:
    assert load(environ={name: "1"}) == Config()


def test_what_kubernetes_sets_beside_a_service_of_our_name_is_left_alone() -> None:
    environ = {
        "IMGCDN_SERVICE_HOST": "10.0.0.7",
        "IMGCDN_SERVICE_PORT": "80",
        "IMGCDN_SERVICE_PORT_HTTP": "80",
        "IMGCDN_PORT": "tcp://10.0.0.7:80",
        "IMGCDN_PORT_80_TCP": "tcp://10.0.0.7:80",
        "IMGCDN_PORT_80_TCP_PROTO": "tcp",
        "IMGCDN_PORT_80_TCP_PORT": "80",
        "IMGCDN_PORT_80_TCP_ADDR": "10.0.0.7",
    }

    assert load(environ=environ) == Config()


def test_a_port_that_a_person_wrote_is_a_mistake() -> None:
    assert mistakes(environ={"IMGCDN_PORT": "8000"})[0].startswith("IMGCDN_PORT is not a setting")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"workers =", id="not TOML"),
        pytest.param(b"workers = 1\nworkers = 2\n", id="a key twice"),
        pytest.param(b"bind = '\xe9'", id="not UTF-8"),
    ],
)
def test_a_file_that_does_not_parse_is_a_mistake(content: bytes) -> None:
    Path("broken.toml").write_bytes(content)

    assert mistakes(file=Path("broken.toml"))[0].startswith("broken.toml: cannot be read")


@pytest.mark.parametrize("file", ["missing.toml", "sample_images"])
def test_a_file_that_was_named_must_be_there(file: str) -> None:
    assert mistakes(file=Path(file))[0].startswith(f"{file}: cannot be read")


def test_a_missing_root_names_the_folder_and_the_remedy(folder: Path) -> None:
    (problem,) = mistakes({"root": "missing"})

    assert problem == f"root: there is no folder {folder / 'missing'}; name one: imgcdn serve FOLDER"


def test_a_root_that_is_a_file_is_a_mistake() -> None:
    Path("picture.jpg").touch()

    assert mistakes({"root": "picture.jpg"})[0].startswith("root: there is no folder")


def test_a_value_that_was_refused_is_not_held_against_the_default() -> None:
    Path("sample_images").rmdir()

    assert [problem.partition(" ")[0] for problem in mistakes({"root": 5})] == ["--root"]


@pytest.mark.parametrize("cache_dir", ["sample_images", "sample_images/", ".", "..", "link", "sample_images/../."])
def test_a_cache_that_holds_the_originals_is_a_mistake(cache_dir: str) -> None:
    Path("link").symlink_to("sample_images", target_is_directory=True)

    (problem,) = mistakes({"cache_dir": cache_dir})

    assert problem.startswith("cache_dir: ")
    assert "holds the originals" in problem


@pytest.mark.parametrize("cache_dir", ["sample_images/.cache", "sample_images2", "elsewhere/cache"])
def test_a_cache_beside_or_beneath_the_originals_is_none(cache_dir: str, folder: Path) -> None:
    assert load({"cache_dir": cache_dir}, {}).cache_dir == folder / cache_dir


def test_a_render_may_not_take_longer_than_its_request() -> None:
    assert mistakes({"render_timeout_s": 11, "request_timeout_s": 10}) == (
        "render_timeout_s must not be above request_timeout_s",
    )


def test_a_tilde_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))

    assert load({"root": "~/sample_images"}, {}).root == folder / "sample_images"


def test_a_later_chdir_moves_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(root=Path("sample_images"), cache_dir=Path("a/../cache"))
    monkeypatch.chdir("/")

    assert (config.root, config.cache_dir) == (folder / "sample_images", folder / "cache")


def test_a_config_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().workers = 5  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param("100000 100000\n", 1, id="one CPU"),
        pytest.param("20000 100000\n", 1, id="less than one"),
        pytest.param("99900000 100000\n", None, id="more than there are"),
        pytest.param("max 100000\n", None, id="no limit"),
        pytest.param("", None, id="empty file"),
    ],
)
def test_a_containers_share_of_the_cpus_bounds_their_number(share: str, expected: int | None) -> None:
    Path("cpu.max").write_text(share, encoding="ascii")
    all_of_them = _cpu_count(Path("missing"))

    assert _cpu_count(Path("cpu.max")) == (expected or all_of_them)


@pytest.mark.parametrize(
    ("settings", "reasons"),
    [
        pytest.param({"presets": "thumb=w=wide"}, ["in 'thumb' w must be an integer"], id="a value"),
        pytest.param(
            {"presets": "a=w=0 b=fit=covr c=v=1"},
            ["in 'a' w must be", "in 'b' fit must be", "in 'c' v belongs to a request"],
            id="every preset's mistake",
        ),
        pytest.param({"presets": "a=w=1 a=w=2"}, ["a name is there twice"], id="a name twice"),
        pytest.param({"presets": "=w=1"}, ["a preset's name must be"], id="no name"),
        pytest.param({"presets": {"a": 5}}, ["w=200&fit=cover"], id="a number for parameters"),
        pytest.param({"presets": 5}, ["must be a list"], id="a number"),
        pytest.param({"presets": "a=w=900", "max_dimension": "800"}, ["a: w must be"], id="beyond max_dimension"),
        pytest.param(
            {"presets": "a=w=9", "width_policy": "strict", "widths": "320"},
            ["a: w must be one of 320"],
            id="not a step",
        ),
        pytest.param({"widths": ""}, ["must list widths"], id="no widths"),
        pytest.param({"widths": "320 0"}, ["from 1 to 16383"], id="a width of nothing"),
        pytest.param({"widths": [True]}, ["from 1 to 16383"], id="a width that is true"),
        pytest.param(
            {"width_policy": "snap", "max_dimension": "800"}, ["widths must not be above"], id="widths out of reach"
        ),
        pytest.param({"params": "some"}, ["any, presets"], id="params"),
    ],
)
def test_a_preset_or_a_ladder_that_cannot_work_is_told_at_start(settings: dict[str, Any], reasons: list[str]) -> None:
    [problem] = mistakes(settings)

    assert not [reason for reason in reasons if reason not in problem]


def test_the_rules_for_parameters_come_from_the_settings() -> None:
    given = {
        "presets": "a=w=9&h=8",
        "params": "presets",
        "widths": "9 8",
        "width_policy": "snap",
        "max_dimension": "99",
    }

    assert load(given, {}).rules == Rules(99, (A,), only_presets=True, widths=Widths(WidthPolicy.SNAP, (8, 9)))
    assert Config().rules == Rules()
