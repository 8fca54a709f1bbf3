"""File -> Picture."""

from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, ImageFile

from imgcdn.core.output.draft import draft_factor
from imgcdn.core.output.geometry import UPRIGHT, Box
from imgcdn.core.output.plan import Plan
from imgcdn.engine import gif
from imgcdn.engine.colourspaces import profile_of
from imgcdn.engine.originals import BROKEN, Opened, open_original, open_remains, orientation_of, reading
from imgcdn.engine.png_pixels import load_png, read_header
from imgcdn.engine.remains_pixels import jpeg_lacks_pixels, load_remains


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
        altered: Whether the picture differs from what a browser shows for the file without its metadata.
        partial: Whether the original ends early, so that pixels are missing.
    """

    image: Image.Image
    extent: Box
    scale: int = 1
    orientation: int = UPRIGHT
    profile: bytes = b""
    altered: bool = False
    partial: bool = False


def decode(file: BinaryIO, plan: Plan) -> Picture:
    """
    Decode the first frame, a JPEG no larger than the plan needs. Of a file that ends early, decode what there is.

    Raises:
        CorruptImage: The pixels do not decode.
    """
    with reading():
        opened: Opened | None = open_original(file)
        assert opened is not None
        if opened.remains is None:
            try:
                return _picture(opened, plan)
            except BROKEN:
                opened = open_remains(file)
                if opened is None:
                    raise
        return _picture(opened, plan)


def _picture(opened: Opened, plan: Plan) -> Picture:
    image = opened.image
    orientation, profile = orientation_of(image), profile_of(image, opened.file)
    width, height = image.size
    scale = _draft(image, plan, orientation)
    partial = False

    def draft(other: ImageFile.ImageFile) -> None:
        _draft(other, plan, orientation)

    if opened.remains is None:
        pixels = _first_frame(image, opened.file)
        partial = image.format in ("JPEG", "MPO") and jpeg_lacks_pixels(image, opened.file, draft)
    else:
        pixels, partial = load_remains(image, opened.remains, draft)
    partial = partial or opened.lacks_frames
    extent = (0.0, 0.0, width / scale, height / scale)
    altered = opened.remains is not None or partial
    return Picture(pixels, extent, scale, orientation, profile, altered=altered, partial=partial)


def _first_frame(image: ImageFile.ImageFile, file: BinaryIO) -> Image.Image:
    if image.format == "GIF":
        file.seek(0)
        data = file.read()
        if gif.leaves_gap(image) or gif.begins_grey(data):
            return next(gif.draw_parts(iter([gif.first_part(data)]), image.size))[0]
    if image.format == "PNG":
        return load_png(image, read_header(file), file)
    image.load()
    return image


def _draft(image: ImageFile.ImageFile, plan: Plan, orientation: int) -> int:
    """Ask the decoder for a smaller picture; return how many source pixels one of its pixels stands for."""
    stored = image.size
    factor = draft_factor(stored, plan, orientation)
    # Pillow takes the smallest draft that is at least this large.
    drafted = image.draft(None, (max(1, stored[0] // factor), max(1, stored[1] // factor))) if factor > 1 else None
    return round(stored[0] / drafted[1][2]) if drafted else 1
