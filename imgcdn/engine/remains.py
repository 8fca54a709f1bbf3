"""
Damaged originals: what a decoder can read of a file. `engine.remains_pixels` has the picture that is left of it.

Most sound files never get here: an original is repaired only after Pillow has refused it, or a check of a PNG's coded
pixels has. Animated PNGs and GIFs are walked through to find out whether they are whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from imgcdn.engine.avif_meta import most_pixels, sound_avif
from imgcdn.engine.gif_blocks import sound_gif
from imgcdn.engine.jpeg_segments import sound_jpeg
from imgcdn.engine.kinds import HEAD_BYTES, kind_of
from imgcdn.engine.png_remains import sound_png
from imgcdn.engine.webp_chunks import sound_webp


@dataclass(frozen=True, slots=True)
class Remains:
    """
    What a decoder can read of a damaged original.

    Args:
        file: The original without what is odd and does not belong to the pixels, and with an end.
        ends_early: Whether pixels or frames are missing. They may also be found missing by the decoder.
        filled: The same with other bytes in the place of missing ones, to find out which pixels they change; empty if
            no bytes are missing, or a decoder itself tells.
        shorter: The same without more and more of its end, if that may be what does not decode.
        has_end: Whether it is a JPEG with an end marker, so that it is whole if its pixels are.
        info: What Pillow shall know of the image beside what it reads from `file`.
    """

    file: BinaryIO
    ends_early: bool = False
    filled: tuple[BinaryIO, ...] = ()
    shorter: tuple[BinaryIO, ...] = ()
    has_end: bool = False
    info: Mapping[str, object] | None = None


def find_remains(file: BinaryIO) -> Remains | None:
    """
    Return what a decoder can read of a damaged original.

    Args:
        file: Seekable. The result reads from it.

    Returns:
        None if nothing can be done.

    Raises:
        Image.DecompressionBombError: An AVIF declares more pixels than Pillow decodes.
    """
    file.seek(0)
    find = _FINDERS.get(kind_of(file.read(HEAD_BYTES)) or "")
    return None if find is None else find(file)


def _remains_of_png(file: BinaryIO) -> Remains | None:
    png = sound_png(file)
    if png is None:
        return None
    return Remains(png.file, png.ends_early, info={} if png.profile is None else {"icc_profile": png.profile})


def _remains_of_jpeg(file: BinaryIO) -> Remains | None:
    jpeg = sound_jpeg(file)
    return None if jpeg is None else Remains(jpeg.file, jpeg.lacks_scans, jpeg.filled, jpeg.shorter, jpeg.has_end)


def _remains_of_webp(file: BinaryIO) -> Remains | None:
    webp = sound_webp(file)
    return None if webp is None else Remains(webp.file, webp.ends_early, webp.filled)


def _remains_of_gif(file: BinaryIO) -> Remains | None:
    found = sound_gif(file)
    return None if found is None else Remains(found.file, found.lacks_frames)


def _remains_of_avif(file: BinaryIO) -> Remains | None:
    # libavif has a limit of its own, and says only that the file is damaged.
    if most_pixels(file) > 2 * (Image.MAX_IMAGE_PIXELS or 0):
        raise Image.DecompressionBombError("the AVIF declares too many pixels")
    found = sound_avif(file)
    return None if found is None else Remains(found)


_FINDERS = {
    "png": _remains_of_png,
    "jpeg": _remains_of_jpeg,
    "webp": _remains_of_webp,
    "gif": _remains_of_gif,
    "avif": _remains_of_avif,
}
