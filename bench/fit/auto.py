"""
q=auto against the real metric.

    python -m bench.fit.auto measure PHOTOS CSV    score each encoding with SSIMULACRA2 and with the engine's measure
    python -m bench.fit.auto fit CSV               print the engine's WEIGHTS and typical looks, from one half of them
    python -m bench.fit.auto check CSV             print how near q=auto comes to its target, on the other half
    python -m bench.fit.auto try PHOTOS WIDTH      the same through the whole encoder, at a width not fitted to
    python -m bench.fit.auto time PHOTOS           print the time of q=auto as a share of that of a fixed q

`pip install '.[bench]'` brings the metric. Photographs whose name's CRC-32 is even are for fitting, the others for
checking. SSIMULACRA2 is defined on six scales: below 256 pixels an edge it is left with five and their weights no
longer fit, so such pictures are left out.
"""

import csv
import io
import statistics
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image

from imgcdn.core.encoders.encoding import quick_encoding
from imgcdn.core.encoders.quality import encoder_quality
from imgcdn.core.output.plan import Plan, plan_for
from imgcdn.core.request.params import DEFAULT_TARGET, Params
from imgcdn.engine.encode import encode, encode_quickly
from imgcdn.engine.probe import probe
from imgcdn.engine.quality import TYPICAL_Q, Sample, estimated_score, score, search
from imgcdn.engine.render import render
from tests.support.planning import FAST, LIMITS

WIDTHS = (480, 640, 1024)
LEAST_EDGE = 256
FORMAT_OF = {"jpeg": "jpeg", "webp": "webp", "aom": "avif"}
QUALITIES = {
    "jpeg": (20, 30, 40, 50, 60, 70, 78, 85, 90, 95),
    "webp": (15, 30, 45, 60, 70, 78, 85, 92),
    "aom": (24, 34, 40, 44, 48, 52, 56, 62, 70, 80),
}
TARGETS = (60, 75, 85)

# What nobody asks for is neither measured nor fitted.
LEAST_LOOK = 20.0
FITTED = (48.0, 93.0)
NEAR = 4.0


class Encoding(NamedTuple):
    """One row: a photograph at a width, encoded once."""

    photo: str
    width: int
    encoder: str
    quality: int
    ssimulacra2: float
    distances: tuple[float, ...]

    @property
    def is_held_out(self) -> bool:
        """Whether the photograph is one of those that nothing was fitted to."""
        return _is_held_out(self.photo)


def _is_held_out(photo: str) -> bool:
    return zlib.crc32(photo.encode()) % 2 == 1


def read(file: Path) -> list[Encoding]:
    """Read what `measure` wrote."""
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    return [
        Encoding(photo, int(width), encoder, int(quality), float(score), tuple(map(float, distances)))
        for photo, width, encoder, quality, score, *distances in rows
    ]


def found_looks(rows: list[Encoding], target: float, *, encoder: str) -> list[float]:
    """
    Return the SSIMULACRA2 that q=auto gives each photograph and width.

    Between the encodings that were measured both the metric and the engine's measure are taken to be straight. Left
    out is what cannot reach the target, or cannot miss it, at any q that was measured.
    """
    found = []
    for curve in _curves(rows, encoder):
        if not curve[0].ssimulacra2 - NEAR < target < curve[-1].ssimulacra2 + NEAR:
            continue
        guess = _between([(row.quality, estimated_score(row.distances)) for row in curve])
        truth = _scores(curve)
        q = search(target, lambda q, guess=guess: guess(encoder_quality(encoder, q) or 0))  # type: ignore[misc]  # binds the loop's
        found.append(truth(encoder_quality(encoder, q) or 0))
    return found


def _curves(rows: list[Encoding], encoder: str) -> Iterator[list[Encoding]]:
    pictures = defaultdict(list)
    for row in rows:
        if row.encoder == encoder:
            pictures[row.photo, row.width].append(row)
    for curve in pictures.values():
        if len(curve) > 1:
            yield sorted(curve, key=lambda row: row.quality)


def _scores(curve: list[Encoding]) -> Callable[[float], float]:
    return _between([(row.quality, row.ssimulacra2) for row in curve])


def _between(points: list[tuple[int, float]]) -> Callable[[float], float]:
    def at(x: float) -> float:
        right = next((index for index, (known, _) in enumerate(points) if known >= x and index), len(points) - 1)
        (x0, y0), (x1, y1) = points[right - 1 : right + 1]
        return y0 + (y1 - y0) * min(max((x - x0) / (x1 - x0), 0.0), 1.0)

    return at


def measure(photos: Path, file: Path, widths: Iterable[int]) -> None:
    """Encode each photograph at each width, encoder and quality; write what comes of it as it comes."""
    from bench.fit.judge import Judge  # noqa: PLC0415  # needs the extra `bench`

    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["photo", "width", "encoder", "quality", "ssimulacra2", "y1", "y4", "x4", "b16"])
        for path, width in ((path, width) for path in sorted(photos.iterdir()) for width in widths):
            picture = reference(path, width)
            if picture is None:
                continue
            judge, sample = Judge(picture), Sample(picture)
            for encoder, quality in ((name, q) for name, qualities in QUALITIES.items() for q in qualities):
                with Image.open(encode_quickly(picture, encoder, quality)) as encoded:
                    found = judge(encoded.convert("RGB"))
                if found >= LEAST_LOOK:
                    distances = sample.distances(encode_quickly(sample.picture, encoder, quality))
                    numbers = [f"{number:.6g}" for number in distances]
                    writer.writerow([path.name, width, encoder, quality, f"{found:.3f}", *numbers])
            out.flush()


