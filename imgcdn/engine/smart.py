"""
Pixels -> where the subject of a picture seems to be.

As in smartcrop.js (https://github.com/jwagner/smartcrop.js), pixels attract by edges, saturated colour and skin tones.
The search uses a copy whose edges have a few dozen pixels. Edges and colours count as contrast with what lies around
them, in brightness and in both differences of colour: a saturated sky is no subject.
"""

from itertools import accumulate

from PIL import Image, ImageChops, ImageFilter
from PIL.Image import Resampling

from imgcdn.core.output.geometry import CENTER, Box, Position

# Edges of the copy in pixels. The short one is fixed, so that the crop of a panorama is placed as finely as that of
# another picture.
_SHORT_EDGE = 40
_LONGEST_EDGE = 256

# Samples to a pixel of the copy, each way: averaging all of a large picture would take as long as decoding it.
_SAMPLES = 6

# Sigma of what lies around a pixel, as a share of the short edge. Values from 8 to 13 % gave the same crops of ten
# photographs.
_AROUND = 0.1

# The weight of skin against full contrast. From 0 to 0.15 the crops were the same; from 0.2 on, wooden tables and sand
# were taken for skin.
_SKIN_WEIGHT = 0.125
_SKIN = [round(value * _SKIN_WEIGHT) for value in range(256)]

# How much less a subject counts at the crop's edges (0 to 0.5 gave the same crops), and how much a position away from
# the center is discounted (0.2 to 0.35 gave the same).
_EDGE_DISCOUNT = 0.25
_CENTER_BIAS = 0.25


def locate_subject(image: Image.Image, bounds: Box, crop: Box) -> Position:
    """
    Return the position at which a crop keeps most of the subject, in percent of the free space.

    Args:
        image: L, LA, RGB, RGBA or CMYK, upright; its colours are taken for sRGB.
        bounds: The part of it that may be kept.
        crop: Only its size is used. In one direction it is as long as the bounds.

    Returns:
        The center if no part attracts more than another.
    """
    shares = [(crop[axis + 2] - crop[axis]) / (bounds[axis + 2] - bounds[axis]) for axis in (0, 1)]
    axis = shares.index(min(shares))
    percent = _best(_sums_along(_layers(_copied(image, bounds)), axis), shares[axis])
    return (percent, CENTER[1]) if axis == 0 else (CENTER[0], percent)


def _copied(image: Image.Image, bounds: Box) -> Image.Image:
    """Return a small RGBA copy of a part."""
    edges = bounds[2] - bounds[0], bounds[3] - bounds[1]
    scale = min(1.0, _SHORT_EDGE / min(edges), _LONGEST_EDGE / max(edges))
    width, height = (max(1, round(edge * scale)) for edge in edges)
    sampled = (min(round(edges[0]) or 1, width * _SAMPLES), min(round(edges[1]) or 1, height * _SAMPLES))
    samples = image.resize(sampled, Resampling.NEAREST, box=bounds)
    if samples.mode == "CMYK":
        samples = samples.convert("RGB")
    return samples.convert("RGBA").resize((width, height), Resampling.BOX)


def _layers(copy: Image.Image) -> list[Image.Image]:
    """Return what attracts, in layers of one band."""
    alpha = copy.getchannel("A")
    # Transparent pixels become mid-grey, which contrasts equally with black and white.
    shown = Image.new("RGB", copy.size, (128, 128, 128))
    shown.paste(copy, mask=alpha)
    # Pillow cannot blur YCbCr, so its bands are labelled as RGB.
    bands = Image.merge("RGB", shown.convert("YCbCr").split())
    around = bands.filter(ImageFilter.GaussianBlur(max(1.0, min(copy.size) * _AROUND)))
    contrast = ImageChops.difference(bands, around)
    # In a picture with alpha, the visible part itself is the subject.
    subjects = _skin(shown) if alpha.getextrema() == (255, 255) else alpha.point(_SKIN)
    return [*(ImageChops.multiply(band, alpha) for band in contrast.split()), subjects]


def _ramp(low: int, high: int, width: int) -> list[int]:
    """Return a look-up table: 255 from `low` to `high`, falling to 0 within `width` outside."""
    return [round(255 * max(0.0, min(1.0, (v - low) / width + 1, (high - v) / width + 1))) for v in range(256)]


# Skin: hue 0 to 42 degrees, saturation 0.23 to 0.63, any brightness except near black, where hue is noise. Close to
# Sobottka and Pitas, "Segmentation and tracking of faces in color images", 1996.
_SKIN_HUE = _ramp(0, 30, 6)
_SKIN_SATURATION = _ramp(58, 160, 18)
_SKIN_VALUE = _ramp(60, 255, 20)


def _skin(image: Image.Image) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    coloured = ImageChops.multiply(hue.point(_SKIN_HUE), saturation.point(_SKIN_SATURATION))
    return ImageChops.multiply(coloured, value.point(_SKIN_VALUE)).point(_SKIN)


def _sums_along(layers: list[Image.Image], axis: int) -> list[float]:
    """Return the sum of the layers, averaged over the other axis."""
    width, height = layers[0].size
    shape = (width, 1) if axis == 0 else (1, height)
    # As floats, because a small object's share of its row is less than one of 255 steps.
    rows = [layer.convert("F").resize(shape, Resampling.BOX).get_flattened_data() for layer in layers]
    return [sum(values) for values in zip(*rows, strict=True)]


def _best(line: list[float], share: float) -> int:
    """Return the position, in percent, of the window with the highest score; of equal ones, the most central."""
    length = len(line) * share
    free = len(line) - length
    # Prefix sums of the values times 1, x and x squared, so that the cost of a window does not depend on its length.
    sums = [
        list(accumulate((value * _power(at, at + 1, order) for at, value in enumerate(line)), initial=0.0))
        for order in (1, 2, 3)
    ]

    def score(percent: int) -> float:
        start = free * percent / 100
        mass, first, second = (
            _upto(line, sums, start + length, order) - _upto(line, sums, start, order) for order in (1, 2, 3)
        )
        middle = start + length / 2
        spread = (second - 2 * middle * first + middle * middle * mass) / (length / 2) ** 2
        return (mass - _EDGE_DISCOUNT * spread) * (1 - _CENTER_BIAS * ((percent - 50) / 50) ** 2)

    return max(range(101), key=lambda percent: (score(percent), -abs(percent - 50)))


def _power(start: float, end: float, order: int) -> float:
    """Integrate x to the power of one less than the order."""
    return (end**order - start**order) / order


def _upto(line: list[float], sums: list[list[float]], end: float, order: int) -> float:
    whole = min(int(end), len(line) - 1)
    return sums[order - 1][whole] + line[whole] * _power(whole, end, order)
