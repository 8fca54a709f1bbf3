"""
Pixels -> whether they are a graphic: drawn, in few flat colours and with sharp edges; not a photograph. And how much of
them has texture.

Every picture is tested, so the test looks only at 28 x 28 small tiles. They have full resolution, because a reduced
copy has no sharp edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from PIL import Image, ImageChops

from imgcdn.engine.tiles import paste_tiles

_TILES_PER_EDGE, _COARSE_TILES_PER_EDGE = 28, 10
_TILE_EDGE = 8

# Steps from a pixel to its neighbour, in the band where the step is largest. Steps of 1 and 2 are gradients and
# rounding, steps up to 24 mostly texture and noise of photographs, steps above 40 mostly drawn edges, also after
# resampling.
_FAINT_STEPS = slice(3, 25)
_SHARP = 40
_NONZERO = [0] + [255] * 255

# The limits separate charts, texts, screenshots and logos of at least 200 pixels' width from photographs: normal ones,
# dark ones, overexposed ones, those on white, those with a margin, and grey ones.
#
# Ratio of sharp steps to faint ones, plus twice the share of equal neighbours in tiles that are not flat.
_LEAST_CRISPNESS = 1.3
_LEAST_UNCHANGED = 0.1

# A coarse look at an eighth of the tiles measures up to a tenth less or more. Below 0.75 of the limit it is conclusive.
_COARSE_SHARE = 0.75

# Limit of the number of colours per changing pixel, and how much it rises with the flat share of the picture.
_MOST_COLOURS, _MORE_COLOURS = 0.35, 0.4

# Among the pixels that do not have the most common colour: the share of the next most common colours that are far from
# it. A photograph has at most one flat colour. A grey picture has at most 256 colours, so the limit is higher for it.
_LEAST_SECOND, _LEAST_SECOND_GREY, _GREYS = 0.06, 0.2, 256

# Letters and thin lines contain no flat areas. Letters of one ink have few colours and few faint steps. Lines on a
# ground leave most of it flat.
_INK_COLOURS, _INK_SHARPNESS = 0.12, 1.5
_LINE_COLOURS, _LINE_SHARPNESS, _LINE_FLAT = 0.43, 0.6, 0.6


@dataclass(frozen=True, slots=True)
class _TileMeasures:
    """
    Measures of some tiles.

    Args:
        sample: The tiles side by side.
        changed: Number of pixels that differ from their right or lower neighbour.
        flat: Share of the tiles without such a pixel: a white background, a margin, a black sky.
        unchanged: In the other tiles, the share of pixels that equal their neighbours.
        sharpness: Ratio of sharp steps to faint ones.
    """

    sample: Image.Image
    changed: int
    flat: float
    unchanged: float
    sharpness: float

    @property
    def crispness(self) -> float:
        return self.sharpness + 2 * self.unchanged


def is_graphic(image: Image.Image) -> bool:
    """
    Tell whether a picture is a graphic. A photograph never is; a drawing with soft shadows or noise may not be.

    Args:
        image: Mode L, LA, RGB or RGBA, at the size of the output.
    """
    if min(image.size) <= _TILE_EDGE:
        return False
    # An optimisation: 10 x 10 tiles are enough to reject 24 photographs of 25, in 0.2 ms instead of 0.8.
    if _measure(image, _COARSE_TILES_PER_EDGE).crispness < _LEAST_CRISPNESS * _COARSE_SHARE:
        return False
    found = _measure(image, _TILES_PER_EDGE)
    crisp = found.unchanged >= _LEAST_UNCHANGED and found.crispness >= _LEAST_CRISPNESS
    return crisp and _has_few_colours(found)


def textured_share(image: Image.Image) -> float:
    """
    Return the share of pixels that differ from a neighbour by more than a gradient does.

    Of most photographs it is above 0.6, of a sunset or a product on white about 0.1.

    Args:
        image: As for `is_graphic`.
    """
    if min(image.size) <= _TILE_EDGE:
        return 1.0
    columns, rows = (_starts(edge, _COARSE_TILES_PER_EDGE) for edge in image.size)
    counts = _steps(_sample(image, columns, rows)).histogram()
    return sum(counts[_FAINT_STEPS.start :]) / (len(columns) * len(rows) * _TILE_EDGE * _TILE_EDGE)


def _measure(image: Image.Image, tiles: int) -> _TileMeasures:
    columns, rows = _starts(image.width, tiles), _starts(image.height, tiles)
    sample = _sample(image, columns, rows)
    steps = _steps(sample)
    counts = steps.histogram()
    changed = sum(counts[1:])
    flat = steps.point(_NONZERO).reduce(_TILE_EDGE + 1).histogram()[0] / (len(columns) * len(rows))
    pixels = (1 - flat) * len(columns) * len(rows) * _TILE_EDGE * _TILE_EDGE
    sharpness = sum(counts[_SHARP:]) / max(1, sum(counts[_FAINT_STEPS]))
    unchanged = 1 - changed / max(1, round(pixels))
    return _TileMeasures(sample, changed, flat, unchanged=unchanged, sharpness=sharpness)


def _has_few_colours(measures: _TileMeasures) -> bool:
    sample = measures.sample
    found = sample.getcolors(max(2, int(measures.changed * (_MOST_COLOURS + _MORE_COLOURS))))
    if found is None:
        return False
    found.sort(key=lambda entry: -entry[0])
    most, ground = found[0]
    far = sum(islice((count for count, colour in found if _differ(colour, ground)), 3))
    second, colours = far / max(1, sample.width * sample.height - most), len(found) / max(1, measures.changed)
    grey = len(found) <= _GREYS
    if second >= (_LEAST_SECOND_GREY if grey else _LEAST_SECOND):
        return colours <= _MOST_COLOURS + _MORE_COLOURS * second
    inked = colours <= _INK_COLOURS and measures.sharpness >= _INK_SHARPNESS
    lined = colours <= _LINE_COLOURS and measures.sharpness >= _LINE_SHARPNESS and measures.flat >= _LINE_FLAT
    return inked or (lined and not grey)


def _differ(colour: object, ground: object) -> bool:
    if isinstance(colour, tuple) and isinstance(ground, tuple):
        return any(abs(a - b) >= _SHARP for a, b in zip(colour, ground, strict=True))
    return isinstance(colour, int) and isinstance(ground, int) and abs(colour - ground) >= _SHARP


def _starts(length: int, tiles: int) -> list[int]:
    """Return the starts of evenly spread tiles on an edge. Each tile is one pixel longer, for its last neighbour."""
    tiles = min(tiles, (length - 1) // _TILE_EDGE)
    free = length - 1 - _TILE_EDGE
    return [round(index * free / max(1, tiles - 1)) for index in range(tiles)]


def _sample(image: Image.Image, columns: Sequence[int], rows: Sequence[int]) -> Image.Image:
    sample = paste_tiles(image, columns, rows, (_TILE_EDGE + 1, _TILE_EDGE + 1))
    # Multiplied by alpha, so that the colour of transparent pixels has no effect.
    return sample.convert("RGBA").convert("RGBa") if sample.mode in ("LA", "RGBA") else sample


def _steps(sample: Image.Image) -> Image.Image:
    """Return the largest step from each pixel to its right and lower neighbour; 0 in the tiles' last row and column."""
    right = ImageChops.difference(sample, ImageChops.offset(sample, -1, 0))
    below = ImageChops.difference(sample, ImageChops.offset(sample, 0, -1))
    first, *others = ImageChops.lighter(right, below).split()
    for band in others:
        first = ImageChops.lighter(first, band)
    return ImageChops.darker(first, _inner(sample.size))


@lru_cache(maxsize=8)  # all but small pictures have one of two sizes
def _inner(size: tuple[int, int]) -> Image.Image:
    tile = Image.new("L", (_TILE_EDGE + 1, _TILE_EDGE + 1))
    tile.paste(255, (0, 0, _TILE_EDGE, _TILE_EDGE))
    mask = Image.new("L", size)
    for left in range(0, size[0], _TILE_EDGE + 1):
        mask.paste(tile, (left, 0))
    strip = mask.crop((0, 0, size[0], _TILE_EDGE + 1))
    for top in range(_TILE_EDGE + 1, size[1], _TILE_EDGE + 1):
        mask.paste(strip, (0, top))
    return mask
