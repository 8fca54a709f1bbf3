"""Pixels -> pixels: modes and colour. Behind it everything is sRGB."""

import io
from dataclasses import replace

from PIL import Image, ImageCms, ImageMath

from imgcdn.core.formats import FORMATS
from imgcdn.core.params import WHITE
from imgcdn.core.plan import Plan
from imgcdn.engine.decode import Picture

# Wide greys -> factor to 0..255. PNG's 16 bits arrive as I;16 (or I), floats run from 0 to 1.
_WIDE = {"I;16": 1 / 257, "I;16L": 1 / 257, "I;16B": 1 / 257, "I;16N": 1 / 257, "I": 1 / 257, "F": 255.0}

# Mode -> the ICC colour space (ICC.1:2022, table 19) that a profile must have to describe it. LittleCMS is given
# exactly these modes: a profile of another kind has read out of bounds (CVE-2026-59205), or gave wrong pixels.
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}

# Monitor, scanner, printer, colour space; not device links, abstract or named profiles, which lead elsewhere.
_DEVICE_CLASSES = ("mntr", "scnr", "prtr", "spac")


def expand(picture: Picture, plan: Plan) -> Picture:
    """Bring the image into a mode that can be resampled, its transparency into a band of its own."""
    image = picture.image
    if image.mode in _WIDE:
        image = _narrow(image)
    elif image.mode in ("1", "L") and not image.has_transparency_data:
        image = image.convert("L")
    elif image.mode in ("1", "L"):
        image = image.convert("LA")
    elif image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        image = image.convert("RGBA")
    elif image.mode not in ("LA", "RGB", "RGBA", "CMYK"):
        image = image.convert("RGB")
    return replace(picture, image=image)


def to_srgb(picture: Picture, plan: Plan) -> Picture:
    """
    Convert the pixels from their embedded profile to sRGB; grey stays grey, CMYK becomes RGB.

    Without a profile, with one that does not parse or belongs to another mode, pixels count as sRGB. Behind the
    resize, since a profile costs by the pixel.
    """
    image = picture.image
    if image.mode not in ("LA", "RGBA"):
        return replace(picture, image=_convert(image, picture.profile), profile=b"")
    # LittleCMS takes LA with a grey profile and gives wrong pixels: alpha steps aside.
    alpha = image.getchannel("A")
    converted = _convert(image.convert(image.mode.removesuffix("A")), picture.profile)
    converted.putalpha(alpha)
    return replace(picture, image=converted, profile=b"")


def flatten(picture: Picture, plan: Plan) -> Picture:
    """Lay transparent pixels on the plan's background, and drop a band of alpha that says nothing."""
    image = picture.image
    if image.mode not in ("LA", "RGBA"):
        return picture
    alpha = image.getchannel("A")
    background = plan.background or (None if FORMATS[plan.format].alpha else WHITE)
    if alpha.getextrema() == (255, 255):
        return replace(picture, image=image.convert(image.mode.removesuffix("A")))
    if background is None:
        return picture
    flat = Image.new("RGB", image.size, background)
    flat.paste(image.convert("RGB"), mask=alpha)
    return replace(picture, image=flat)


def _narrow(image: Image.Image) -> Image.Image:
    """Scale a wide grey to 8 bits; `convert` would clip it."""
    factor = _WIDE[image.mode]
    grey = image.point(lambda value: value * factor + 0.5).convert("L")
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        opaque = ImageMath.lambda_eval(lambda args: (args["grey"] != clear) * 255, grey=image.convert("I"))
        grey.putalpha(opaque.convert("L"))
    return grey


def _convert(image: Image.Image, profile: bytes) -> Image.Image:
    transform = _transform(image.mode, profile) if profile else None
    if transform is None:
        return image.convert("RGB") if image.mode == "CMYK" else image
    converted = transform.apply(image)
    # No transform ends in L under an RGB target; its three bands are equal.
    return converted.getchannel("R") if image.mode == "L" else converted


def _transform(mode: str, profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Prepare the way from a profile to sRGB; None for a profile that does not parse or is not of this mode."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode] or source.profile.device_class not in _DEVICE_CLASSES:
            return None
        return ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None