def reference(path: Path, width: int) -> Image.Image | None:
    """Return a photograph at a width; None where it is not that wide, or the metric does not apply."""
    with Image.open(path) as image:
        height = max(1, round(width * image.height / image.width))
        if image.width < width or min(width, height) < LEAST_EDGE:
            return None
        image.draft("RGB", (width * 2, height * 2))
        return image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def fit(rows: list[Encoding]) -> tuple[float, ...]:
    """Return the weights that bring the engine's measure nearest to the metric on the photographs for fitting."""
    import numpy as np  # noqa: PLC0415  # of the extra `bench`
    from scipy.optimize import nnls  # noqa: PLC0415

    rows = [row for row in rows if not row.is_held_out and FITTED[0] < row.ssimulacra2 < FITTED[1]]
    sums = np.array([_sum_of(row.ssimulacra2) for row in rows])
    terms = np.array([[*row.distances, 1.0] for row in rows])
    # A score goes with about the power 0.63 of its sum: so weighed, errors count alike in points. No weight may be
    # negative, as none of the metric's is.
    importance = sums**-0.37
    weights, _ = nnls(terms * importance[:, None], sums * importance)
    return tuple(float(weight) for weight in weights)


def typical(rows: list[Encoding]) -> list[tuple[int, float]]:
    """Return the look at each q: the mean, over the encoders, of the medians of the photographs for fitting."""
    curves = {encoder: list(_curves([row for row in rows if not row.is_held_out], encoder)) for encoder in QUALITIES}
    looks = []
    for q in TYPICAL_Q:
        medians = [
            statistics.median(_scores(curve)(encoder_quality(encoder, q) or 0) for curve in curves[encoder])
            for encoder in QUALITIES
        ]
        looks.append((q, statistics.mean(medians)))
    return looks


def _sum_of(wanted: float) -> float:
    """Return the sum of SSIMULACRA2's terms that gives this score."""
    low, high = 0.0, 60.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) > wanted else (low, middle)
    return low


def check(rows: list[Encoding]) -> None:
    """Print the table of docs/quality-auto.md."""
    held = [row for row in rows if row.is_held_out]
    print("| target | encoder | pictures | within 4 points | median miss | worst miss | a fixed q within 4 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for target in TARGETS:
        for encoder in QUALITIES:
            found = found_looks(held, target, encoder=encoder)
            misses = [abs(one - target) for one in found]
            near = sum(miss <= NEAR for miss in misses) / len(misses)
            fixed = _best_fixed(held, target, encoder=encoder)
            print(
                f"| {target} | {encoder} | {len(misses)} | {near:.0%} | {statistics.median(misses):.1f} "
                f"| {max(misses):.1f} | {fixed:.0%} |"
            )


def _best_fixed(rows: list[Encoding], target: float, *, encoder: str) -> float:
    """Return the share that the best of all fixed qualities would bring near the target."""
    curves = [
        _scores(curve)
        for curve in _curves(rows, encoder)
        if curve[0].ssimulacra2 - NEAR < target < curve[-1].ssimulacra2 + NEAR
    ]
    return max(sum(abs(at(quality) - target) <= NEAR for at in curves) / len(curves) for quality in range(10, 100))


def trial(photos: Path, width: int, *, target: float = DEFAULT_TARGET) -> None:
    """Encode what was held out with q=auto, and print how far from the target the metric finds it."""
    from bench.fit.judge import Judge  # noqa: PLC0415  # needs the extra `bench`

    for encoder, fmt in FORMAT_OF.items():
        misses = []
        for path in sorted(photos.iterdir()):
            picture = reference(path, width) if _is_held_out(path.name) else None
            if picture is None:
                continue
            encoding = replace(quick_encoding(encoder, None), target=int(target))
            with Image.open(io.BytesIO(encode(picture, encoding).body)) as encoded:
                misses.append(Judge(picture)(encoded.convert("RGB")) - target)
        near = sum(abs(miss) <= NEAR for miss in misses)
        print(f"{fmt}: {near} of {len(misses)} within {NEAR:g} points;", *(f"{miss:+.1f}" for miss in misses))


def times(photos: Path) -> None:
    """Print how long q=auto takes, as a share of the time of a fixed q, alternating; the best of five each."""
    for width in WIDTHS:
        for fmt in ("jpeg", "webp", "avif"):
            shares = []
            for path in sorted(photos.iterdir()):
                with path.open("rb") as file:
                    facts = probe(file, max_pixels=10**9)
                    if facts.size[0] < width:
                        continue
                    auto, fixed = (
                        plan_for(facts, replace(Params(width=width, format=fmt), q=q), (), LIMITS) for q in (None, 75)
                    )
                    best = _alternating(file, auto, fixed)
                    shares.append(best[0] / best[1])
            print(f"{width} {fmt}: median {statistics.median(shares):.2f}, worst {max(shares):.2f} of {len(shares)}")


def _alternating(file: BinaryIO, *plans: Plan, rounds: int = 5) -> list[float]:
    best = [float("inf")] * len(plans)
    for _ in range(rounds):
        for index, plan in enumerate(plans):
            file.seek(0)
            began = time.perf_counter()
            render(file, plan, FAST)
            best[index] = min(best[index], time.perf_counter() - began)
    return best


def main() -> None:
    """Run one of the commands above."""
    match sys.argv[1:]:
        case ["measure", photos, file, *widths]:
            measure(Path(photos), Path(file), [int(width) for width in widths or WIDTHS])
        case ["fit", file]:
            rows = read(Path(file))
            print("WEIGHTS =", tuple(round(weight, 2) for weight in fit(rows)))
            print("typical:", ", ".join(f"{q}: {look:.1f}" for q, look in typical(rows)))
        case ["check", file]:
            check(read(Path(file)))
        case ["try", photos, width]:
            trial(Path(photos), int(width))
        case ["time", photos]:
            times(Path(photos))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
