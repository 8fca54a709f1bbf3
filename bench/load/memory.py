"""
Memory of the whole service as it works: PSS of every process after 0, 100 and 500 pairs of (original, params); after
fewer, if the folder has fewer.

    python -m bench.load.memory FOLDER

PSS counts a page that several processes share once, divided among them (Linux, /proc/PID/smaps_rollup). Originals that
are refused count as asked for, too.
"""

import argparse
import itertools
import re
import subprocess
import tempfile
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from bench.load.running import fetch, service

_MARKS = (0, 100, 500)
_PARAMS = ("w=320", "w=640", "w=960", "w=400&h=400&fit=cover", "w=1280&q=60", "w=200", "w=800&fm=webp")
_EXTENSIONS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif")
_ACCEPT = {"Accept": "image/avif,image/webp,*/*"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    pairs = _pairs(folder)
    with tempfile.TemporaryDirectory() as cache, service(folder, Path(cache) / "cache") as (base, process):
        done = 0
        for mark in _MARKS:
            some = list(itertools.islice(pairs, mark - done))
            if mark and not some:
                return
            for name, params in some:
                _ask(f"{base}/img/{quote(name)}?{params}")
            done += len(some)
            sizes = [_pss_mib(pid) for pid in _family(process.pid)]
            print(f"{done:4} pairs: PSS {sum(sizes):6.1f} MiB in {len(sizes)} processes", flush=True)


def _pairs(folder: Path) -> Iterator[tuple[str, str]]:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() in _EXTENSIONS)
    return ((name, params) for params in _PARAMS for name in names)


def _ask(url: str) -> None:
    try:
        fetch(url, _ACCEPT)
    except urllib.error.HTTPError as error:
        error.close()


def _family(pid: int) -> list[int]:
    text = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in text.splitlines()]
    found = [pid]
    for parent in found:  # grows while it is read
        found += [child for child, of in parents if of == parent]
    return found


def _pss_mib(pid: int) -> float:
    match = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


if __name__ == "__main__":
    main()
