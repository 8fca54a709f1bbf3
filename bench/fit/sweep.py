"""
SSIMULACRA2 and bytes of each encoder over its qualities, for photographs: what the curves of q are fitted to.

    python -m bench.fit.sweep PHOTOGRAPHS [--width 640] [--out docs/quality/sweep.csv]

Appends to the file, and leaves out what it holds already. As root, start it without
CAP_SYS_NICE (`setpriv --bounding-set -sys_nice --inh-caps -sys_nice`), which SVT would take real-time priority with.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bench.fit.encoders import Encoder, aom, jpeg, libjpeg, svt, webp
from bench.fit.judge import Judge, check
from bench.fit.photographs import files, resized

COLUMNS = ("photo", "width", "encoder", "effort", "quality", "bytes", "ssimulacra2", "ms")

#: Name and effort in the file -> encoder and the qualities, on its own scale, that are tried.
SWEPT: dict[tuple[str, str], tuple[Encoder, tuple[int, ...]]] = {
    ("libjpeg", "fast"): (libjpeg, (20, 30, 40, 50, 60, 75, 85, 90, 95)),
    ("jpeg", "fast"): (jpeg(), (25, 38, 50, 60, 70, 80, 88, 95)),
    ("jpeg444", "fast"): (jpeg(full_chroma=True), (80, 88, 93, 97)),
    ("webp", "fast"): (webp(2), (10, 30, 50, 65, 78, 88, 94, 98, 100)),
    ("webp", "thorough"): (webp(6), (30, 60, 80, 92, 98)),
    ("aom", "fast"): (aom(9), (25, 34, 40, 46, 52, 57, 62, 72, 77, 82, 86, 90, 96)),
    ("aom", "thorough"): (aom(6), (30, 37, 43, 50, 57, 68, 82, 94)),
    ("svt", "fast"): (svt, (30, 50, 65, 80, 92)),
}


def main() -> None:
    """Measure and append."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="+", help="files, and folders of them")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--encoders", nargs="*", default=sorted({name for name, _ in SWEPT}))
    parser.add_argument("--out", type=Path, default=Path("docs/quality/sweep.csv"))
    arguments = parser.parse_args()
    done = _done(arguments.out, arguments.width)
    for number, path in enumerate(files(arguments.photographs)):
        image = resized(path, arguments.width)
        if number == 0:
            print(f"largest difference from the package: {check(image):.4f}")
        rows = list(_measured(path.name, image, arguments.width, arguments.encoders, done))
        with arguments.out.open("a", encoding="ascii", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                writer.writerow(COLUMNS)
            writer.writerows(rows)
        print(path.name, len(rows), flush=True)


def _measured(
    name: str, image: Image.Image, width: int, encoders: list[str], done: set[tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    judge = Judge(image)
    for (encoder, effort), (function, qualities) in SWEPT.items():
        for quality in qualities:
            key = (name, str(width), encoder, effort, str(quality))
            if key in done or encoder not in encoders:
                continue
            began = time.process_time()
            body = function(image, quality)
            ms = (time.process_time() - began) * 1000
            yield (*key, str(len(body)), f"{judge.score(body):.2f}", f"{ms:.0f}")


def _done(out: Path, width: int) -> set[tuple[str, ...]]:
    if not out.exists():
        return set()
    with out.open(encoding="ascii", newline="") as file:
        rows = [tuple(row[name] for name in COLUMNS[:5]) for row in csv.DictReader(file)]
    return {row for row in rows if row[1] == str(width)}


if __name__ == "__main__":
    main()
