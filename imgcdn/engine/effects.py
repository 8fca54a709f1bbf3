"""Pixels -> pixels of the same size: what softens and sharpens."""

from dataclasses import replace

from PIL import Image, ImageFilter

from imgcdn.core.output.plan import Plan
from imgcdn.engine.decode import Picture

# Colour multiplied by alpha, so that the colour of pixels which nobody sees does not bleed into those which are seen.
_MULTIPLIED = {"LA": "La", "RGBA": "RGBa"}

# Half a pixel is what resampling softens; a wider one shows as a line along every edge.
_SHARPEN_SIGMA = 0.6


def blur(picture: Picture, plan: Plan) -> Picture:
    """Blur as if the edge's pixels went on for ever."""
    return replace(picture, image=_blurred(picture.image, plan.blur)) if plan.blur else picture


def sharpen(picture: Picture, plan: Plan) -> Picture:
    """Add what a small blur takes away, `plan.sharpen` times; alpha stays as it is."""
    if not plan.sharpen:
        return picture
    image = picture.image
    sharper = Image.blend(_blurred(image, _SHARPEN_SIGMA), image, 1 + plan.sharpen)  # beyond 1 it extrapolates
    if image.mode in _MULTIPLIED:
        sharper.putalpha(image.getchannel("A"))
    return replace(picture, image=sharper)


def _blurred(image: Image.Image, sigma: float) -> Image.Image:
    # Pillow's radius is the Gaussian's sigma.
    kernel = ImageFilter.GaussianBlur(sigma)
    if image.mode not in _MULTIPLIED:
        return image.filter(kernel)
    return image.convert(_MULTIPLIED[image.mode]).filter(kernel).convert(image.mode)
