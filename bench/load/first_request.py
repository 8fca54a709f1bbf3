"""
Milliseconds of a first request: probe, decode, resize, encode, store, answer.

    python -m bench.load.first_request PHOTOGRAPH [--width 800] [--rounds 7]

Each round asks for copies of one photograph that nothing has seen yet, once in each format, in turn.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench.load.running import fetch, service

_FORMATS = ("avif", "webp", "jpeg")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photograph", type=Path)
    parser.add_argument("--width", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    times_ms: dict[str, list[float]] = {name: [] for name in _FORMATS}
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        with service(root, Path(name) / "cache") as (base, _):
            for number in range(arguments.rounds):
                for fmt in _FORMATS:
                    copy = f"{fmt}-{number}{arguments.photograph.suffix}"
                    shutil.copy(arguments.photograph, root / copy)
                    began = time.perf_counter()
                    sizes[fmt] = len(fetch(f"{base}/img/{copy}?w={arguments.width}&fm={fmt}"))
                    times_ms[fmt].append((time.perf_counter() - began) * 1000)
    for fmt, values in times_ms.items():
        print(f"{fmt:5} median {statistics.median(values):6.0f} ms, best {min(values):6.0f} ms, {sizes[fmt]} bytes")


if __name__ == "__main__":
    main()
