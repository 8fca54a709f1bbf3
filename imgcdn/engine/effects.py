"""
Pixels -> pixels of the same size: colour, softness, sharpness.

Colours change as with the CSS filters of the same names (Filter Effects Module Level 1, section 9): the coded values
are changed, not linear light. Alpha stays as it is.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from PIL import Image, ImageFilter

from imgcdn.core.output.geometry import round_half_up
from imgcdn.core.output.plan import Plan
from imgcdn.engine.decode import Picture

# Modes with colour multiplied by alpha, so that the colour of transparent pixels does not bleed into visible ones.
_MULTIPLIED = {"LA": "La", "RGBA": "RGBa"}

# The weight of each band in luma (ITU-R BT.709), rounded as in the CSS filters.
_LUMA = (0.2126, 0.7152, 0.0722)

# Resampling softens by about half a pixel. A larger sigma shows as lines along edges.
_SHARPEN_SIGMA = 0.6


def adjust_brightness(picture: Picture, plan: Plan) -> Picture:
    """Multiply every colour value by `plan.brightness`."""
    if plan.brightness == 1:
        return picture
    factor = _exactly(plan.brightness)
    return _mapped(picture, lambda value: value * factor)


def adjust_contrast(picture: Picture, plan: Plan) -> Picture:
    """Multiply the difference of every colour value from the middle by `plan.contrast`."""
    if plan.contrast == 1:
        return picture
    factor, middle = _exactly(plan.contrast), Fraction(255, 2)
    return _mapped(picture, lambda value: (value - middle) * factor + middle)


def adjust_saturation(picture: Picture, plan: Plan) -> Picture:
    """Move every colour away from its grey or towards it. 0 gives the grey itself."""
    image = picture.image
    if plan.saturation == 1 or image.mode in ("L", "LA"):
        return picture
    kept, rest = plan.saturation, 1 - plan.saturation
    rows = [[rest * weight + (kept if row == band else 0) for band, weight in enumerate(_LUMA)] for row in range(3)]
    colours = image.convert("RGB").convert("RGB", tuple(value for row in rows for value in (*row, 0)))
    return replace(picture, image=_with_alpha_of(image, colours))


def remove_colour(picture: Picture, plan: Plan) -> Picture:
    """Replace every pixel by its luma. The picture then has one band; three if it keeps a profile, which is for RGB."""
    image = picture.image
    if not plan.grayscale or image.mode in ("L", "LA"):
        return picture
    grey = image.convert("RGB").convert("L", (*_LUMA, 0))
    return replace(picture, image=_with_alpha_of(image, grey.convert("RGB") if picture.profile else grey))


def blur(picture: Picture, plan: Plan) -> Picture:
    """Blur the picture. Beyond its edges, the pixels of the edge are repeated."""
    return replace(picture, image=_blurred(picture.image, plan.blur)) if plan.blur else picture


def sharpen(picture: Picture, plan: Plan) -> Picture:
    """Add the difference from a slightly blurred copy, `plan.sharpen` times. Alpha stays as it is."""
    if not plan.sharpen:
        return picture
    image = picture.image
    sharper = Image.blend(_blurred(image, _SHARPEN_SIGMA), image, 1 + plan.sharpen)  # above 1, blend extrapolates
    if image.mode in _MULTIPLIED:
        sharper.putalpha(image.getchannel("A"))
    return replace(picture, image=sharper)


def _exactly(factor: float) -> Fraction:
    """Return the decimal number that was requested. As a float, 1.15 times 190 is below 218.5, and is rounded down."""
    return Fraction(str(factor))


def _mapped(picture: Picture, change: Callable[[int], Fraction]) -> Picture:
    """Apply a function to every colour value."""
    image = picture.image
    table = [min(max(round_half_up(change(value)), 0), 255) for value in range(256)]
    alpha = list(range(256)) if image.mode in _MULTIPLIED else []
    return replace(picture, image=image.point(table * (len(image.getbands()) - bool(alpha)) + alpha))


def _with_alpha_of(image: Image.Image, colours: Image.Image) -> Image.Image:
    if image.mode in _MULTIPLIED:
        colours.putalpha(image.getchannel("A"))
    return colours


def _blurred(image: Image.Image, sigma: float) -> Image.Image:
    # Pillow's radius is the Gaussian's sigma.
    kernel = ImageFilter.GaussianBlur(sigma)
    if image.mode not in _MULTIPLIED:
        return image.filter(kernel)
    return image.convert(_MULTIPLIED[image.mode]).filter(kernel).convert(image.mode)
