"""File -> Picture. Originals are opened only here, and the errors of reading them are translated only here."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import BinaryIO

from PIL import ExifTags, Image, ImageFile

from imgcdn.core.output.geometry import UPRIGHT, Box, Size, compose, turned_size
from imgcdn.core.output.plan import Plan
from imgcdn.engine import apng, gif
from imgcdn.engine.codecs import READABLE
from imgcdn.engine.colourspaces import profile_of
from imgcdn.errors import CorruptImage

# What Pillow's five plugins raise on broken files, found by fuzzing them. DecompressionBombError comes from a GIF
# frame that outgrows its canvas after the probe.
_BROKEN = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

# A JPEG decoder can reduce to 1/2, 1/4 or 1/8 at no cost. Reducing to nearly the final size this way costs up to 12 dB
# on fine texture. With edges at least a quarter longer than needed, the result has 50 dB (docs/why.md).
_DRAFT_MARGIN = 1.25


@dataclass(frozen=True, slots=True)
class Picture:
    """
    Decoded pixels on their way through the pipeline.

    Args:
        image: Of any mode until `colour.expand`; afterwards L, LA, RGB, RGBA or CMYK, and no CMYK after `to_srgb`.
        extent: The part of `image` that is the picture. Its edges are fractions if the last pixels of a reduced JPEG
            cover less of the source than the others.
        scale: Source pixels for one pixel of `image`: 1, 2, 4 or 8.
        orientation: EXIF orientation that is not applied yet, 1 to 8.
        profile: The ICC profile that describes the pixels, unchecked; empty for none, or when it was applied.
        altered: Whether orientation or colours differ from what a browser shows for the file without its metadata.
    """

    image: Image.Image
    extent: Box
    scale: int = 1
    orientation: int = UPRIGHT
    profile: bytes = b""
    altered: bool = False


@contextmanager
def reading() -> Iterator[None]:
    """
    Translate the errors of code that reads an original. Use it in a `with` statement.

    Raises:
        CorruptImage: The code raised what Pillow raises for broken files.
    """
    try:
        with _no_warnings():
            yield
    except _BROKEN as error:
        detail = "The original is damaged or incomplete; export or upload it again."
        raise CorruptImage(detail, log=f"{type(error).__name__}: {error}") from error


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Ignore Pillow's warnings of broken EXIF, trailing bytes and large sizes. The probe checks what matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def open_original(file: BinaryIO) -> ImageFile.ImageFile:
    """
    Open an original of one of the five formats, without decoding its pixels. Call this within `reading()`.

    Of an animated PNG, this is the default image alone; `engine.apng` has the frames.

    Args:
        file: A seekable file. Not a path: for its extension, Pillow would import plugins of other formats.
    """
    if apng.is_animated(file):
        file.seek(0)
        file = io.BytesIO(apng.without_animation(file.read()))
    file.seek(0)
    image = Image.open(file, formats=READABLE)
    drop_surplus_alphas(image)
    return image


def drop_surplus_alphas(image: ImageFile.ImageFile) -> None:
    """
    Ignore the alphas of a PNG's palette if there are more than colours, as libpng and so browsers do.

    Pillow would raise an error, or apply them. Call this again after a seek, which reads them again.
    """
    alphas = image.info.get("transparency")
    if image.format != "PNG" or image.mode != "P" or alphas is None or image.palette is None:
        return
    # Pillow gives an index instead if exactly one colour is transparent and the others are opaque.
    count = alphas + 1 if isinstance(alphas, int) else len(alphas)
    if 3 * count > len(image.palette.palette):
        del image.info["transparency"]


def orientation_of(image: ImageFile.ImageFile) -> int:
    """
    Return the EXIF orientation, 1 to 8; 1 if the block is missing, broken or has another value.

    Only a block before the pixels counts, so that the probe gets the same result as the render without decoding. A
    PNG's `getexif()` would decode the whole file to look for one after the pixels.
    """
    block = image.info.get("exif")
    if not block:
        return UPRIGHT
    exif = Image.Exif()
    try:
        with _no_warnings():
            exif.load(block)
            orientation = exif.get(ExifTags.Base.Orientation)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return UPRIGHT
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else UPRIGHT


def decode(file: BinaryIO, plan: Plan) -> Picture:
    """
    Decode the first frame, a JPEG no larger than the plan needs.

    Raises:
        CorruptImage: The pixels do not decode.
    """
    with reading():
        image = open_original(file)
        orientation = orientation_of(image)
        width, height = image.size
        scale = _draft(image, plan, orientation)
        pixels = _first_frame(image, file)
        extent = (0.0, 0.0, width / scale, height / scale)
        return Picture(pixels, extent, scale=scale, orientation=orientation, profile=profile_of(image, file))


def _first_frame(image: ImageFile.ImageFile, file: BinaryIO) -> Image.Image:
    if image.format == "GIF":
        file.seek(0)
        data = file.read()
        if gif.leaves_gap(image) or gif.begins_grey(data):
            return next(gif.draw_parts(gif.parts(data), image.size))[0]
    image.load()
    return image


def _draft(image: ImageFile.ImageFile, plan: Plan, orientation: int) -> int:
    """Ask the decoder for a smaller picture; return how many source pixels one of its pixels stands for."""
    if plan.trim is not None:  # the border is measured on the source's own pixels
        return 1
    stored = image.size
    request = _least_size(stored, plan, orientation)
    drafted = image.draft(None, request)
    return round(stored[0] / drafted[1][2]) if drafted else 1


def _least_size(stored: Size, plan: Plan, orientation: int) -> Size:
    """Return the smallest size at which each edge of the kept part is at least `_DRAFT_MARGIN` times the output's."""
    width, height = plan.resampled
    left, top, right, bottom = plan.crop or (0, 0, *turned_size(stored, compose(orientation, plan.turn)))
    ratio = _DRAFT_MARGIN * max(width / (right - left), height / (bottom - top))
    return ceil(stored[0] * ratio), ceil(stored[1] * ratio)
