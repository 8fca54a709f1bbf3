"""
Draw what the curves of q achieve: the median look of the photographs over q, for each encoder.

    python -m bench.fit.plot [--out docs/quality/curves.svg]
"""

import argparse
import statistics
from collections.abc import Iterable
from pathlib import Path

from bench.fit.curves import ANCHOR, USED, Points, Sweep, interpolated, read, used_at

_WIDTH, _HEIGHT, _MARGIN = 640, 400, 40
_QS = range(25, 98, 2)
_LOW, _HIGH = 35, 95
_COLOURS = ("#d95f02", "#7570b3", "#1b9e77", "#66a61e", "#e7298a", "#a6761d", "#666")


def lines(sweep: Sweep) -> Iterable[tuple[str, Points]]:
    """Yield the scale and each encoder: a name, and points of q and median SSIMULACRA2."""
    photos = sweep.photos
    scale = [(q, statistics.median(interpolated(sweep.scores[p, ANCHOR, "fast"], q) for p in photos)) for q in _QS]
    yield "the scale: libjpeg-turbo 4:2:0", [(float(q), score) for q, score in scale]
    for (encoder, effort), set_at in USED.items():
        points = []
        for q in _QS:
            if used_at(encoder, q):
                scores = [interpolated(sweep.scores[photo, encoder, effort], set_at(q)) for photo in photos]
                points.append((float(q), statistics.median(scores)))
        yield f"{encoder} {effort}", points


def drawn(named: Iterable[tuple[str, Points]]) -> str:
    """Return an SVG of the lines."""
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for q in range(30, 100, 10):
        parts.append(f'<path d="M{_x(q):.0f},{_y(_LOW):.0f}V{_y(_HIGH):.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{_x(q):.0f}" y="{_HEIGHT - 20}" text-anchor="middle">q={q}</text>')
    for score in range(40, 100, 10):
        parts.append(f'<path d="M{_MARGIN},{_y(score):.0f}H{_WIDTH - 10}" stroke="#ddd"/>')
        parts.append(f'<text x="{_MARGIN - 6}" y="{_y(score) + 4:.0f}" text-anchor="end">{score}</text>')
    for number, (name, points) in enumerate(named):
        colour, width = ("#000", 4) if number == 0 else (_COLOURS[number - 1], 1.5)
        path = "L".join(f"{_x(q):.1f},{_y(score):.1f}" for q, score in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        parts.append(f'<text x="{_WIDTH - 240}" y="{_HEIGHT - 160 + 16 * number}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _x(q: float) -> float:
    return _MARGIN + (q - _QS[0]) / (_QS[-1] - _QS[0]) * (_WIDTH - _MARGIN - 10)


def _y(score: float) -> float:
    return 10 + (_HIGH - score) / (_HIGH - _LOW) * (_HEIGHT - 10 - _MARGIN)


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/quality/curves.svg"))
    arguments = parser.parse_args()
    arguments.out.write_text(drawn(lines(read())), encoding="utf-8")


if __name__ == "__main__":
    main()
