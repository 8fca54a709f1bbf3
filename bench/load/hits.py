"""
Hits a second, beside a bare ASGI callable under the same gunicorn that opens, reads and returns the same file.

    python -m bench.load.hits [--pairs 5] [--seconds 5]

wrk, 32 connections, two workers each, alternating; the ratio of each pair and their median. Needs wrk.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from bench.load.running import HERE, fetch, rate, served, service

TARGET = "/img/rocket.jpg?w=427&fm=webp&q=88"  # about 20 KB
_OURS, _BARE = 8801, 8802


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with service(HERE / "sample_images", folder / "cache", _OURS) as (base, _):
            (folder / "body").write_bytes(fetch(base + TARGET))
            print(f"body {(folder / 'body').stat().st_size} bytes")
            with served(_bare(), f"http://127.0.0.1:{_BARE}", BARE_FILE=str(folder / "body")):
                _compare(base + TARGET, f"http://127.0.0.1:{_BARE}/", arguments.pairs, seconds=arguments.seconds)


def _compare(ours: str, bare: str, pairs: int, *, seconds: int) -> None:
    ratios = []
    for _ in range(pairs):
        hits, ceiling = rate(ours, seconds), rate(bare, seconds)
        ratios.append(hits / ceiling)
        print(f"service {hits:8.0f}/s   bare {ceiling:8.0f}/s   ratio {hits / ceiling:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")


def _bare() -> list[str]:
    options = ["-k", "asgi", "-w", "2", "-b", f"127.0.0.1:{_BARE}", "--no-control-socket", "--log-level", "warning"]
    return [sys.executable, "-m", "gunicorn", *options, "bench.load.bare:app"]


if __name__ == "__main__":
    main()
