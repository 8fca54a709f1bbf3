"""The sandbox cannot be undone, so each test runs in a child process, which prints the result."""

import subprocess
import sys
from pathlib import Path

import pytest

_TRY = """
import os, socket, subprocess, sys
from pathlib import Path
from imgcdn.renderers.sandbox import confine
inside, outside = Path(sys.argv[1]), Path(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
def attempt(action):
    try:
        action()
    except PermissionError:
        return "refused"
    return "done"
# Print whether this kernel, or the sandbox around it, has Landlock; without it the tests can show nothing.
print("landlock" if confine(str(inside)) else "none")
print(attempt({action}))
"""


def _attempt(tmp_path: Path, action: str) -> list[str]:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "old").write_text("old")
    command = [sys.executable, "-c", _TRY.replace("{action}", action), str(inside), str(outside)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("lambda: (inside / 'new').write_text('x')", id="write a new file inside"),
        pytest.param("lambda: (inside / 'old').write_text('x')", id="overwrite one inside"),
        pytest.param("lambda: (inside / 'old').unlink()", id="remove one inside"),
        pytest.param("lambda: (outside / 'old').read_text()", id="read outside"),
        pytest.param("lambda: os.listdir(outside)", id="list outside"),
    ],
)
def test_a_render_can_still_do_what_it_needs(tmp_path: Path, action: str) -> None:
    assert _attempt(tmp_path, action)[1] == "done"


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("lambda: (outside / 'new').write_text('x')", id="write a new file outside"),
        pytest.param("lambda: (outside / 'old').write_text('x')", id="overwrite one outside"),
        pytest.param("lambda: (outside / 'old').unlink()", id="remove one outside"),
        pytest.param("lambda: (outside / 'folder').mkdir()", id="make a folder outside"),
        pytest.param("lambda: (inside / 'link').symlink_to(outside)", id="make a link"),
        pytest.param("lambda: (inside / 'old').rename(outside / 'moved')", id="move a file out"),
        pytest.param("lambda: subprocess.run(['/bin/true'])", id="run a program"),
    ],
)
def test_everything_else_is_refused_if_the_kernel_supports_it(tmp_path: Path, action: str) -> None:
    kernel, became = _attempt(tmp_path, action)
    assert became == ("refused" if kernel == "landlock" else "done")
