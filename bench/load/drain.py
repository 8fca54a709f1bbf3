"""
Requests that are lost when a service is stopped as a terminal or a service manager stops it.

    python -m bench.load.drain [--rounds 50]

In each round, 16 clients wait for renders when SIGINT or SIGTERM goes to the whole process group, once or twice. Prints
the rounds that lost a response, or whose service did not exit with status 0.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from bench.load.running import HERE, fetch

_CLIENTS = 16


def main() -> int:
    """Measure and print; return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    chance = random.Random(1)  # a draw, no secret
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        Image.open(HERE / "sample_images" / "rocket.jpg").resize((3000, 2000)).save(root / "large.jpg")
        for number in range(rounds):
            number_of_signal = chance.choice((signal.SIGINT, signal.SIGTERM))
            times, after_s = chance.choice((1, 2)), chance.uniform(0.1, 0.6)
            answered, status = _round(root, Path(name) / str(number), number_of_signal, times, after_s=after_s)
            if answered != _CLIENTS or status != 0:
                failed += 1
                print(f"round {number}: {number_of_signal.name} x {times}: {answered} of {_CLIENTS}, status {status}")
    print(f"{rounds - failed} of {rounds} rounds lost nothing")
    return 1 if failed else 0


def _round(root: Path, cache: Path, number: signal.Signals, times: int, *, after_s: float) -> tuple[int, int]:
    """Return how many clients got their picture, and the exit status."""
    command = [sys.executable, "-m", "imgcdn", "serve", str(root), "--bind", "127.0.0.1:0", "--cache-dir", str(cache)]
    environ = {**os.environ, "IMGCDN_ACCESS_LOG": "off", "IMGCDN_MIN_FREE_BYTES": "0"}
    process = subprocess.Popen(
        command, cwd=HERE, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    match = re.search(r":([0-9]+)$", process.stdout.readline().strip())
    assert match is not None
    urls = [f"http://127.0.0.1:{match[1]}/img/large.jpg?w={800 + each}&fm=webp" for each in range(_CLIENTS)]
    with ThreadPoolExecutor(_CLIENTS) as pool:
        asked = [pool.submit(fetch, url) for url in urls]
        time.sleep(after_s)
        for _ in range(times):
            os.killpg(process.pid, number)
            time.sleep(0.1)
        answered = sum(each.exception() is None for each in asked)
    return answered, process.wait(60)


if __name__ == "__main__":
    sys.exit(main())
