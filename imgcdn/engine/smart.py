"""
Pixels -> where the subject of a picture seems to be.

What attracts is what smartcrop.js scores (https://github.com/jwagner/smartcrop.js): edges, saturated colour, skin. It
is looked for on a copy of some dozen pixels an edge. Edges and colours count as contrast with what lies around them, in
brightness and in both differences of colour: a saturated sky is no subject.
"""

from itertools import accumulate

from PIL import Image, ImageChops, ImageFilter
from PIL.Image import Resampling

from imgcdn.core.output.geometry import CENTER, Box, Position

# Edges of the copy. A panorama's crop is as fine as another picture's.
_SHORT_EDGE = 40
_LONGEST_EDGE = 256

# Samples to a pixel of the copy, each way: averaging all of a large picture would take as long as decoding it.
_SAMPLES = 6

# Sigma of what lies around a pixel, as a share of the short edge. On ten photographs 8 to 13 % did alike.
_AROUND = 0.1

# What a pixel of skin counts beside one of full contrast. From 0 to 0.15 the ten photographs did alike, and from 0.2 on
# wooden tables and sand won.
_SKIN_WEIGHT = 0.125
_SKIN = [round(value * _SKIN_WEIGHT) for value in range(256)]

# What is lost at the crop's edges, and how reluctantly a crop leaves the center: 0 to 0.5 did alike, and 0.2 to 0.35.
_AT_EDGE = 0.25
_RELUCTANCE = 0.25


def locate_subject(image: Image.Image, bounds: Box, crop: Box) -> Position:
    """
    Return where in its bounds a crop keeps most of what attracts, in percent of what is free each way.

    Args:
        image: L, LA, RGB, RGBA or CMYK, upright; its colours are taken for sRGB.
        bounds: The part of it that may be kept.
        crop: Counts by its size alone; one way it is as long as its bounds.

    Returns:
        The center where nothing attracts, or everything alike.
    """
    shares = [(crop[axis + 2] - crop[axis]) / (bounds[axis + 2] - bounds[axis]) for axis in (0, 1)]
    axis = shares.index(min(shares))
    place = _best(_profile(_layers(_copied(image, bounds)), axis), shares[axis])
    return (place, CENTER[1]) if axis == 0 else (CENTER[0], place)


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
    # What transparent pixels hide is nothing; grey is as far from black as from white.
    shown = Image.new("RGB", copy.size, (128, 128, 128))
    shown.paste(copy, mask=alpha)
    # Pillow blurs no YCbCr, but any three bands that it is told are RGB.
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


def _profile(layers: list[Image.Image], axis: int) -> list[float]:
    """Return the sum of the layers, averaged over the other axis."""
    width, height = layers[0].size
    line = (width, 1) if axis == 0 else (1, height)
    # As floats, because a small object's share of its row is less than one of 255 steps.
    rows = [layer.convert("F").resize(line, Resampling.BOX).get_flattened_data() for layer in layers]
    return [sum(values) for values in zip(*rows, strict=True)]


def _best(profile: list[float], share: float) -> int:
    """Return the position, in percent, of the window with the highest score; of equal ones, the most central."""
    length = len(profile) * share
    free = len(profile) - length
    # Prefix sums of the values times 1, x and x squared, so that the cost of a window does not depend on its length.
    sums = [
        list(accumulate((value * _power(at, at + 1, order) for at, value in enumerate(profile)), initial=0.0))
        for order in (1, 2, 3)
    ]

    def score(place: int) -> float:
        start = free * place / 100
        mass, first, second = (
            _upto(profile, sums, start + length, order) - _upto(profile, sums, start, order) for order in (1, 2, 3)
        )
        middle = start + length / 2
        spread = (second - 2 * middle * first + middle * middle * mass) / (length / 2) ** 2
        return (mass - _AT_EDGE * spread) * (1 - _RELUCTANCE * ((place - 50) / 50) ** 2)

    return max(range(101), key=lambda place: (score(place), -abs(place - 50)))


def _power(start: float, end: float, order: int) -> float:
    """Integrate x to the power of one less than the order."""
    return (end**order - start**order) / order


def _upto(profile: list[float], sums: list[list[float]], end: float, order: int) -> float:
    whole = min(int(end), len(profile) - 1)
    return sums[order - 1][whole] + profile[whole] * _power(whole, end, order)
