"""An animated original -> its frames, each a whole picture with its end time."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

from PIL import Image, ImageFile

from imgcdn.core.output.geometry import Size
from imgcdn.engine import apng, avif_boxes, gif
from imgcdn.engine.colour import expand_modes
from imgcdn.engine.colourspaces import profile_of
from imgcdn.engine.decode import Picture
from imgcdn.engine.originals import BROKEN, Opened, open_original, open_remains, orientation_of, reading
from imgcdn.engine.png_pixels import load_damaged_png, load_frame, read_header
from imgcdn.engine.remains_pixels import load_remains
from imgcdn.errors import CorruptImage

# Longest duration of a frame: WebP has 24 bits for milliseconds (section 2.7.1.1), less a margin for rounding. Longer
# frames, of more than four hours, are cut to this.
_LONGEST_MS = 16_777_200


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One picture of an animation.

    Args:
        picture: The whole canvas, not only the part that changed.
        end_ms: Time from the start of the animation to the end of the frame. It is not a duration, because rounding
            errors of durations would add up.
    """

    picture: Picture
    end_ms: float


@dataclass(frozen=True, slots=True)
class Animation:
    """
    An opened animation.

    Args:
        plays: Number of plays; 0 for endless.
        count: Number of frames.
        alpha: Whether any frame may have transparent pixels.
        frames: The frames, decoded one at a time when they are read. Raises DamagedFrameError if one does not decode.
        partial: Whether the file ends early or is damaged, so that frames are missing.
    """

    plays: int
    count: int
    alpha: bool
    frames: Iterator[Frame]
    partial: bool = False


class DamagedFrameError(Exception):
    """
    A frame does not decode. Browsers show those before it, and none after it.

    Args:
        whole: Number of frames before it.
    """

    def __init__(self, whole: int) -> None:
        super().__init__(whole)
        self.whole = whole


def open_animation(file: BinaryIO, whole: int | None = None) -> Animation:
    """
    Open an original with several frames.

    Args:
        file: The original.
        whole: Number of frames before the damaged one, which are all it has then. For 0 it has what there is of the
            first one. None if no damage is known.

    Raises:
        CorruptImage: It does not open.
    """
    animation = _animation(file)
    if whole is None:
        return animation
    frames = islice(animation.frames, whole) if whole else _part_of_first(file)
    return replace(animation, count=max(1, whole), frames=frames, partial=True)


def _animation(file: BinaryIO) -> Animation:
    with reading():
        opened = open_original(file)
        image, file = opened.image, opened.file
        partial = opened.remains is not None and opened.remains.ends_early
        if image.format == "GIF":
            data = _contents(file)
            parts = list(gif.parts(data))
            plays = _at_most(gif.plays_of(data))
            return Animation(plays, len(parts), alpha=True, frames=_gif_frames(image.size, parts), partial=partial)
        cut = None if opened.animated is None else apng.cut(opened.animated)
        if cut is not None:
            count, alpha = len(cut.parts), cut.mode.endswith("A")
            frames = _png_frames(_png_pictures(cut, image, file), count)
            return Animation(_at_most(cut.plays), count, alpha=alpha, frames=frames, partial=partial)
        count = getattr(image, "n_frames", 1)
        plays = _at_most(avif_boxes.plays_of(_contents(file)) if image.format == "AVIF" else image.info.get("loop", 0))
        alpha = image.has_transparency_data
        return Animation(plays, count, alpha=alpha, frames=_frames(image, file, count), partial=partial)


def first_picture(file: BinaryIO) -> Picture | None:
    """
    Return the first frame of an animated PNG whose default image is not part of the animation; what there is of it.

    Returns:
        None for every other file: `engine.decode` decodes the first frame, or the still picture.

    Raises:
        CorruptImage: It does not decode.
    """
    with reading():
        if not apng.is_animated(file):
            return None
        opened = open_original(file)
        cut = None if opened.animated is None else apng.cut(opened.animated)
        if cut is None or cut.default_is_first:
            return None
        picture, _ = _first_of_png(cut, opened)
        return replace(picture, partial=picture.partial or opened.lacks_frames)


def _contents(file: BinaryIO) -> bytes:
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return file.read(length)  # without a length, a buffered file would hold everything twice for a moment


def _at_most(plays: int) -> int:
    """Limit the number of plays, which an APNG counts to 2**31, to what every format can hold."""
    return min(plays, avif_boxes.MOST_PLAYS)


