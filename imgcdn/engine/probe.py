"""Header -> Facts, or the error that says why this original is not rendered. Nothing is decoded."""

import re
from collections.abc import Collection
from itertools import islice
from typing import BinaryIO

from PIL import Image, ImageFile

from imgcdn.core.output.formats import FORMATS
from imgcdn.core.output.geometry import turned_size
from imgcdn.core.values import Facts
from imgcdn.engine import apng, gif
from imgcdn.engine.codecs import NAMES
from imgcdn.engine.jpeg_segments import is_one_scan
from imgcdn.engine.kinds import HEAD_BYTES, kind_of
from imgcdn.engine.originals import Opened, open_original, orientation_of, reading
from imgcdn.errors import CorruptImage, ImageTooLarge, UnsupportedImage

# Frames are counted up to here. A hundred thousand take half a second, and no animation has so many.
_MOST_FRAMES = 100_000

# A scan costs nearly as much as decoding all pixels. Encoders write about ten, some up to sixty.
_SCAN = re.compile(b"\xff\xda")
_USUAL_SCANS, _MOST_SCANS = 64, 200

# How many times the pixels of the largest original may be scanned.
_SCANNED_SHARE = 16

# Where the first scan is looked for. Behind more metadata, all scans are counted.
_HEAD_BYTES = 1 << 17

_READ_BYTES = 1 << 20


def probe(file: BinaryIO, *, max_pixels: int, refused: Collection[str] = ()) -> Facts:
    """
    Learn an original's size, format, frames and alpha from its header.

    An animation whose frames together have more than `max_pixels`, though one alone has not, is rendered as a still:
    `frames` is 1, and `all_frames` their true number.

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
            opened = open_original(file)
        except Image.DecompressionBombError as error:
            raise ImageTooLarge.for_pixels(max_pixels) from error
        image = opened.image
        pixels = image.width * image.height
        if pixels > max_pixels:
            raise ImageTooLarge.for_pixels(max_pixels)
        if pixels == 0:
            raise CorruptImage("The original has no pixels; its width or height is 0.")
        if image.format in ("JPEG", "MPO"):
            _check_scans(file, pixels, max_pixels)
        animation = None if opened.animated is None else apng.cut(opened.animated)
        frames = _frames(opened) if animation is None else len(animation.parts)
        return _facts(image, frames, animation).within(max_pixels)


def _facts(image: ImageFile.ImageFile, frames: int, animation: apng.Cut | None) -> Facts:
    size = turned_size(image.size, orientation_of(image))
    alpha = image.has_transparency_data or (animation is not None and animation.mode.endswith("A"))
    if image.format == "GIF":
        # Any later frame may leave a hole; to know it would mean to decode them all.
        alpha = alpha or frames > 1 or gif.leaves_gap(image)
    return Facts(NAMES[image.format], size, frames, alpha)


def _frames(opened: Opened) -> int:
    """Count the frames that are shown one after another; of a GIF, up to `_MOST_FRAMES`."""
    if opened.image.format == "GIF":
        opened.file.seek(0)
        data = opened.file.read()
        gif.first_part(data)  # raises ValueError if there is none
        return sum(1 for _ in islice(gif.parts(data), _MOST_FRAMES))
    return 1 if opened.image.format == "MPO" else int(getattr(opened.image, "n_frames", 1))


def _check_scans(file: BinaryIO, pixels: int, max_pixels: int) -> None:
    """
    Refuse a JPEG with so many scans that it takes much longer to decode than others of its size.

    Raises:
        CorruptImage: It has too many.
    """
    file.seek(0)
    if is_one_scan(file.read(_HEAD_BYTES)):
        return
    most = min(_MOST_SCANS, max(_USUAL_SCANS, _SCANNED_SHARE * max_pixels // pixels))
    file.seek(0)
    scans, last = 0, b""
    while scans <= most and (data := file.read(_READ_BYTES)):
        scans += sum(1 for _ in _SCAN.finditer(last + data))  # ten times as fast as bytes.count
        last = data[-1:]
    if scans > most:
        raise CorruptImage(f"The original is a JPEG of more than {most} scans; save it again, with fewer.")
