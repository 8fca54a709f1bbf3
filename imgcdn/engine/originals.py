"""Opening originals. They are opened only here, and the errors of reading them are translated only here."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from PIL import ExifTags, Image, ImageFile, PngImagePlugin

from imgcdn.core.output.geometry import UPRIGHT
from imgcdn.engine import apng
from imgcdn.engine.codecs import READABLE
from imgcdn.engine.gif_blocks import is_cut
from imgcdn.engine.png_pixels import read_header
from imgcdn.engine.png_transparency import correct_transparency
from imgcdn.engine.remains import Remains, find_remains
from imgcdn.errors import CorruptImage

#: What Pillow's five plugins raise on broken files, found by fuzzing them. DecompressionBombError comes from a GIF
#: frame that outgrows its canvas after the probe.
BROKEN = (
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

# What Pillow's PNG plugin keeps beside the texts, under these names.
_NO_TEXTS = (
    *("transparency", "icc_profile", "gamma", "srgb", "chromaticity", "exif", "interlace"),
    *("bbox", "default_image", "loop", "duration", "disposal", "blend"),
)


@dataclass(frozen=True, slots=True)
class Opened:
    """
    An opened original.

    Args:
        image: Its header is read, its pixels are not decoded.
        file: What `image` was opened from.
        remains: What is left of a damaged original; None if no damage is known.
        animated: An animated PNG with its frames, of which `file` has the default image alone; None for others.
    """

    image: ImageFile.ImageFile
    file: BinaryIO
    remains: Remains | None = None
    animated: BinaryIO | None = None

    @property
    def lacks_frames(self) -> bool:
        """Whether it is an animated PNG that ends before its last frame does."""
        return self.animated is not None and self.remains is not None and self.remains.ends_early


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
    except BROKEN as error:
        detail = "The original is damaged or incomplete; export or upload it again."
        raise CorruptImage(detail, log=f"{type(error).__name__}: {error}") from error


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Ignore Pillow's warnings of broken EXIF, trailing bytes and large sizes. The probe checks what matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def open_original(file: BinaryIO) -> Opened:
    """
    Open an original of one of the five formats, without decoding its pixels. Call this within `reading()`.

    What is odd about a file and does not belong to its pixels is left out.

    Args:
        file: A seekable file. Not a path: for its extension, Pillow would import plugins of other formats.
    """
    if apng.is_animated(file):
        return _open_animated_png(file)
    try:
        image = _open(file)
        if not _may_be_damaged(image, file):
            return Opened(image, file)
    except Image.DecompressionBombError:
        raise
    except BROKEN:
        opened = open_remains(file)
        if opened is None:
            raise
        return opened
    return open_remains(file) or Opened(image, file)


def _open_animated_png(file: BinaryIO) -> Opened:
    """Open the default image of an animated PNG alone: `engine.apng` has the frames. One that ends early has fewer."""
    found = find_remains(file)
    ends_early = found is not None and found.ends_early
    try:
        if not ends_early:
            return _open_default_image(file)
    except BROKEN:
        if found is None:
            raise
    assert found is not None
    opened = _open_default_image(found.file)
    opened.image.info.update(found.info or {})
    return replace(opened, remains=found)


def _open_default_image(animated: BinaryIO) -> Opened:
    file = apng.without_animation(animated)
    return Opened(_open(file), file, animated=animated)


def open_remains(file: BinaryIO) -> Opened | None:
    """Open what is left of a damaged original. Return None if nothing can be done about the damage."""
    remains = find_remains(file)
    if remains is None:
        return None
    image = _open(remains.file)
    image.info.update(remains.info or {})
    return Opened(image, remains.file, remains)


def _open(file: BinaryIO) -> ImageFile.ImageFile:
    file.seek(0)
    image = Image.open(file, formats=READABLE)
    if image.format == "PNG":
        if image.mode == "P" and image.palette is None:
            raise ValueError("a PNG with a palette has no PLTE")
        correct_transparency(image, read_header(file), file)
    return image


def _may_be_damaged(image: ImageFile.ImageFile, file: BinaryIO) -> bool:
    """Tell whether it is worth a walk through the file to look for damage that Pillow does not report."""
    if image.format == "GIF":
        return is_cut(file)
    if not isinstance(image, PngImagePlugin.PngImageFile):
        return False
    # Pillow keeps texts where it keeps what other chunks say, and a text may have any name.
    texts = image.png.im_text if image.png is not None else {}
    return any(name in texts for name in _NO_TEXTS)


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
