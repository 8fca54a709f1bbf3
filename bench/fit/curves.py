"""
Fit the curves of q to a sweep, and judge them by photographs that they were not fitted to.

    python -m bench.fit.curves [docs/quality/sweep.csv] [--width 640]

The photographs are halved: every second by name. Each half is judged by curves that were fitted to the other; the
service's are fitted to both. Needs no more than the service does.
"""

import argparse
import csv
import statistics
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from imgcdn.core.encoders.encoding import FULL_CHROMA_Q
from imgcdn.core.encoders.quality import FITTED_Q, encoder_quality
from imgcdn.core.encoders.quantisation import table_quality
from imgcdn.core.values import Effort

SWEEP = Path(__file__).parents[2] / "docs" / "quality" / "sweep.csv"
SCORED = (30, 50, 60, 75, 85, 95)
ANCHOR = "libjpeg"

#: Width of the photographs that count for the fit.
WIDTH = 640

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Sweep:
    """
    What was measured at one width.

    Args:
        photos: In order of their names.
        scores: (photograph, encoder, effort) -> points of quality and SSIMULACRA2.
        sizes: The same -> points of SSIMULACRA2 and bytes.
        times: (encoder, effort) -> milliseconds.
    """

    photos: list[str]
    scores: dict[tuple[str, str, str], Points]
    sizes: dict[tuple[str, str, str], Points]
    times: dict[tuple[str, str], list[float]]

    @property
    def halves(self) -> tuple[list[str], list[str]]:
        """Every second photograph by name, from the first and from the second on."""
        return self.photos[::2], self.photos[1::2]


def read(path: Path = SWEEP, width: int = WIDTH) -> Sweep:
    """Read a sweep's file."""
    scores, sizes, times = defaultdict(list), defaultdict(list), defaultdict(list)
    with path.open(encoding="ascii", newline="") as file:
        for row in csv.DictReader(file):
            if int(row["width"]) == width:
                key = (row["photo"], row["encoder"], row["effort"])
                scores[key].append((float(row["quality"]), float(row["ssimulacra2"])))
                sizes[key].append((float(row["ssimulacra2"]), float(row["bytes"])))
                times[key[1:]].append(float(row["ms"]))
    photos = sorted({photo for photo, _, _ in scores})
    return Sweep(photos, dict(scores), dict(sizes), dict(times))


def interpolated(points: Points, x: float) -> float:
    """Return the value at x of the line through the points, and beyond its ends of its last pieces."""
    points = sorted(points)
    right = min(max(1, bisect_left([at for at, _ in points], x)), len(points) - 1)
    (x0, y0), (x1, y1) = points[right - 1], points[right]
    return y0 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def difference(sweep: Sweep, photos: Iterable[str], q: int, encoder: tuple[str, str], quality: float) -> list[float]:
    """Return, for each photograph, how much better an encoder at a quality looks than the scale at q."""
    return [
        interpolated(sweep.scores[photo, *encoder], quality) - interpolated(sweep.scores[photo, ANCHOR, "fast"], q)
        for photo in photos
    ]


def fit(sweep: Sweep, photos: list[str], q: int, encoder: tuple[str, str]) -> float:
    """
    Return the quality at which the photographs, a few odd ones apart, look as the scale does at q on average.

    A mean without the highest and the lowest fifth scatters less than a median does, from one set of photographs to
    the next.
    """
    low, high = 1.0, 100.0
    while high - low > 0.01:
        middle = (low + high) / 2
        found = sorted(difference(sweep, photos, q, encoder, middle))
        odd = len(found) // 5
        if statistics.mean(found[odd : len(found) - odd]) < 0:
            low = middle
        else:
            high = middle
    return low


#: What the service uses at a q -> how it is set there, on the scale of the sweep's file.
USED: dict[tuple[str, str], Callable[[int], float]] = {
    ("jpeg", "fast"): lambda q: table_quality(q, full_chroma=False),
    ("jpeg444", "fast"): lambda q: table_quality(q, full_chroma=True),
    ("webp", "fast"): lambda q: encoder_quality("webp", q) or 0,
    ("webp", "thorough"): lambda q: encoder_quality("webp", q, Effort.THOROUGH) or 0,
    ("aom", "fast"): lambda q: encoder_quality("aom", q) or 0,
    ("aom", "thorough"): lambda q: encoder_quality("aom", q, Effort.THOROUGH) or 0,
    ("svt", "fast"): lambda q: encoder_quality("svt", q) or 0,
}


def used_at(encoder: str, q: int) -> bool:
    """Tell whether the service uses an encoder at a q."""
    return (encoder not in ("jpeg", "svt") or q < FULL_CHROMA_Q) and (encoder != "jpeg444" or q >= FULL_CHROMA_Q)


def left_over(sweep: Sweep, encoder: tuple[str, str], q: int) -> list[float]:
    """Return the differences from the scale that the service's own curve leaves."""
    return difference(sweep, sweep.photos, q, encoder, USED[encoder](q))


def held_out(sweep: Sweep, encoder: tuple[str, str], q: int) -> tuple[list[float], list[float]]:
    """Return the differences that are left in each half by a curve that was fitted to the other."""
    first, second = sweep.halves
    return (
        difference(sweep, first, q, encoder, fit(sweep, second, q, encoder)),
        difference(sweep, second, q, encoder, fit(sweep, first, q, encoder)),
    )


def table(sweep: Sweep) -> str:
    """Return the differences of held-out photographs: the median of all, of each half, and the worst."""
    lines = ["| | " + " | ".join(f"q={q}" for q in SCORED) + " |", "| --- |" + " --- |" * len(SCORED)]
    for encoder in (encoder for encoder in USED if encoder in sweep.times):
        cells = []
        for q in SCORED:
            first, second = held_out(sweep, encoder, q) if used_at(encoder[0], q) else ([], [])
            medians = [f"{statistics.median(found):+.1f}" for found in (first + second, first, second) if found]
            worst = max(first + second, key=abs, default=0)
            cells.append(f"{medians[0]} ({medians[1]}, {medians[2]}; {worst:+.0f})" if medians else "")
        lines.append(f"| {' '.join(encoder)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Fit, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=Path, nargs="?", default=SWEEP)
    parser.add_argument("--width", type=int, default=WIDTH)
    arguments = parser.parse_args()
    sweep = read(arguments.sweep, arguments.width)
    print(f"{len(sweep.photos)} photographs\n")
    for encoder in sweep.times:
        if encoder[0] == ANCHOR:
            continue
        knots = [round(fit(sweep, sweep.photos, q, encoder), 1) for q in FITTED_Q[1:-1]]
        print(f"{' '.join(encoder):14} {(1, *knots, 100)}")
    scale = [statistics.median(interpolated(sweep.scores[p, ANCHOR, "fast"], q) for p in sweep.photos) for q in SCORED]
    print("\nSSIMULACRA2 of the scale, median:", " ".join(f"{score:.0f}" for score in scale))
    print(f"\nHeld-out photographs, median (of each half; the worst):\n\n{table(sweep)}\n\nThe service's curves:\n")
    for encoder in (encoder for encoder in USED if encoder in sweep.times):
        medians = [statistics.median(left_over(sweep, encoder, q)) for q in SCORED if used_at(encoder[0], q)]
        print(f"{' '.join(encoder):14} {' '.join(f'{median:+.1f}' for median in medians)}")


if __name__ == "__main__":
    main()
