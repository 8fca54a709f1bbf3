"""
Bytes and time at equal SSIMULACRA2: this service's encoders, at both efforts, beside sharp's defaults.

    python -m bench.peers.peers measure PHOTOGRAPHS --width 800 [--out docs/quality/peers.csv]
    python -m bench.peers.peers table [docs/quality/peers.csv]

`measure` appends to the file. It installs sharp with npm into a temporary folder. Each encoder goes over a few of its
qualities; bytes at a score are read off a line through the logarithms of its bytes. Milliseconds are CPU time of one
thread's work, without decoding and resizing.
"""

import argparse
import csv
import itertools
import json
import math
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from PIL import Image

from bench.fit.curves import Points, interpolated
from bench.fit.encoders import Encoder, aom, aom_default, jpeg, svt, webp
from bench.fit.judge import Judge, check
from bench.fit.photographs import files, resized
from bench.fit.sweep import COLUMNS
from imgcdn.core.encoders.effort import speed_within
from imgcdn.core.values import Effort
from tests.support.planning import FAST

SHARP = "sharp@0.35.5"
PEERS = Path(__file__).parents[2] / "docs" / "quality" / "peers.csv"
SCORES = (60, 70, 80)
EFFORTS = ["fast", "thorough", "aom 5", "aom 6", "aom 8", "svt 8", "sharp"]
_AVIF = (32, 46, 60, 74, 86)
_WEBP = (30, 55, 75, 88, 96)
_JPEG = (35, 55, 74, 87, 95)
_SHARP = {"avif": _AVIF, "webp": _WEBP, "jpeg": _JPEG}


def ours(image: Image.Image) -> dict[tuple[str, str], tuple[Encoder, tuple[int, ...]]]:
    """Return the encoders as the service sets them for a picture of this size, and some for comparison."""
    pixels = image.width * image.height
    fast, thorough = (speed_within(replace(FAST, effort=effort), "aom", pixels) or 0 for effort in Effort)
    return {
        ("avif", "fast"): (aom(fast), _AVIF),
        ("avif", "thorough"): (aom(thorough), _AVIF),
        ("avif", "aom 5"): (aom(5), _AVIF),
        ("avif", "aom 6"): (aom(6), _AVIF),
        ("avif", "aom 8"): (aom_default, _AVIF),
        ("avif", "svt 8"): (svt, _AVIF),
        ("webp", "fast"): (webp(2), _WEBP),
        ("webp", "thorough"): (webp(6), _WEBP),
        ("jpeg", "fast"): (jpeg(), _JPEG),
        ("jpeg", "thorough"): (jpeg(progressive=True), _JPEG),
    }


@contextmanager
def sharp() -> Iterator[subprocess.Popen[str]]:
    """Install sharp into a temporary folder and run it until the block ends."""
    script = Path(__file__).parent / "peer.mjs"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "install", "--prefix", folder, "--silent", SHARP], check=True)
        process = subprocess.Popen(
            ["node", str(script)], cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def by_sharp(process: subprocess.Popen[str], image: Image.Image, fmt: str, quality: int) -> tuple[bytes, float]:
    """Return a picture as sharp encodes it with nothing else said, and the milliseconds it took."""
    assert process.stdin is not None
    assert process.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        pixels, out = Path(folder) / "pixels", Path(folder) / "out"
        pixels.write_bytes(image.tobytes())
        request = {"pixels": str(pixels), "width": image.width, "height": image.height, "format": fmt}
        process.stdin.write(json.dumps({**request, "quality": quality, "out": str(out)}) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        return out.read_bytes(), answer["ms"]


def measure(paths: list[Path], width: int, out: Path, efforts: list[str]) -> None:
    """Measure and append."""
    with sharp() as process:
        for number, path in enumerate(files(paths)):
            image = resized(path, width)
            if number == 0:
                print(f"largest difference from the package: {check(image):.4f}")
            judge = Judge(image)
            rows = []
            for (fmt, effort), (encoder, qualities) in ours(image).items():
                for quality in qualities if effort in efforts else ():
                    began = time.process_time()
                    body = encoder(image, quality)
                    rows.append((fmt, effort, quality, body, (time.process_time() - began) * 1000))
            for fmt, qualities in _SHARP.items() if "sharp" in efforts else ():
                rows += [(fmt, "sharp", quality, *by_sharp(process, image, fmt, quality)) for quality in qualities]
            with out.open("a", encoding="ascii", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                if file.tell() == 0:
                    writer.writerow(COLUMNS)
                for fmt, effort, quality, body, ms in rows:
                    score = f"{judge.score(body):.2f}"
                    writer.writerow((path.name, width, fmt, effort, quality, len(body), score, f"{ms:.1f}"))
            print(path.name, flush=True)


def table(path: Path) -> str:
    """Return bytes as a share of sharp's at equal look, and times, as Markdown tables, one for each width."""
    points: dict[tuple[int, str, str, str], Points] = defaultdict(list)
    times: dict[tuple[int, str, str, str], list[float]] = defaultdict(list)
    with path.open(encoding="ascii", newline="") as file:
        for row in csv.DictReader(file):
            key = (int(row["width"]), row["photo"], row["encoder"], row["effort"])
            points[key].append((float(row["ssimulacra2"]), math.log(int(row["bytes"]))))
            times[key].append(float(row["ms"]))
    lines = []
    for width in sorted({key[0] for key in points}):
        photos = sorted({key[1] for key in points if key[0] == width})
        lines += ["", f"{len(photos)} photographs, {width} wide:", ""]
        lines += ["| | " + " | ".join(map(str, SCORES)) + " | all | ms | ms / sharp |", "| --- |" + " --- |" * 6]
        present = {key[2:] for key in points if key[0] == width}
        for fmt, effort in (row for row in itertools.product(_SHARP, EFFORTS) if row in present):
            each = [_ratios(points, width, photos, fmt, effort, score) for score in SCORES]
            cells = [_mean(ratios) for ratios in [*each, [ratio for ratios in each for ratio in ratios]]]
            ms = statistics.median(value for photo in photos for value in times[width, photo, fmt, effort])
            base = statistics.median(value for photo in photos for value in times[width, photo, fmt, "sharp"])
            lines.append(f"| {fmt} {effort} | " + " | ".join(cells) + f" | {ms:.0f} | {ms / base:.2f} |")
    return "\n".join(lines)


def _ratios(
    points: dict[tuple[int, str, str, str], Points], width: int, photos: list[str], fmt: str, effort: str, score: int
) -> list[float]:
    """Return an encoder's bytes over sharp's, for the photographs of which both reached the score and fell short."""
    ratios = []
    for photo in photos:
        mine, theirs = points[width, photo, fmt, effort], points[width, photo, fmt, "sharp"]
        if mine and all(min(each)[0] <= score <= max(each)[0] for each in (mine, theirs)):
            ratios.append(math.exp(interpolated(mine, score) - interpolated(theirs, score)))
    return ratios


def _mean(ratios: list[float]) -> str:
    return f"{statistics.geometric_mean(ratios):.3f} ({len(ratios)})" if ratios else "-"


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["measure", "table"])
    parser.add_argument("paths", type=Path, nargs="*", default=[PEERS], help="files, and folders of them")
    parser.add_argument("--width", type=int, default=800)
    parser.add_argument("--efforts", nargs="*", default=EFFORTS)
    parser.add_argument("--out", type=Path, default=PEERS)
    arguments = parser.parse_args()
    if arguments.action == "measure":
        measure(arguments.paths, arguments.width, arguments.out, arguments.efforts)
    else:
        print(table(arguments.paths[0]))


if __name__ == "__main__":
    main()
