"""
Render children that an original takes over: a stand-in for a flaw of a codec.

The code at the end of such an original runs in the child, which is confined as all are, with its socket and its job.
"""

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from imgcdn.renderers.client import RenderClient

_MARK = b"TAKE OVER\n"

_MODULE = f"""
from pathlib import Path
from imgcdn.renderers import child

_main, _perform = child.main, child.perform

def main(connection, *arguments):
    child.connection = connection
    _main(connection, *arguments)

def perform(job):
    _, mark, code = Path(str(job.path)).read_bytes().partition({_MARK!r})
    if mark:
        exec(code, {{"connection": child.connection, "job": job, "perform": _perform}})
    return _perform(job)

child.main, child.perform = main, perform
"""

_START = """
from imgcdn.renderers import broker
broker._PRELOADED.append("taken_over")  # the fork server imports it, and all children have it
broker.main()
"""


class HostileClient(RenderClient):
    """A client whose broker has children that originals can take over. Call `prepare` before."""

    def _command(self) -> list[str]:
        return [sys.executable, "-P", "-c", _START, self._socket, self._settings.pack()]

    @staticmethod
    def prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Write what the children import into a folder."""
        folder.mkdir()
        (folder / "taken_over.py").write_text(_MODULE)
        monkeypatch.setenv("PYTHONPATH", str(folder))


def hostile_picture(code: str) -> bytes:
    """Return a PNG of 90x60 pixels that runs code in its render child."""
    file = io.BytesIO()
    Image.new("RGB", (90, 60), "red").save(file, "PNG")
    return file.getvalue() + _MARK + code.encode()
