"""The table of commands: the steps that CONTRIBUTING lists for a new command."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imgcdn.cli import COMMANDS, main, serve
from imgcdn.config import DECLARED, load
from tests.support.paths import PACKAGE, ROOT, SAMPLES

HEAVY = ("PIL", "flask", "gunicorn", "requests")


def test_every_module_of_the_folder_is_a_command_in_the_table() -> None:
    modules = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - {"__init__"}

    assert modules == {command.NAME for command in COMMANDS}


@pytest.mark.parametrize("name", [command.NAME for command in COMMANDS])
def test_a_command_is_described_in_the_readme_and_in_the_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])

    assert exit_.value.code == 0
    assert name in capsys.readouterr().out
    assert f"imgcdn {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], [], ["serve", "--help"]], ids=" ".join)
def test_a_command_that_needs_no_server_does_not_load_one(arguments: list[str]) -> None:
    script = f"""
import contextlib, sys
from imgcdn.cli import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
    main({arguments!r})
print(*sorted(set({HEAVY!r}) & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.split() == []


def test_the_help_of_serve_says_where_all_other_settings_go(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])

    shown = " ".join(capsys.readouterr().out.split())
    assert "Every other setting is a key of imgcdn.toml (max_pixels = 1000000) or a variable" in shown
    assert "(default: sample_images)" in shown


def test_without_a_command_the_help_is_shown_and_the_status_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: imgcdn" in capsys.readouterr().out


def test_all_mistakes_in_the_settings_are_reported_before_the_server_listens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["serve", "no-such-folder", "--workers", "0"]) == 2

    told = capsys.readouterr().err.splitlines()
    assert [line.partition(" ")[0] for line in told] == ["imgcdn:", "imgcdn:"]
    assert any("--workers must be an integer from 1 to 256, not '0'" in line for line in told)


def test_check_writes_a_file_that_serve_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMGCDN_PRESETS", "thumb=w=200&h=200&fit=cover")
    monkeypatch.setenv("IMGCDN_MOUNTS", "/cms=https://cms.test/media")
    monkeypatch.setenv("IMGCDN_EFFORT", "thorough")
    (tmp_path / "pictures").mkdir()

    assert main(["check", "pictures", "--allow", "a.test", "--workers", "3"]) == 0
    shown = capsys.readouterr().out
    assert "# FOLDER\n" in shown
    (tmp_path / "written.toml").write_text(shown, encoding="utf-8")

    assert 'effort = "thorough"  # IMGCDN_EFFORT' in shown
    assert "workers = 3  # --workers" in shown
    assert "max_pixels = 64000000\n" in shown
    given = {"root": "pictures", "allow": ["a.test"], "workers": "3"}
    assert load(environ={}, file=tmp_path / "written.toml") == load(given)


def test_check_names_every_mistake_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "no-such-folder", "--workers", "0"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    command = [sys.executable, "-m", "imgcdn", "check", str(SAMPLES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        pytest.param(
            "--render-timeout-s=1", "render_timeout_s is a setting that the command line does not", id="value"
        ),
        pytest.param("--require-signature", "set the variable IMGCDN_REQUIRE_SIGNATURE", id="without a value"),
        pytest.param("--nonsense", "unrecognized arguments: --nonsense\n", id="no setting"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_setting_that_is_no_argument_is_said_to_go_elsewhere(
    command: str, argument: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([command, argument])

    assert exit_.value.code == 2
    assert expected in capsys.readouterr().err


def test_the_readme_names_the_settings_that_the_command_line_takes() -> None:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    taken = {name for name in vars(parser.parse_args([])) if name in DECLARED} - {"root"}
    said = (ROOT / "README.md").read_text(encoding="utf-8").partition("The command line takes ")[2].partition(". ")[0]

    assert {f"`--{name.replace('_', '-')}`" for name in taken} == set(re.findall(r"`--[a-z-]+`", said))


WITH_WARNINGS = """
allow = ["a.test", "https://a.test/media/**", { pattern = "http://b.test", headers = { authorization = "s3cret" } }]

[mounts."/cms"]
base = "http://cms.test/media"
headers = { Authorization = "s3cret" }

[mounts."/safe"]
base = "https://cms.test/media"
headers = { Authorization = "s3cret" }

[mounts."/open"]
base = "http://cms.test/media"
headers = { Referer = "https://a.test/" }
"""


def test_check_warns_of_what_works_but_was_hardly_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "imgcdn.toml"
    file.write_text(WITH_WARNINGS, encoding="utf-8")

    assert main(["check", str(SAMPLES), "--config", str(file)]) == 0

    told = capsys.readouterr().err
    assert "s3cret" not in told
    assert [line.split(" ")[2] for line in told.splitlines()] == [
        "allow[1],",
        "allow[2].headers.Authorization",
        'mounts."/cms".headers.Authorization',
    ]
    assert "allow[0], a.test, comes first" in told
