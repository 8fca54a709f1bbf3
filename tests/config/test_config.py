import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from imgcdn.config import DECLARED, DEFAULT_FILE, ROOMS, Config, explain, load
from imgcdn.core.setting import word_of
from imgcdn.origins.settings import OriginSettings
from imgcdn.store.settings import StoreSettings
from tests.support.configs import mistakes, value, written
from tests.support.paths import PACKAGE, ROOT


def test_without_settings_the_defaults_apply(folder: Path) -> None:
    config = load(environ={})

    assert config == Config()
    assert config.origins.root == folder / "sample_images"
    assert config.store.cache_dir == folder / ".imgcdn-cache"


@pytest.mark.parametrize("name", DECLARED)
def test_a_default_has_the_declared_type_and_passes_its_parser(name: str) -> None:
    room, field = DECLARED[name]
    default = value(Config(), name)
    kind = get_type_hints(ROOMS[room])[name]
    written = word_of(default) if isinstance(default, Enum) else str(default) if isinstance(default, Path) else default

    assert isinstance(default, getattr(kind, "__origin__", kind))
    parsed = field.metadata["parse"](written)
    assert (Path.cwd() / parsed if isinstance(parsed, Path) else parsed) == default
    assert field.metadata["help"].endswith(".")


@pytest.mark.parametrize("name", [name for name in DECLARED if isinstance(value(Config(), name), Enum)])
def test_the_help_of_a_choice_names_every_word(name: str) -> None:
    default = value(Config(), name)
    help_text = DECLARED[name][1].metadata["help"]

    assert isinstance(default, Enum)
    assert not [word_of(each) for each in type(default) if f"`{word_of(each)}`" not in help_text]


def test_no_two_rooms_declare_a_setting_of_one_name() -> None:
    names = [field.name for kind in ROOMS.values() for field in fields(kind)]

    assert len(names) == len(set(names)) == len(DECLARED)


def test_every_room_with_settings_is_in_the_configuration() -> None:
    """If config.py forgets a settings.py, its settings have no effect."""
    written = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("settings.py")}
    composed = {Path(*kind.__module__.split(".")[1:]).with_suffix(".py").as_posix() for kind in ROOMS.values()}

    assert written == composed


def test_explain_gives_the_value_and_the_place_of_each_setting() -> None:
    file = written("workers = 3\nrenderers = 3\n")

    config, explained = explain({"workers": 5}, {"IMGCDN_MAX_WAITING": "4"}, file)

    values = {each.name: (each.value, each.given_by) for each in explained}
    assert list(values) == list(DECLARED)
    assert values["workers"] == (5, "--workers")
    assert values["max_waiting"] == (4, "IMGCDN_MAX_WAITING")
    assert values["renderers"] == (3, "written.toml: renderers")
    assert values["max_pixels"] == (config.origins.max_pixels, "")


def test_flags_override_variables_which_override_the_file_which_overrides_defaults() -> None:
    file = written("workers = 3\nrenderers = 3\nmax_waiting = 3\n")
    environ = {"IMGCDN_WORKERS": "4", "IMGCDN_RENDERERS": "4"}

    config = load({"workers": 5}, environ, file)

    assert tuple(value(config, name) for name in ("workers", "renderers", "max_waiting", "max_pixels")) == (
        5,
        4,
        3,
        64_000_000,
    )


def test_an_absent_flag_overrides_nothing() -> None:
    assert load({"workers": None}, {"IMGCDN_WORKERS": "4"}).web.workers == 4


def test_the_file_in_the_current_folder_is_read_by_default() -> None:
    Path(DEFAULT_FILE).write_text("workers = 7\n", encoding="utf-8")

    assert load(environ={}).web.workers == 7


def test_a_named_file_is_read_instead_of_the_default_one() -> None:
    Path(DEFAULT_FILE).write_text("workers = 7\n", encoding="utf-8")

    assert load(environ={}, file=written("renderers = 8\n")).web.workers == Config().web.workers


def test_the_variables_of_the_process_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGCDN_WORKERS", "9")

    assert load().web.workers == 9


@pytest.mark.parametrize(
    ("layer", "start"),
    [
        pytest.param({"flags": {"log_format": "xml"}}, "--log-format must", id="flag"),
        pytest.param({"environ": {"IMGCDN_LOG_FORMAT": "xml"}}, "IMGCDN_LOG_FORMAT must", id="variable"),
    ],
)
def test_a_mistake_is_named_after_its_flag_or_variable(layer: dict[str, Any], start: str) -> None:
    assert mistakes(**layer)[0].startswith(start)


def test_a_mistake_in_the_file_is_named_with_the_file() -> None:
    assert mistakes(file=written("log_format = 'xml'\n"))[0].startswith("written.toml: log_format must be one of text")


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    assert load(environ={}, file=written("\ufeffworkers = 3\n")).web.workers == 3


def test_a_root_that_is_a_link_to_itself_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    (problem,) = mistakes({"root": str(tmp_path / "loop")})
    assert problem.startswith("root: there is no folder ")


def test_every_mistake_is_reported_at_once() -> None:
    file = written("workers = 0\nworker = 3\n")
    environ = {"IMGCDN_BIND": "nowhere", "IMGCDN_CASHE_DIR": "/tmp/cache"}  # noqa: S108 - the path is not used

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
def test_an_unknown_setting_is_a_mistake_and_the_message_names_the_nearest_setting(
    name: str, nearest: str | None
) -> None:
    expected = f"IMGCDN_{name.upper()} is not a setting" + (
        f"; did you mean IMGCDN_{nearest.upper()}?" if nearest else ""
    )

    assert mistakes(environ={f"IMGCDN_{name.upper()}": "1"}) == (expected,)


