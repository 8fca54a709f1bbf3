"""The service and its peers, started for a measurement and asked over loopback."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parents[2]
_ATTEMPTS = 200
_PAUSE_S = 0.05


@contextmanager
def served(command: list[str], base: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; enter it when `base` answers."""
    process = subprocess.Popen(command, cwd=HERE, env={**os.environ, **environ}, stdout=subprocess.DEVNULL)
    try:
        _wait(base)
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def service(root: Path, cache: Path, port: int, **settings: object) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `imgcdn serve` with two workers; yields its base URL and process."""
    bind = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "imgcdn", "serve", str(root), "--bind", bind, "--cache-dir", str(cache)]
    environ = {f"IMGCDN_{name.upper()}": str(value) for name, value in {"access_log": "off", **settings}.items()}
    with served(command, f"http://{bind}", **environ) as process:
        yield f"http://{bind}", process


def fetch(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the body of a 200."""
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310  # our own, on loopback
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  # likewise
        body: bytes = response.read()
        return body


def rate(url: str, seconds: int, *, connections: int = 32) -> float:
    """Return requests a second, as wrk counts them; every answer must be a 200."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"Requests/sec:\s*([0-9.]+)", text)
    if match is None or "Non-2xx" in text:
        raise SystemExit(f"wrk failed:\n{text}")
    return float(match[1])


def _wait(base: str) -> None:
    for _ in range(_ATTEMPTS):
        try:
            fetch(base + "/-/healthz")
        except OSError:
            time.sleep(_PAUSE_S)
        else:
            return
    raise SystemExit(f"nothing answers at {base}")
