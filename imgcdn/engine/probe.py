"""Header -> Facts, or the error that says why this original is not rendered. Nothing is decoded."""

from collections.abc import Collection
from typing import BinaryIO

from PIL import Image, ImageFile

from imgcdn.core.output.formats import FORMATS
from imgcdn.core.output.geometry import turned_size
from imgcdn.core.values import Facts
from imgcdn.engine import gif
from imgcdn.engine.codecs import NAMES
from imgcdn.engine.kinds import HEAD_BYTES, kind_of
from imgcdn.engine.originals import open_original, orientation_of, reading
from imgcdn.errors import CorruptImage, ImageTooLarge, UnsupportedImage


def probe(file: BinaryIO, *, max_pixels: int, refused: Collection[str] = ()) -> Facts:
    """
    Learn an original's size, format, frames and alpha from its header.

    An animation whose frames together have more than `max_pixels`, though one alone has not, is reported with
    one frame: it is rendered as a still.

    Args:
        file: Seekable; its position afterwards is undefined.
        max_pixels: Most pixels that may be decoded for one variant. It is at most twice `Image.MAX_IMAGE_PIXELS`
            (together 178,956,970), above which Pillow refuses by itself.
        refused: Formats whose decoder is not run, by name.

    Raises:
        UnsupportedImage: Its first bytes are those of no supported format, or of a refused one.
        CorruptImage: It has a supported format, but its header does not parse.
        ImageTooLarge: One frame has more than `max_pixels`.
    """
    file.seek(0)
    kind = kind_of(file.read(HEAD_BYTES))
    if kind not in FORMATS or kind in refused:
        raise UnsupportedImage.for_kind(kind, refused)
    with reading():
        try:
            image = open_original(file).image
        except Image.DecompressionBombError as error:
            raise ImageTooLarge.for_pixels(max_pixels) from error
        pixels = image.width * image.height
        if pixels > max_pixels:
            raise ImageTooLarge.for_pixels(max_pixels)
        if pixels == 0:
            raise CorruptImage("The original has no pixels; its width or height is 0.")
        frames = _frames(image)
        return _facts(image, frames if frames * pixels <= max_pixels else 1)


def _facts(image: ImageFile.ImageFile, frames: int) -> Facts:
    size = turned_size(image.size, orientation_of(image))
    alpha = image.has_transparency_data
    if image.format == "GIF":
        # Any later frame may leave a hole; to know it would mean to decode them all.
        alpha = alpha or frames > 1 or gif.leaves_gap(image)
    return Facts(NAMES[image.format], size, frames, alpha)


def _frames(image: ImageFile.ImageFile) -> int:
    """Count the frames that are shown one after another."""
    if image.format == "MPO":
        return 1
    count: int = getattr(image, "n_frames", 1)
    # The default image of an APNG may stand outside its animation (PNG 3rd edition, section 4.9).
    return max(1, count - getattr(image, "default_image", False))
