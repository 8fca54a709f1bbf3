"""
From which size on avif takes fewer bytes than webp at the same look: where `avif_min_pixels` comes from.

    python -m bench.fit.small measure PHOTOGRAPHS [--out docs/quality/small.csv]
    python -m bench.fit.small table [docs/quality/small.csv]

Scores are of the pictures enlarged to 256 pixels: SSIMULACRA2 is not made for smaller ones.
"""

import argparse
import csv
import io
import math
import statistics
from collections import defaultdict
from pathlib import Path

from PIL import Image

from bench.fit.curves import Points, interpolated
from bench.fit.encoders import Encoder, aom, webp
from bench.fit.judge import LEAST_EDGE, Judge
from bench.fit.photographs import files, resized

SMALL = Path(__file__).parents[2] / "docs" / "quality" / "small.csv"
COLUMNS = ("photo", "width", "pixels", "encoder", "quality", "bytes", "ssimulacra2")
WIDTHS = (32, 48, 64, 80, 96, 112, 128, 192, 256)
SCORES = (50, 60, 70, 80)
_ENCODERS: dict[str, tuple[Encoder, tuple[int, ...]]] = {
    "avif": (aom(9), (5, 15, 25, 38, 50, 62, 75, 90)),
    "webp": (webp(2), (0, 5, 15, 35, 60, 80, 92, 98)),
}


def measure(paths: list[Path], out: Path) -> None:
    """Measure and write."""
    with out.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for path in files(paths):
            for width in WIDTHS:
                image = resized(path, width)
                judge = Judge(_enlarged(image))
                for name, (encoder, qualities) in _ENCODERS.items():
                    for quality in qualities:
                        body = encoder(image, quality)
                        with Image.open(io.BytesIO(body)) as shown:
                            score = f"{judge(_enlarged(shown.convert('RGB'))):.1f}"
                        writer.writerow((path.name, width, image.width * image.height, name, quality, len(body), score))
            print(path.name, flush=True)


def _enlarged(image: Image.Image) -> Image.Image:
    """Enlarge a picture to the least size that SSIMULACRA2 is made for."""
    factor = math.ceil(LEAST_EDGE / min(image.size))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)


def table(path: Path) -> str:
    """Return avif's bytes as a share of webp's at equal look, as a Markdown table."""
    points: dict[tuple[int, str, str], Points] = defaultdict(list)
    pixels: dict[int, list[int]] = defaultdict(list)
    with path.open(encoding="ascii", newline="") as file:
        for row in csv.DictReader(file):
            width = int(row["width"])
            points[width, row["photo"], row["encoder"]].append((float(row["ssimulacra2"]), math.log(int(row["bytes"]))))
            pixels[width].append(int(row["pixels"]))
    lines = ["| width | pixels | avif / webp | avif smaller |", "| --- | --- | --- | --- |"]
    for width, sizes in sorted(pixels.items()):
        ratios = []
        for photo in {photo for at, photo, _ in points if at == width}:
            avif, webp_points = points[width, photo, "avif"], points[width, photo, "webp"]
            ratios += [
                math.exp(interpolated(avif, score) - interpolated(webp_points, score))
                for score in SCORES
                if all(min(each)[0] <= score <= max(each)[0] for each in (avif, webp_points))
            ]
        share = sum(ratio < 1 for ratio in ratios)
        mean = statistics.geometric_mean(ratios)
        lines.append(f"| {width} | {statistics.median(sizes):.0f} | {mean:.2f} | {share} of {len(ratios)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["measure", "table"])
    parser.add_argument("paths", type=Path, nargs="*", default=[SMALL], help="files, and folders of them")
    parser.add_argument("--out", type=Path, default=SMALL)
    arguments = parser.parse_args()
    if arguments.action == "measure":
        measure(arguments.paths, arguments.out)
    else:
        print(table(arguments.paths[0]))


if __name__ == "__main__":
    main()
