"""
Hits on fresh connections, and the workers' memory, beside 500 slow clients of each kind.

    python -m bench.load.slow_clients [--clients 500]

Two workers on loopback. Prints how long the hit takes that comes right behind the crowd; the median and the slowest of
200 hits after it; the growth of the workers' resident memory, and what the kernel keeps for TCP. The last kind asks for
20 different pictures of 5 MB.
"""

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import MSG_DONTWAIT, create_connection, socket

from PIL import Image

from bench.load.running import fetch, service

_HITS = 200
_PICTURES = 20
_HALF = b"GET /img/small.png?w=50 HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    clients = parser.parse_args().clients
    large = [f"/img/large.png?fm=png&w={1300 + number}" for number in range(_PICTURES)]
    asked = [f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for target in large]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stem, edge in (("small", 100), ("large", 1400)):
            Image.frombytes("RGB", (edge, edge), os.urandom(3 * edge * edge)).save(folder / f"{stem}.png")
        with service(folder, folder / "cache", header_timeout_s=600) as (base, process):
            for target in ["/img/small.png?w=50", *large]:
                fetch(base + target)
            kinds = {
                "nobody": ([], False),
                "half a request": ([_HALF] * clients, False),
                "a byte a second": ([_HALF] * clients, True),
                "readers that stall": (asked[:1] * clients, False),
                "the same, 20 pictures": (asked * (clients // _PICTURES), False),
            }
            for kind, (heads, trickles) in kinds.items():
                _measure(kind, heads, base, process.pid, trickles=trickles)


def _measure(kind: str, heads: list[bytes], base: str, pid: int, *, trickles: bool) -> None:
    before, kernel = _resident_mib(pid), _kernel_mib()
    with _crowd(base, heads) as crowd, _trickle(crowd if trickles else []):
        arriving = _hit_ms(base)
        times = sorted(_hit_ms(base) for _ in range(_HITS))
        grown, held = _resident_mib(pid) - before, _kernel_mib() - kernel
    print(
        f"{kind:22} hit: first {arriving:6.1f} ms, then {statistics.median(times):4.1f}, slowest {times[-1]:6.1f}; "
        f"workers {grown:+6.1f} MiB, kernel {held:+6.1f} MiB",
        flush=True,
    )


@contextmanager
def _crowd(base: str, heads: list[bytes]) -> Iterator[list[socket]]:
    port = int(base.rpartition(":")[2])
    with ExitStack() as stack:
        crowd = []
        for head in heads:
            crowd.append(stack.enter_context(create_connection(("127.0.0.1", port), timeout=30)))
            crowd[-1].sendall(head)
        yield crowd


@contextmanager
def _trickle(crowd: list[socket]) -> Iterator[None]:
    done = threading.Event()

    def send() -> None:
        while not done.wait(1):
            for connection in crowd:
                with suppress(OSError):
                    connection.send(b"x", MSG_DONTWAIT)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _hit_ms(base: str) -> float:
    began = time.perf_counter()
    fetch(f"{base}/img/small.png?w=50")
    taken = (time.perf_counter() - began) * 1000
    time.sleep(0.01)
    return taken


def _resident_mib(pid: int) -> float:
    command = ["ps", "-o", "rss=", "--ppid", str(pid)]
    return sum(map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())) / 1024


def _kernel_mib() -> float:
    """Return what TCP buffers take on this machine, in pages of 4 KiB (proc(5))."""
    match = re.search(r"^TCP: .* mem (\d+)", Path("/proc/net/sockstat").read_text(encoding="ascii"), re.MULTILINE)
    return int(match[1]) / 256 if match else 0.0


if __name__ == "__main__":
    main()
