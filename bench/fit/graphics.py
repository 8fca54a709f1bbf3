"""
What graphics gain by being told from photographs: the table of docs/quality.md.

    python -m bench.fit.graphics

Each drawing of tests/support/drawings.py, and the drawn sample, at 640 pixels and as large as it is; q=75.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

from imgcdn.core.encoders.encoding import photograph_encoding
from imgcdn.core.output.plan import plan_for
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.request.params import Params
from imgcdn.engine.encode import encode
from imgcdn.engine.graphics import is_graphic
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from tests.support import drawings
from tests.support.planning import FAST, LIMITS

_CLIENTS: dict[str, ClientClass] = {"avif, webp": ("avif", "webp"), "webp": ("webp",), "neither": ()}
_DRAWN = (
    drawings.screenshot,
    drawings.red_text,
    drawings.grey_text,
    drawings.dark_page,
    drawings.code,
    drawings.bars,
    drawings.pie,
    drawings.logo,
    drawings.card,
    drawings.comic,
)


def main() -> None:
    """Measure and print."""
    print("| picture | width |" + "".join(f" {name}: before | after |" for name in _CLIENTS))
    print("| --- | ---: |" + " --- | --- |" * len(_CLIENTS))
    totals: dict[tuple[bool, str], list[int]] = {}
    for name, image in _pictures():
        cells = []
        for client, offered in _CLIENTS.items():
            before, after = _coded(image, offered, told=False), _coded(image, offered, told=True)
            cells += [_said(image, before), _said(image, after) if after != before else "as before"]
            total = totals.setdefault((image.width > 640, client), [0, 0])
            total[0] += len(before[1])
            total[1] += len(after[1])
        print(f"| {name} | {image.width} | " + " | ".join(cells) + " |", flush=True)
    for (whole, client), (before_bytes, after_bytes) in totals.items():
        print("whole" if whole else "at 640", client, f"{after_bytes / before_bytes:.0%}")


def _pictures() -> Iterator[tuple[str, Image.Image]]:
    chart = Image.open(Path(__file__).parents[2] / "sample_images" / "chart.png")
    drawn = [(draw.__name__.replace("_", " "), draw()) for draw in _DRAWN]
    for name, image in [*drawn, ("chart.png", chart.convert("RGB"))]:
        small = image.resize((640, round(640 * image.height / image.width)), Image.Resampling.LANCZOS)
        yield from ((name, each) for each in (small, image) if is_graphic(each))


def _coded(image: Image.Image, client: ClientClass, *, told: bool) -> tuple[str, bytes]:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    plan = plan_for(probe(file, max_pixels=10**8), Params(), client, LIMITS)
    plan = replace(plan, rewrap=False)
    if told:
        encoded = render(file, plan, FAST)
    else:
        encoded = encode(Image.open(file).convert("RGB"), photograph_encoding(plan, FAST))
    return encoded.format, encoded.body


def _said(image: Image.Image, coded: tuple[str, bytes]) -> str:
    name, body = coded
    with Image.open(io.BytesIO(body)) as shown:
        difference = ImageChops.difference(image.convert("RGB"), shown.convert("RGB"))
    mean = sum(ImageStat.Stat(difference).sum2) / (3 * image.width * image.height)
    likeness = f"{10 * math.log10(255**2 / mean):.0f} dB" if mean else "exact"
    return f"{name} {len(body) / 1000:.1f}, {likeness}"


if __name__ == "__main__":
    main()
