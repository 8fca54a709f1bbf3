"""Pixels -> pixels: modes and colour. Afterwards, pixels are sRGB or have a profile that is valid for their mode."""

import io
from dataclasses import replace
from functools import lru_cache
from itertools import product
from pathlib import Path

from PIL import Image, ImageChops, ImageCms

from imgcdn.core.output.formats import JPEG, OUTPUTS, PNG
from imgcdn.core.output.plan import Plan
from imgcdn.core.request.params import WHITE
from imgcdn.engine.decode import Picture
from imgcdn.engine.originals import reading
from imgcdn.engine.wide_grey import is_wide, narrow

# Mode -> the ICC colour space (ICC.1:2022, table 19) that a profile must have to describe it. LittleCMS is given
# exactly these modes: a profile of another kind has read out of bounds (CVE-2026-59205), or gave wrong pixels.
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}

# Monitor, scanner, printer, colour space. Device links, abstract and named profiles do not describe a device's colours.
_DEVICE_CLASSES = ("mntr", "scnr", "prtr", "spac")

# The many profiles of sRGB differ by at most this many 8-bit steps.
_ROUNDING = 2

# The profile that is assumed for CMYK without one: CGATS TR 001, which describes web offset printing by SWOP. Photoshop
# assumes SWOP for CMYK by default, so most files without a profile were made for it. The plain formula gives much too
# bright colours.
_PRESS = Path(__file__).parent / "profiles" / "CGATS001Compat-v2-micro.icc"

# Weight of "black ink alone", by the strongest other ink: 255 without any, 0 from a quarter on.
_FEW_COLOURED_INKS = [max(0, 255 - 4 * ink) for ink in range(256)]
# Weight of "nearly black", by the black ink: 0 below nine tenths.
_NEARLY_ALL_BLACK_INK = [max(0, 255 - 10 * (255 - ink)) for ink in range(256)]


def expand(picture: Picture, plan: Plan) -> Picture:
    """
    Convert the image to a mode that can be resampled, with any transparency in an alpha band.

    Raises:
        CorruptImage: The palette or the transparency that the file declares does not suit its pixels.
    """
    with reading():
        return replace(picture, image=expand_modes(picture.image))


def to_srgb(picture: Picture, plan: Plan) -> Picture:
    """
    Convert the pixels from their profile to sRGB. Grey stays grey, CMYK becomes RGB.

    Without a profile, or with one that is invalid or for other colours, pixels count as sRGB, and CMYK as printed on a
    common press, whose black ink becomes black. This step comes after the resize, because its time grows with the
    number of pixels.
    """
    image = picture.image
    if plan.keep_profile and _can_keep_profile(picture, plan):
        return picture
    if plan.rewrap and _changes_colours(image.mode.removesuffix("A"), picture.profile):
        picture = replace(picture, altered=True)
    if image.mode not in ("LA", "RGBA"):
        return replace(picture, image=_convert(image, picture.profile), profile=b"")
    # LittleCMS accepts LA with a grey profile and gives wrong pixels, so alpha is split off.
    alpha = image.getchannel("A")
    converted = _convert(image.convert(image.mode.removesuffix("A")), picture.profile)
    converted.putalpha(alpha)
    return replace(picture, image=converted, profile=b"")


def flatten(picture: Picture, plan: Plan) -> Picture:
    """Lay transparent pixels on the plan's background, and drop an alpha band if all pixels are opaque."""
    image = picture.image
    if image.mode not in ("LA", "RGBA"):
        return picture
    alpha = image.getchannel("A")
    background = plan.background or (None if OUTPUTS[plan.format].alpha else WHITE)
    if alpha.getextrema() == (255, 255):
        return replace(picture, image=image.convert(image.mode.removesuffix("A")))
    if background is None:
        return picture
    if len(background) == 4:
        beneath = Image.new("RGBA", image.size, background)
        return replace(picture, image=Image.alpha_composite(beneath, image.convert("RGBA")))
    flat = Image.new("RGB", image.size, background)
    flat.paste(image.convert("RGB"), mask=alpha)
    return replace(picture, image=flat)


def expand_modes(image: Image.Image) -> Image.Image:
    """Return the image as `expand` does. Call this within `reading()`."""
    if is_wide(image):
        return narrow(image)
    if image.mode in ("1", "L"):
        return image.convert("LA" if image.has_transparency_data else "L")
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("RGBA")
    return image if image.mode in ("LA", "RGB", "RGBA", "CMYK") else image.convert("RGB")


