"""The picture that is left of a damaged original: what there is of its first frame."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from PIL import Image, ImageChops, ImageFile

from imgcdn.core.output.geometry import Size
from imgcdn.engine import gif
from imgcdn.engine.codecs import READABLE, cut_data_allowed
from imgcdn.engine.jpeg_segments import sound_jpeg
from imgcdn.engine.png_pixels import clear_below, load_damaged_png, read_header
from imgcdn.engine.remains import Remains
from imgcdn.engine.webp_chunks import before_damage

# Pictures are compared in strips of this height, because a difference takes as much memory as a picture.
_STRIP_ROWS = 256

# What libjpeg puts in the place of missing pixels: 128. Pillow inverts the inks of most CMYK pictures.
_GREYS = (127, 128)

# Largest progressive JPEG that is decoded two more times, at its own size: about half a second. Largest WebP in which
# damage is looked for.
_MOST_COMPARED_PIXELS = 16_000_000

# The first pass of an interlaced GIF has every eighth row.
_PASS_ROWS = 8

# What is done to an opened image before it is decoded.
_Draft = Callable[[ImageFile.ImageFile], object]


def load_remains(image: ImageFile.ImageFile, remains: Remains, draft: _Draft) -> tuple[Image.Image, bool]:
    """
    Decode the first frame, or what there is of it.

    Args:
        image: Opened from `remains.file`.
        draft: What was done to the image before this, for a second one that must be alike.

    Returns:
        The pixels, and whether any are missing.

    Raises:
        ValueError: There is not one row.
    """
    if image.format == "PNG":
        return load_damaged_png(image.info, read_header(remains.file), remains.file)
    if image.format == "GIF":
        return _first_part(remains, image.size)
    if image.format == "WEBP":
        return _webp_rows(image, remains)
    if remains.filled:
        return _jpeg_rows(image, remains, draft)
    image.load()
    return image, remains.ends_early


def _jpeg_rows(image: ImageFile.ImageFile, remains: Remains, draft: _Draft) -> tuple[Image.Image, bool]:
    """Decode what there is of a JPEG. What is missing is grey, or less detailed."""
    try:
        image.load()
    except OSError:
        shorter = next((other for other in map(_opened, remains.shorter) if _loads(other, draft)), None)
        if shorter is None:
            raise
        return shorter, True
    rows = _original_rows(image, remains, draft)
    if rows < image.height and _is_empty(image):
        raise ValueError("the file ends before its pixels")
    return image, rows < image.height or remains.ends_early or (not remains.has_end and _lacks_detail(image, remains))


def jpeg_lacks_pixels(image: ImageFile.ImageFile, file: BinaryIO, draft: _Draft) -> bool:
    """
    Tell of a JPEG that was decoded without an error whether it is a cut one with an end marker added.

    libjpeg makes grey what is missing. Few sound pictures end in that grey, so few are decoded twice to find out.

    Args:
        image: Decoded from `file`.
        file: Seekable.
        draft: As in `load_remains`.
    """
    found = sound_jpeg(file)
    if found is None:
        return False
    is_grey = all(band.getpixel((band.width - 1, band.height - 1)) in _GREYS for band in image.split())
    is_small = image.width * image.height <= _MOST_COMPARED_PIXELS
    if not is_grey and not (found.is_doubtful and (is_small or found.lacks_scans)):
        return False
    # Some sound files lack scans on purpose, so only the pixels tell.
    return load_remains(image, Remains(found.file, filled=found.filled, has_end=True), draft)[1]


def _webp_rows(image: ImageFile.ImageFile, remains: Remains) -> tuple[Image.Image, bool]:
    """Decode the rows of a WebP, or of its first frame, above the damage. Those below are transparent."""
    try:
        image.load()
    except (OSError, EOFError):
        is_small = image.width * image.height <= _MOST_COMPARED_PIXELS
        found = before_damage(remains.file, lambda file: _loads(_opened(file), _keep)) if is_small else None
        if found is None:
            raise
        remains = Remains(found.file, found.ends_early, found.filled)
        image = Image.open(found.file, formats=READABLE)
        image.load()
    if not remains.filled:
        return image, remains.ends_early
    rows = _original_rows(image, remains, _keep)
    if rows == 0:
        raise ValueError("the damage is above the first row")
    return (image, remains.ends_early) if rows == image.height else (clear_below(image, rows), True)


def _opened(file: BinaryIO) -> ImageFile.ImageFile | None:
    try:
        return Image.open(file, formats=READABLE)
    except (OSError, ValueError, SyntaxError):
        return None


def _loads(image: ImageFile.ImageFile | None, draft: _Draft) -> bool:
    """Decode an image. Return whether it does decode."""
    if image is None:
        return False
    try:
        draft(image)
        image.load()
    except (OSError, EOFError, ValueError):
        return False
    return True


def _keep(image: ImageFile.ImageFile) -> None:
    """Decode it at its own size."""


def _lacks_detail(image: Image.Image, remains: Remains) -> bool:
    """
    Tell whether a progressive JPEG that was decoded to a smaller size lacks pixels at its own.

    Its last scans refine details that a smaller size does not show. A large one counts as lacking them, because it
    would take long to find out.
    """
    whole = Image.open(remains.file, formats=READABLE)
    if whole.size == image.size or "progressive" not in whole.info:
        return False
    if whole.width * whole.height > _MOST_COMPARED_PIXELS:
        return True
    whole.load()
    return _original_rows(whole, remains, _keep) < whole.height


def _is_empty(image: Image.Image) -> bool:
    """Tell whether a JPEG has nothing but the grey that libjpeg puts in the place of missing pixels."""
    return all(band.getextrema() in [(grey, grey) for grey in _GREYS] for band in image.split())


def _original_rows(image: Image.Image, remains: Remains, draft: _Draft) -> int:
    """Return the number of rows that do not depend on the missing bytes."""
    for other in map(_opened, remains.filled):
        if other is not None and _loads(other, draft):
            return _equal_rows(image, other)
    return image.height - 1  # unknown, and not the whole picture


def _first_part(remains: Remains, size: Size) -> tuple[Image.Image, bool]:
    """Draw the first frame of a GIF on its canvas. Pixels that are missing are transparent."""
    remains.file.seek(0)
    part = gif.first_part(remains.file.read())
    left, top, right, bottom = part.box
    if (right - left) * (bottom - top) > (Image.MAX_IMAGE_PIXELS or 0):
        raise ValueError("the first frame is much larger than its canvas")
    try:
        return next(gif.draw_parts(iter([part]), size))[0], remains.ends_early
    except (OSError, EOFError, ValueError):
        canvas = Image.new("RGBA", size)
        canvas.paste(_cut_part(part), part.box[:2])
        return canvas, True


def _cut_part(part: gif.Part) -> Image.Image:
    """Decode a cut frame of a GIF on two grounds. Pixels that are not equal are missing."""
    data = replace(part, control=b"").file()  # Pillow would put its own ground beneath a frame with a transparent entry
    pictures = []
    for ground in (0, 255):
        image = Image.open(io.BytesIO(data), formats=["GIF"])
        settings = image.tile[0].args
        image.im = Image.new(image.mode, image.size, ground).im
        with cut_data_allowed():
            image.load()
        pictures.append(image)
    indices = [Image.frombytes("L", image.size, image.tobytes()) for image in pictures]
    missing = ImageChops.difference(*indices).point(lambda step: 255 if step else 0)
    picture = pictures[0].convert("RGBA")
    picture.paste((0, 0, 0, 0), mask=missing)
    if part.clear_entry is not None:
        picture.paste((0, 0, 0, 0), mask=indices[0].point([255 * (each == part.clear_entry) for each in range(256)]))
    if missing.getextrema() == (255, 255):
        raise ValueError("there is no pixel of the first frame")
    is_interlaced = isinstance(settings, tuple) and bool(settings[1])
    return _with_rows_repeated(picture, missing) if is_interlaced else picture


def _with_rows_repeated(picture: Image.Image, missing: Image.Image) -> Image.Image:
    """Show rows of an interlaced picture that are missing as a nearby one above, as browsers do."""
    width, height = picture.size
    ends = missing.resize((1, height), box=(width - 1, 0, width, height)).tobytes()
    above = -_PASS_ROWS
    for row, is_missing in enumerate(ends):
        if not is_missing:
            above = row
        elif row - above < _PASS_ROWS:
            picture.paste(picture.crop((0, above, width, above + 1)), (0, row))
    return picture


def _equal_rows(first: Image.Image, second: Image.Image) -> int:
    """Return the number of rows above the first in which two pictures differ."""
    for top in range(0, first.height, _STRIP_ROWS):
        box = (0, top, first.width, min(first.height, top + _STRIP_ROWS))
        difference = ImageChops.difference(first.crop(box), second.crop(box))
        found = difference.getbbox(alpha_only=False)
        if found is not None:
            return top + found[1]
    return first.height