def _first_of_png(cut: apng.Cut, opened: Opened) -> tuple[Picture, float]:
    """Return the first frame of an animated PNG, or what there is of it, and its duration in milliseconds."""
    try:
        return next(_png_pictures(cut, opened.image, opened.file))
    except BROKEN:
        picture, duration_ms = next(_png_pictures(cut, opened.image, opened.file, _decode_damaged_part))
        return replace(picture, partial=True), duration_ms


def _png_pictures(
    cut: apng.Cut, image: ImageFile.ImageFile, file: BinaryIO, decode: Callable[[bytes], Image.Image] | None = None
) -> Iterator[tuple[Picture, float]]:
    """Yield each frame, and its duration in milliseconds. Without `decode`, a frame that lacks rows raises an error."""
    extent = (0.0, 0.0, float(image.width), float(image.height))
    orientation, profile = orientation_of(image), profile_of(image, file)
    for canvas, duration_ms in apng.draw_parts(cut, decode or _decode_part):
        yield Picture(canvas, extent, orientation=orientation, profile=profile), duration_ms


def _decode_part(png: bytes) -> Image.Image:
    opened = open_original(io.BytesIO(png))
    return expand_modes(load_frame(opened.image, read_header(opened.file), opened.file))


def _decode_damaged_part(png: bytes) -> Image.Image:
    opened = open_original(io.BytesIO(png))
    pixels, _ = load_damaged_png(opened.image.info, read_header(opened.file), opened.file)
    return expand_modes(pixels)


def _png_frames(pictures: Iterator[tuple[Picture, float]], count: int) -> Iterator[Frame]:
    end_ms = 0.0
    for index in range(count):
        with _reading_frame(index):
            picture, duration_ms = next(pictures)
        end_ms += min(duration_ms, _LONGEST_MS)
        yield Frame(picture, end_ms)


def _part_of_first(file: BinaryIO) -> Iterator[Frame]:
    """Yield what there is of a damaged first frame."""
    with reading():
        opened = open_original(file)
        cut = None if opened.animated is None else apng.cut(opened.animated)
        picture, duration_ms = _rest_of_first(file) if cut is None else _first_of_png(cut, opened)
    yield Frame(picture, duration_ms)


def _rest_of_first(file: BinaryIO) -> tuple[Picture, float]:
    opened = open_remains(file)
    if opened is None or opened.remains is None:
        raise ValueError("nothing can be decoded of the first frame")
    image = opened.image
    extent = (0.0, 0.0, float(image.width), float(image.height))
    orientation, profile = orientation_of(image), profile_of(image, opened.file)
    duration_ms = float(image.info.get("duration", 0))
    pixels, _ = load_remains(image, opened.remains, lambda _: None)
    return Picture(pixels, extent, orientation=orientation, profile=profile), duration_ms


@contextmanager
def _reading_frame(index: int) -> Iterator[None]:
    """Translate the errors of code that decodes a frame."""
    try:
        with reading():
            yield
    except CorruptImage as error:
        raise DamagedFrameError(index) from error


def _gif_frames(size: Size, parts: list[gif.Part]) -> Iterator[Frame]:
    extent = (0.0, 0.0, float(size[0]), float(size[1]))
    composed = gif.draw_parts(iter(parts), size)
    end_ms = 0
    for index in range(len(parts)):
        with _reading_frame(index):
            image, duration_ms = next(composed)
        end_ms += duration_ms
        yield Frame(Picture(image, extent), end_ms)


def _frames(image: ImageFile.ImageFile, file: BinaryIO, count: int) -> Iterator[Frame]:
    extent = (0.0, 0.0, float(image.width), float(image.height))
    with reading():
        orientation, profile = orientation_of(image), profile_of(image, file)
    end_ms = 0.0
    for index in range(count):
        with _reading_frame(index):
            image.seek(index)
            image.load()
            end_ms = _end_ms(image, end_ms)
        yield Frame(Picture(image, extent, orientation=orientation, profile=profile), end_ms)


def _end_ms(image: ImageFile.ImageFile, previous_ms: float) -> float:
    """Return the end of the current frame. A timestamp is more exact than the sum of rounded durations."""
    start = image.info.get("timestamp", previous_ms)
    end_ms = float(start) + float(image.info.get("duration", 0))
    return min(max(previous_ms, end_ms), previous_ms + _LONGEST_MS)
