"""
Pixels -> a text that a page uses until the picture has loaded: a hash, a data URI, or JSON with all of them and the
facts.

Hashes and data URIs are made from a copy of half the edge that a plan for a placeholder has; the dominant colour from
the whole copy.
"""

import base64
import io
import json
from collections import Counter
from itertools import product
from operator import add, sub

from PIL import Image
from PIL.Image import Resampling

from imgcdn.core.output.formats import WEBP
from imgcdn.core.output.geometry import fit_within
from imgcdn.core.output.placeholders import COPY_EDGE
from imgcdn.core.output.plan import Plan
from imgcdn.core.request.params import WHITE
from imgcdn.core.values import Effort, EncodedImage
from imgcdn.engine.encode import HALF_ALPHA
from imgcdn.engine.hashes import blurhash, thumbhash

# The finest cosine in a hash has 6 half periods, and a data URI of the length below has no room for more pixels.
_SMALL_EDGE = COPY_EDGE // 2

#: Length below which a data URI stays: short enough for every picture of a long page.
LQIP_CHARACTERS = 400

# Longest edge and quality; the first that fits is taken. Chosen by looking at them side by side: more pixels look more
# like the picture, until below 35 its colours turn blotchy. The last two are for noise; the last always fits.
_LQIP_STEPS = (
    *((32, 60), (32, 45), (32, 35)),
    *((24, 60), (24, 40), (20, 50), (16, 60), (16, 35), (12, 60)),
    *((12, 20), (8, 20)),
)

# The quality of alpha. Bytes for alpha are missing for colour; at 10, edges are still soft.
_LQIP_ALPHA_QUALITY = 10

# A value of one band -> one of 16 steps, counted from 1. A cube is two steps wide and may begin at any step, so every
# colour lies well inside some cube.
_CELL = bytes(1 + (value >> 4) for value in range(256))
_CUBE = tuple(product((0, 1), repeat=3))


def describe(image: Image.Image, plan: Plan, *, original_bytes: int, partial: bool = False) -> EncodedImage:
    """
    Return the text that the plan's format asks for.

    Args:
        image: Upright, sRGB, mode L, LA, RGB or RGBA; at most `core.output.placeholders.COPY_EDGE` pixels each way.
        plan: Only `format` and `original` are used.
        original_bytes: Length of the original's file.
        partial: Whether the original ends early, so that pixels are missing.
    """
    # Savers copy what they find here.
    image.info = {}
    text = {"blurhash": _blurhash, "thumbhash": _thumbhash, "lqip": _lqip}.get(plan.format)
    body = text(image) if text else _json(image, plan, original_bytes, partial=partial)
    return EncodedImage(body.encode("ascii"), plan.format, image.size, frames=1, effort=Effort.FAST, partial=partial)


def _json(image: Image.Image, plan: Plan, original_bytes: int, *, partial: bool) -> str:
    assert plan.original is not None
    original = plan.original
    fields = {
        "width": original.size[0],
        "height": original.size[1],
        "format": original.format,
        "frames": original.frames,
        "alpha": original.alpha,
        "bytes": original_bytes,
        "color": dominant_colour(image),
        "blurhash": _blurhash(image),
        "thumbhash": _thumbhash(image),
        "lqip": _lqip(image),
        **({"partial": True} if partial else {}),
    }
    return json.dumps(fields) + "\n"


def dominant_colour(image: Image.Image) -> str:
    """
    Return the dominant colour of the visible pixels, as `#rrggbb`; white if no pixel is visible.

    It is the mean of the fullest cube in RGB. The mean of all pixels is mostly a grey that is nowhere in the picture; a
    median cut makes cells that are equally full, and an octree's cells end where a sky may begin.
    """
    pixels = image.convert("RGBA").tobytes()
    seen = [pixels[at : at + 3] for at in range(0, len(pixels), 4) if pixels[at + 3] >= HALF_ALPHA]
    if not seen:
        return "#" + bytes(WHITE).hex()
    cells = [colour.translate(_CELL) for colour in seen]
    counts = Counter(cells)
    # An optimisation: only cubes around the 32 fullest cells are tried. Trying all takes 20 ms for a picture of noise.
    firsts = [bytes(map(sub, cell, corner)) for cell, _ in counts.most_common(32) for corner in _CUBE]
    cubes = [[bytes(map(add, first, corner)) for corner in _CUBE] for first in firsts]
    fullest = max(cubes, key=lambda cube: sum(counts[cell] for cell in cube))
    colours = [colour for colour, cell in zip(seen, cells, strict=True) if cell in fullest]
    return "#" + bytes((sum(band) + len(colours) // 2) // len(colours) for band in zip(*colours, strict=True)).hex()


def _blurhash(image: Image.Image) -> str:
    """Lay what is transparent on white: the hash has no alpha."""
    if image.mode in ("LA", "RGBA"):
        flat = Image.new("RGB", image.size, WHITE)
        flat.paste(image.convert("RGB"), mask=image.getchannel("A"))
        image = flat
    square = _square(image).convert("RGB")
    return blurhash(square.tobytes(), square.size, image.size)


def _thumbhash(image: Image.Image) -> str:
    square = _square(image).convert("RGBA")
    return thumbhash(square.tobytes(), square.size, image.size)


def _lqip(image: Image.Image) -> str:
    """
    Return a data URI of less than `LQIP_CHARACTERS`.

    WebP: AVIF's and JPEG's headers alone take about 300 bytes, and a PNG of 16 colours takes nearly twice a WebP's.
    """
    colour = image.convert("RGBA" if image.mode in ("LA", "RGBA") else "RGB")
    uri = ""
    for edge, quality in _LQIP_STEPS:
        out = io.BytesIO()
        colour.resize(fit_within(colour.size, edge), Resampling.LANCZOS).save(
            out, "WEBP", quality=quality, alpha_quality=_LQIP_ALPHA_QUALITY, method=6
        )
        uri = f"data:{WEBP.media_type};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
        if len(uri) < LQIP_CHARACTERS:
            break
    return uri


def _square(image: Image.Image) -> Image.Image:
    """Resize a picture to a square, because a short edge has too few pixels to measure a cosine on."""
    return image.resize((_SMALL_EDGE, _SMALL_EDGE), Resampling.LANCZOS)
