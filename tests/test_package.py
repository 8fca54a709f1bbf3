"""The wheel, installed as a user would install it."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import imgcdn
from tests.support.paths import ROOT

_SOURCES = ("imgcdn", "pyproject.toml", "README.md", "LICENSE")


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without a network, from a copy because a build writes beside its sources."""
    folder = tmp_path_factory.mktemp("build")
    for name in _SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    _run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "dist", ".", cwd=folder)
    [built] = (folder / "dist").glob("imgcdn-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with the wheel and the dependencies but without the source tree; return its interpreter."""
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home.parent)
    interpreter = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(interpreter)]
    _run(*pip, "install", "--no-deps", "--no-index", str(wheel), cwd=home.parent)
    # Python searches a folder named in a .pth file but ignores the .pth files in it, such as our editable install.
    [site_packages] = home.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return interpreter


def test_the_wheel_contains_every_file_of_the_package(wheel: Path) -> None:
    tree = {path.relative_to(ROOT).as_posix() for path in (ROOT / "imgcdn").rglob("*") if path.is_file()}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("imgcdn/")}
    assert packed == {name for name in tree if "__pycache__" not in name}


def test_the_wheel_is_typed_and_contains_the_templates(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "imgcdn/py.typed",
        "imgcdn/web/pages/templates/welcome.html",
        "imgcdn/web/pages/static/welcome.css",
    } <= packed


def test_the_installed_package_is_the_wheel(python: Path, tmp_path: Path) -> None:
    where = _run(python, "-c", "import imgcdn; print(imgcdn.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(python.parent.parent)


def test_the_installed_command_prints_its_version(python: Path, tmp_path: Path) -> None:
    assert imgcdn.__version__ in _run(python.parent / "imgcdn", "--version", cwd=tmp_path)


def test_the_package_runs_as_a_module(python: Path, tmp_path: Path) -> None:
    assert imgcdn.__version__ in _run(python, "-m", "imgcdn", "--version", cwd=tmp_path)


def test_importing_the_package_loads_neither_pillow_nor_flask(python: Path, tmp_path: Path) -> None:
    script = "import imgcdn, sys; print(sorted({'PIL', 'flask', 'pillow_avif', 'gunicorn'} & sys.modules.keys()))"
    assert _run(python, "-c", script, cwd=tmp_path).strip() == "[]"
