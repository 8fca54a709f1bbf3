"""Find ports for servers that tests start, and wait for the servers."""

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

_START_S = 60.0


def free_port() -> int:
    """Return a port of the loopback address that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[Any], log: Path) -> None:
    """Wait until the port accepts connections; fail with the log if the process ends or takes too long."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"no server is listening: {log.read_text(encoding='utf-8')}")