def _can_keep_profile(picture: Picture, plan: Plan) -> bool:
    """Tell whether the output can hold these pixels together with their profile."""
    bands = picture.image.mode.removesuffix("A")
    if bands == "CMYK" or _transform(bands, picture.profile) is None:
        return False
    # Background and margin are sRGB colours. In another profile only white is the same colour.
    if any(colour not in (None, WHITE) for colour in (plan.background, plan.margin)):
        return False
    if bands == "RGB":
        return True
    # Other formats encode grey as RGB, for which a grey profile is invalid. A JPEG of a grey picture with alpha is RGB
    # too, because it was laid on a background.
    return plan.format == PNG.name or (plan.format == JPEG.name and picture.image.mode == "L")


def _convert(image: Image.Image, profile: bytes) -> Image.Image:
    transform = _transform(image.mode, profile)
    if transform is not None:
        converted = transform.apply(image)
        # The transform to sRGB has three bands, which are equal for grey.
        return converted.getchannel("R") if image.mode == "L" else converted
    if image.mode == "CMYK":
        return _convert_without_profile(image)
    coloured = _transform("RGB", profile) if image.mode == "L" else None
    return image if coloured is None else _convert_grey(image, coloured, profile)


def _convert_grey(image: Image.Image, transform: ImageCms.ImageCmsTransform, profile: bytes) -> Image.Image:
    """Convert a grey picture with a profile of RGB: as browsers do, its values are those of red, green and blue."""
    converted = transform.apply(image.convert("RGB"))
    return converted.getchannel("G") if _keeps_neutral(profile) else converted


@lru_cache(maxsize=4)
def _keeps_neutral(profile: bytes) -> bool:
    """Tell whether equal values of red, green and blue are a grey in a profile of RGB."""
    transform = _transform("RGB", profile)
    greys = Image.merge("RGB", [Image.frombytes("L", (256, 1), bytes(range(256)))] * 3)
    red, green, blue = (greys if transform is None else transform.apply(greys)).split()
    return all(_alike(green, other) for other in (red, blue))


def _alike(one: Image.Image, other: Image.Image) -> bool:
    """Tell whether two pictures differ by no more than rounding."""
    return ImageChops.difference(one, other).point(lambda step: 255 if step > _ROUNDING else 0).getbbox() is None


def _convert_without_profile(image: Image.Image) -> Image.Image:
    """
    Convert CMYK from the press's profile, but black ink alone to black.

    The profile gives 100 % of black ink as (35, 31, 32), because a press prints darker blacks with four inks. Beside
    the black of a page that grey is visible. So greys of black ink alone, and pixels with at least nine tenths of it,
    are converted with that black as the black point. The shadows of photographs, which have all inks, stay as they are.
    """
    transform = _transform("CMYK", _press())
    assert transform is not None
    cyan, magenta, yellow, black = image.split()
    coloured = ImageChops.lighter(ImageChops.lighter(cyan, magenta), yellow)
    by_black_ink = ImageChops.lighter(coloured.point(_FEW_COLOURED_INKS), black.point(_NEARLY_ALL_BLACK_INK))
    printed = transform.apply(image)
    return Image.composite(printed.point(_black_point_table()), printed, by_black_ink)


@lru_cache(maxsize=1)
def _black_point_table() -> list[int]:
    """Return the table of each band that makes the press's black ink black: it subtracts the black in linear light."""
    transform = _transform("CMYK", _press())
    assert transform is not None
    black = transform.apply(Image.new("CMYK", (1, 1), (0, 0, 0, 255))).getpixel((0, 0))
    assert isinstance(black, tuple)
    return [_subtract_light(value, darkest) for darkest in black for value in range(256)]


def _subtract_light(value: int, darkest: int) -> int:
    light, least = (_linear(each / 255) for each in (value, darkest))
    return round(255 * _encoded(max(0.0, light - least) / (1 - least)))


def _linear(value: float) -> float:
    """Return the light of a value of sRGB, both 0 to 1 (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _encoded(light: float) -> float:
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


@lru_cache(maxsize=4)
def _changes_colours(mode: str, profile: bytes) -> bool:
    """Tell whether a profile changes colours by more than rounding. Many photographs have a profile of sRGB itself."""
    if mode == "CMYK":
        return True
    levels = bytes(range(0, 256, 17))
    if mode == "L":
        colours = Image.frombytes("L", (16, 1), levels)
    else:
        colours = Image.frombytes("RGB", (256, 16), bytes(b for colour in product(levels, repeat=3) for b in colour))
    return not _alike(_convert(colours, profile).convert("RGB"), colours.convert("RGB"))


@lru_cache(maxsize=1)
def _press() -> bytes:
    return _PRESS.read_bytes()


@lru_cache(maxsize=4)  # the frames of an animation share a profile
def _transform(mode: str, profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from a profile to sRGB; None if the profile is invalid or not for this mode."""
    if not profile:
        return None
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