def test_a_table_of_the_file_is_an_unknown_setting() -> None:
    assert mistakes(file=written("[server]\nworkers = 2\n")) == (
        "written.toml: server is not a setting; settings have no sections, so write them above the first [table]",
    )


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
def test_variables_that_are_not_settings_are_ignored(name: str) -> None:
    assert load(environ={name: "1"}) == Config()


def test_variables_that_kubernetes_sets_for_a_service_called_imgcdn_are_ignored() -> None:
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


def test_a_port_that_an_operator_wrote_is_a_mistake() -> None:
    assert mistakes(environ={"IMGCDN_PORT": "8000"})[0].startswith("IMGCDN_PORT is not a setting")


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        pytest.param(b"workers =", "; write each setting as NAME = VALUE, with text in quotes", id="not TOML"),
        pytest.param(b"root = /srv", "; write each setting as NAME = VALUE, with text in quotes", id="no quotes"),
        pytest.param(b"workers = 1\nworkers = 2\n", "in quotes", id="a key twice"),
        pytest.param(b"bind = '\xe9'", "; save it as UTF-8", id="not UTF-8"),
    ],
)
def test_a_file_that_does_not_parse_is_a_mistake(content: bytes, hint: str) -> None:
    Path("broken.toml").write_bytes(content)

    (problem,) = mistakes(file=Path("broken.toml"))
    assert problem.startswith("broken.toml: cannot be read")
    assert problem.endswith(hint)


def test_beside_a_file_that_cannot_be_read_no_default_is_judged(folder: Path) -> None:
    (folder / "sample_images").rmdir()

    assert len(mistakes(file=Path("missing.toml"))) == 1
    assert mistakes({"root": "absent"}, file=Path("missing.toml"))[1].startswith("root: there is no folder ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"workers = {'9' * 5_000}", "cannot be read: a number has more than 4300 digits", id="digits"),
        pytest.param(
            f"workers = 0x{'f' * 5_000}",
            "workers must be an integer from 1 to 256, not a value with too many digits",
            id="hex",
        ),
        pytest.param(
            f"allow = {'[' * 3_000}{']' * 3_000}",
            "cannot be read: its lists or tables are nested too deeply",
            id="lists",
        ),
        pytest.param(
            f"[presets{'.a' * 3_000}]",
            "presets.a must be text such as w=200&h=200&fit=cover, not ",  # newer Pythons can write the value
            id="tables",
        ),
        pytest.param(f'root = "{"r" * 300}"', None, id="a name longer than a file system allows"),
    ],
)
def test_an_extreme_value_in_a_file_is_one_sentence(text: str, expected: str | None) -> None:
    [problem] = mistakes(file=written(text))

    if expected is None:
        assert problem.startswith("root: there is no folder ")
        assert problem.endswith("; name one: imgcdn serve FOLDER")
    else:
        assert problem.startswith(f"written.toml: {expected}")
        assert len(problem) < 500


@pytest.mark.parametrize("file", ["missing.toml", "sample_images"])
def test_a_named_file_must_exist(file: str) -> None:
    assert mistakes(file=Path(file))[0].startswith(f"{file}: cannot be read")


def test_the_message_about_a_missing_root_names_the_folder_and_the_remedy(folder: Path) -> None:
    (problem,) = mistakes({"root": "missing"})

    assert problem == f"root: there is no folder {folder / 'missing'}; name one: imgcdn serve FOLDER"


def test_a_root_that_is_a_file_is_a_mistake() -> None:
    Path("picture.jpg").touch()

    assert mistakes({"root": "picture.jpg"})[0].startswith("root: there is no folder")


def test_an_invalid_root_is_reported_without_a_second_mistake_about_the_default_root() -> None:
    Path("sample_images").rmdir()

    assert [problem.partition(" ")[0] for problem in mistakes({"root": 5})] == ["FOLDER"]


@pytest.mark.parametrize("cache_dir", ["sample_images", "sample_images/", ".", "..", "link", "sample_images/../."])
def test_a_cache_that_contains_the_originals_is_a_mistake(cache_dir: str) -> None:
    Path("link").symlink_to("sample_images", target_is_directory=True)

    (problem,) = mistakes({"cache_dir": cache_dir})

    assert problem.startswith("cache_dir: ")
    assert "holds the originals" in problem


@pytest.mark.parametrize("cache_dir", ["sample_images/.cache", "sample_images2", "elsewhere/cache"])
def test_a_cache_beside_or_beneath_the_originals_is_allowed(cache_dir: str, folder: Path) -> None:
    assert load({"cache_dir": cache_dir}, {}).store.cache_dir == folder / cache_dir


def test_a_render_may_not_take_longer_than_its_request() -> None:
    assert mistakes({"render_timeout_s": 11, "request_timeout_s": 10}) == (
        "render_timeout_s must not be above request_timeout_s, which is 10; it is 11",
    )


def test_a_tilde_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))

    assert load({"root": "~/sample_images"}, {}).origins.root == folder / "sample_images"


def test_a_later_chdir_does_not_change_the_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(
        origins=OriginSettings(root=Path("sample_images")), store=StoreSettings(cache_dir=Path("a/../cache"))
    )
    monkeypatch.chdir("/")

    assert (config.origins.root, config.store.cache_dir) == (folder / "sample_images", folder / "cache")


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().web.workers = 5  # type: ignore[misc]  # the test expects this error


def test_reading_settings_loads_no_library() -> None:
    script = "import sys, imgcdn.config; print(*sorted({'PIL', 'flask', 'requests', 'gunicorn'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.split() == []
