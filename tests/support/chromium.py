"""
A page in headless Chromium that a test can control while it loads.

It uses Chromium's DevTools protocol over two pipes: `--remote-debugging-pipe` reads descriptor 3 and writes 4.
Unlike a run on virtual time (`tests.support.browser`), the result does not depend on the speed of the machine.
"""

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.browser import command

_PATIENCE_S = 60.0
_LOWEST = 10  # so that giving a child its descriptors 3 and 4 closes neither of ours

# A separate process sets up the descriptors and then becomes the browser: a hook that runs between fork and exec may
# deadlock when the parent has threads.
_EXEC = (
    "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); os.execv(sys.argv[3], sys.argv[3:])"
)


@dataclass(slots=True)
class Page:
    """An open page; expressions are JavaScript."""

    _pipe: "_Pipe"
    _session: str

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression; if it is a promise, wait for it first."""
        answer = self._pipe.call(
            "Runtime.evaluate", self._session, expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"not within {_PATIENCE_S} s: {expression}"
            select.select([], [], [], 0.05)


@contextlib.contextmanager
def page(url: str, folder: Path, *, width: int, scale: float = 1, height: int = 2000) -> Iterator[Page]:
    """
    Open a page, without waiting for it to load.

    Args:
        folder: Where the browser keeps its profile.
        width, height: Size of the window in CSS pixels.
        scale: Device pixels per CSS pixel.
    """
    with _chromium(folder) as pipe:
        target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
        session = pipe.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        pipe.call("Emulation.setDeviceMetricsOverride", session, **metrics)
        pipe.call("Page.navigate", session, url=url)
        yield Page(pipe, session)


@dataclass(slots=True)
class _Pipe:
    """A connection that carries JSON messages, each ended by a zero byte."""

    to_browser: int
    from_browser: int
    _number: int = 0
    _unread: bytes = field(default=b"")

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {
            "id": self._number,
            "method": method,
            "params": params,
            **({"sessionId": session} if session else {}),
        }
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to_browser, data) :]
        answer = next(message for message in iter(self._read, None) if message.get("id") == self._number)
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self.from_browser], [], [], _PATIENCE_S)
            assert ready, "the browser does not respond"
            data = os.read(self.from_browser, 65_536)
            assert data, "the browser has ended"
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@contextlib.contextmanager
def _chromium(folder: Path) -> Iterator[_Pipe]:
    with contextlib.ExitStack() as stack:
        their_in, our_out, our_in, their_out = (_descriptor(stack, fd) for fd in (*os.pipe(), *os.pipe()))
        browser = command(folder, ["--remote-debugging-pipe", "about:blank"])
        launch = [sys.executable, "-c", _EXEC, str(their_in), str(their_out), *browser]
        with (folder / "browser.log").open("w") as log:
            process = subprocess.Popen(launch, pass_fds=(their_in, their_out), stdout=log, stderr=log)
        pipe = _Pipe(our_out, our_in)
        try:
            yield pipe
            pipe.call("Browser.close")
            process.wait(_PATIENCE_S)
        finally:
            process.kill()
            process.wait()


def _descriptor(stack: contextlib.ExitStack, fd: int) -> int:
    """Move a descriptor above 3 and 4, which the child needs; the stack closes it."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    stack.callback(os.close, moved)
    os.close(fd)
    return moved
