"""The service and its peers, started for a measurement and asked over loopback."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parents[2]
_ATTEMPTS = 200
_PAUSE_S = 0.05

#: What Chrome 131 on Linux sends for an `<img>`.
CHROME = (
    'sec-ch-ua: "Chromium";v="131", "Not_A Brand";v="24"',
    "sec-ch-ua-mobile: ?0",
    'sec-ch-ua-platform: "Linux"',
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Mode: no-cors",
    "Sec-Fetch-Dest: image",
    "Referer: http://127.0.0.1/",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9",
    "Connection: keep-alive",
)


def free_port() -> int:
    """Return a port of the loopback address that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    command: list[str], base: str, *, log: Path | None = None, **environ: str
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run a server until the block ends; enter it when `base` answers.

    Args:
        log: Where its stderr goes; None: to ours.
    """
    with ExitStack() as stack:
        stderr = stack.enter_context(log.open("wb")) if log else None
        process = subprocess.Popen(
            command, cwd=HERE, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=stderr
        )
    try:
        _wait(base)
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def service(
    root: Path, cache: Path, *, log: Path | None = None, tmp: Path | None = None, **settings: object
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """
    Run `imgcdn serve` with two workers; yields its base URL and process.

    Args:
        log: As for `served`.
        tmp: Its folder for temporary files and sockets, with a short path; None for the usual ones.
    """
    bind = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "imgcdn", "serve", str(root), "--bind", bind, "--cache-dir", str(cache)]
    environ = {f"IMGCDN_{name.upper()}": str(value) for name, value in {"access_log": "off", **settings}.items()}
    if tmp is not None:
        environ |= {"TMPDIR": str(tmp), "XDG_RUNTIME_DIR": ""}
    with served(command, f"http://{bind}", log=log, **environ) as process:
        yield f"http://{bind}", process


def fetch(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the body of a 200."""
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310  # our own, on loopback
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  # likewise
        body: bytes = response.read()
        return body


class Rate(NamedTuple):
    """Requests a second, and the 99th percentile of their time in milliseconds."""

    per_s: float
    p99_ms: float


def rate(url: str, seconds: int, *, connections: int = 32) -> Rate:
    """Measure with wrk and Chrome's request headers. Every response must be a 200."""
    headers = [part for header in CHROME for part in ("-H", header)]
    command = ["wrk", "--latency", "-t2", f"-c{connections}", f"-d{seconds}s", *headers, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    per_s = re.search(r"Requests/sec:\s*([0-9.]+)", text)
    p99 = re.search(r"99%\s+([0-9.]+)(us|ms|s)", text)
    if per_s is None or p99 is None or "Non-2xx" in text:
        raise SystemExit(f"wrk failed:\n{text}")
    return Rate(float(per_s[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]])


def cpu_s(process: "subprocess.Popen[bytes]") -> float:
    """Return the CPU seconds that a process and its children have used."""
    own, ticks = process.pid, os.sysconf("SC_CLK_TCK")
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if own in (int(stat.parent.name), int(fields[1])):
            total += int(fields[11]) + int(fields[12])
    return total / ticks


def _wait(base: str) -> None:
    for _ in range(_ATTEMPTS):
        try:
            fetch(base + "/-/healthz")
        except OSError:
            time.sleep(_PAUSE_S)
        else:
            return
    raise SystemExit(f"nothing answers at {base}")
