"""
What has to hold before a release, and before an install without pinned versions counts as working.

    python -m scripts.release_check wheel      the version has a section in CHANGELOG.md; the built wheel is whole
    python -m scripts.release_check serve BIN  the `imgcdn` in a folder of programs starts, serves a picture and stops
"""

import re
import select
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from imgcdn import __version__

ROOT = Path(__file__).parent.parent
_START_S, _STOP_S = 30.0, 30.0


def check_changelog(text: str, version: str) -> str:
    """Return what is wrong with a changelog; empty if the version has a section that has entries."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    section = next((each for each in sections if each.startswith(f"{version} ")), None)
    if section is None:
        return f"CHANGELOG.md has no section for {version}: write ## {version} (date)"
    return "" if re.search(r"^[*-] ", section, flags=re.MULTILINE) else f"the section for {version} is empty"


def check_wheel(names: set[str], tree: set[str]) -> list[str]:
    """
    Return what is wrong with the files of a wheel.

    Args:
        names: The names of the wheel's files.
        tree: The names of the package's files in the checkout.
    """
    packed = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    problems = [f"{name} is missing" for name in sorted(tree - packed)]
    return problems + [f"{name} does not belong in it" for name in sorted(packed - tree)]


def build() -> Path:
    """Build sdist and wheel into `dist/` and return the wheel."""
    subprocess.run([sys.executable, "-m", "build", "--outdir", "dist", "."], cwd=ROOT, check=True)
    [wheel] = (ROOT / "dist").glob(f"imgcdn-{__version__}-*.whl")
    return wheel


def serve(programs: Path) -> str:
    """Start the service that is installed in a folder of programs, fetch a picture, and return what is wrong."""
    with tempfile.TemporaryDirectory(prefix="imgcdn-release-") as cache:
        # The service runs in another folder, so the path of its program is absolute.
        command = [str(programs.absolute() / "imgcdn"), "serve", str(ROOT / "sample_images"), "--bind", "127.0.0.1:0"]
        process = subprocess.Popen([*command, "--cache-dir", cache], stdout=subprocess.PIPE, text=True, cwd=cache)
        try:
            assert process.stdout
            ready, _, _ = select.select([process.stdout], [], [], _START_S)
            line = process.stdout.readline() if ready else ""
            port = re.search(r"on 127\.0\.0\.1:([0-9]+)", line)
            if port is None:
                return f"the service did not start: {line!r}"
            return _ask(f"http://127.0.0.1:{port[1]}")
        finally:
            process.terminate()
            process.communicate(timeout=_STOP_S)


def _ask(address: str) -> str:
    for path, kind in (("/-/healthz", "application/json"), ("/img/chelsea.png?w=100&fm=webp", "image/webp")):
        with urllib.request.urlopen(address + path, timeout=30) as response:  # noqa: S310  # our own address
            if response.headers.get_content_type() != kind or not response.read():
                return f"{path} answered {response.status} {response.headers.get_content_type()}"
    return ""


def main(arguments: list[str]) -> int:
    """Run one of the checks and return the exit status."""
    if arguments[:1] == ["serve"] and len(arguments) == 2:
        problems = [serve(Path(arguments[1]))]
    elif arguments == ["wheel"]:
        problems = [check_changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), __version__)]
        wheel = build()
        package = (ROOT / "imgcdn").rglob("*")
        tree = {
            path.relative_to(ROOT).as_posix()
            for path in package
            if path.is_file() and path.parent.name != "__pycache__"
        }
        problems += check_wheel(set(zipfile.ZipFile(wheel).namelist()), tree)
        print(wheel)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    for problem in filter(None, problems):
        print(f"release check: {problem}", file=sys.stderr)
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
