"""Animations: a file -> its frames, each a whole picture with its end time; and frames -> a file."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from PIL import Image, ImageFile

from imgcdn.core.encoders.encoding import Encoding
from imgcdn.core.output.geometry import Size
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import EncodedImage
from imgcdn.engine import avif_boxes, gif
from imgcdn.engine.codecs import READABLE
from imgcdn.engine.colourspaces import profile_of
from imgcdn.engine.decode import Picture
from imgcdn.engine.encode import choose_quality
from imgcdn.engine.gif_writing import write_gif
from imgcdn.engine.originals import drop_surplus_alphas, open_original, orientation_of, reading
from imgcdn.errors import CorruptImage

# Longest duration of a frame: WebP has 24 bits for milliseconds (section 2.7.1.1), less a margin for rounding. Longer
# frames, of more than four hours, are cut to this.
_LONGEST_MS = 16_777_200

_TOO_FEW_FRAMES = "The original has fewer frames than it says."


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
        frames: The frames, decoded one at a time when they are read. Raises CorruptImage if one does not decode.
        partial: Whether the file ends early, so that frames are missing.
    """

    plays: int
    count: int
    alpha: bool
    frames: Iterator[Frame]
    partial: bool = False


def open_animation(file: BinaryIO) -> Animation:
    """
    Open an original with several frames.

    Raises:
        CorruptImage: It does not open.
    """
    with reading():
        opened = open_original(file)
        image, file = opened.image, opened.file
        partial = opened.remains is not None and opened.remains.ends_early
        if image.format == "GIF":
            parts = list(gif.parts(_contents(file)))
            return Animation(
                _plays(image), len(parts), alpha=True, frames=_gif_frames(image.size, parts), partial=partial
            )
        count: int = getattr(image, "n_frames", 1)
        first = int(getattr(image, "default_image", False))
        plays = avif_boxes.plays_of(_contents(file)) if image.format == "AVIF" else _plays(image)
        frames = _frames(image, file, range(first, count))
        return Animation(plays, count - first, alpha=image.has_transparency_data, frames=frames, partial=partial)


def encode_animation(
    animation: Animation, plan: Plan, encoding: Encoding, transform: Callable[[Picture], Picture]
) -> EncodedImage:
    """
    Encode every frame; running time and number of plays stay the same. Few frames are in memory at a time.

    Args:
        animation: The animation. Its frames are consumed.
        plan: The plan for every frame.
        encoding: An encoding of format webp, gif or avif.
        transform: The pipeline steps between decoding and encoding.

    Raises:
        CorruptImage: A frame does not decode.
    """
    transformed = ((transform(frame.picture), frame.end_ms) for frame in animation.frames)
    first = next(transformed, None)
    if first is None:
        raise CorruptImage(_TOO_FEW_FRAMES)
    images = ((_without_info(picture.image), end_ms) for picture, end_ms in chain([first], transformed))
    # The first frame determines the quality of all. A quality that changed between frames would be visible.
    encoding = choose_quality(first[0].image, encoding)
    if encoding.format == "webp":
        body = _webp(images, animation, encoding, first[0].profile)
    elif encoding.format == "avif":
        alpha = animation.alpha and (plan.background is None or len(plan.background) == 4)
        body = _avif(images, animation, encoding, first[0].profile, alpha=alpha)
    else:
        body = write_gif(images, plan.size, plays=animation.plays)
    # Encoders merge equal consecutive frames, so the number of frames is read from the file.
    written: int = getattr(Image.open(io.BytesIO(body), formats=READABLE), "n_frames", 1)
    return EncodedImage(body, encoding.format, plan.size, written, encoding.effort, animation.partial)


def _contents(file: BinaryIO) -> bytes:
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return file.read(length)  # without a length, a buffered file would hold everything twice for a moment


def _plays(image: ImageFile.ImageFile) -> int:
    loop = image.info.get("loop")
    if image.format != "GIF":
        return min(loop, avif_boxes.MOST_PLAYS) if isinstance(loop, int) else 0  # an APNG may count to 2**31
    # NETSCAPE2.0 counts the repeats after the first play; 0 means endless. Without this block there is one play.
    if loop is None:
        return 1
    return min(int(loop) + 1, avif_boxes.MOST_PLAYS) if loop else 0


def _gif_frames(size: Size, parts: list[gif.Part]) -> Iterator[Frame]:
    extent = (0.0, 0.0, float(size[0]), float(size[1]))
    composed = gif.draw_parts(iter(parts), size)
    end_ms = 0
    for _ in parts:
        with reading():
            image, duration_ms = next(composed)
        end_ms += duration_ms
        yield Frame(Picture(image, extent), end_ms)


def _frames(image: ImageFile.ImageFile, file: BinaryIO, indices: range) -> Iterator[Frame]:
    extent = (0.0, 0.0, float(image.width), float(image.height))
    with reading():
        orientation, profile = orientation_of(image), profile_of(image, file)
    end_ms = 0.0
    for index in indices:
        with reading():
            image.seek(index)
            image.load()
            drop_surplus_alphas(image)
            end_ms = _end_ms(image, end_ms)
        yield Frame(Picture(image, extent, orientation=orientation, profile=profile), end_ms)


def _end_ms(image: ImageFile.ImageFile, previous_ms: float) -> float:
    """Return the end of the current frame. A timestamp is more exact than the sum of rounded durations."""
    start = image.info.get("timestamp", previous_ms)
    end_ms = float(start) + float(image.info.get("duration", 0))
    return min(max(previous_ms, end_ms), previous_ms + _LONGEST_MS)


def _without_info(image: Image.Image) -> Image.Image:
    image.info = {}
    return image


class _LaterFrames:
    """
    The frames after the first one, as one image with several frames, which are decoded while a saver reads them.

    Savers turn `append_images` into a list before they encode, so with a generator all decoded frames would be in
    memory. They read the frames of one image in order, each once.
    """

    def __init__(self, images: Iterator[Image.Image], count: int) -> None:
        self.n_frames = count
        self._images = images

    def next(self) -> Image.Image:
        """Return the next frame."""
        image = next(self._images, None)
        if image is None:
            raise CorruptImage(_TOO_FEW_FRAMES)
        return image


class _WebPLaterFrames(_LaterFrames):
    """The interface that Pillow's WebP saver needs of an image whose mode it converts."""

    mode = "lazy"
    has_transparency_data = False

    def seek(self, index: int) -> None:
        """Do nothing: `convert` returns the next frame."""

    def convert(self, mode: str) -> Image.Image:
        """Return the next frame."""
        image = self.next()
        return image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if image.mode == "LA" else mode)


class _AvifLaterFrames(_LaterFrames):
    """The interface that the AVIF plugin's saver needs of an image whose mode it accepts."""

    def __init__(self, images: Iterator[Image.Image], count: int, first: Image.Image) -> None:
        super().__init__(images, count)
        self.mode, self.size = first.mode, first.size
        self._image = first

    def seek(self, index: int) -> None:
        """Go to the next frame."""
        self._image = self.next().convert(self.mode)

    def load(self) -> None:
        """Do nothing: the frame is decoded."""

    def tobytes(self, encoder: str, raw_mode: str) -> bytes:
        """Return the frame's pixels."""
        return self._image.tobytes(encoder, raw_mode)


def _webp(
    images: Iterator[tuple[Image.Image, float]], animation: Animation, encoding: Encoding, profile: bytes
) -> bytes:
    out = io.BytesIO()
    durations: list[float] = []
    frames = _record_durations(images, durations)
    next(frames).save(
        out,
        "WEBP",
        save_all=True,
        append_images=[_WebPLaterFrames(frames, animation.count - 1)],
        duration=durations,  # the saver reads each entry after that frame
        loop=animation.plays,
        quality=encoding.quality,
        method=encoding.speed,
        icc_profile=profile,
    )
    return out.getvalue()


def _avif(
    images: Iterator[tuple[Image.Image, float]],
    animation: Animation,
    encoding: Encoding,
    profile: bytes,
    *,
    alpha: bool,
) -> bytes:
    out = io.BytesIO()
    durations: list[float] = []
    # The end times are rounded to whole milliseconds, so that the running time stays exact. A frame has at least 1 ms.
    frames = _record_durations(((image, max(round(end_ms), 1)) for image, end_ms in images), durations, least=1)
    first = next(frames)
    # The file declares alpha once for all frames, and a transparent frame may follow opaque ones.
    first = first.convert("RGBA" if alpha or first.mode in ("LA", "RGBA") else "RGB")
    first.save(
        out,
        "AVIF",
        save_all=True,
        append_images=[_AvifLaterFrames(frames, animation.count - 1, first)],
        duration=durations,  # the saver reads each entry after that frame
        codec="aom",
        speed=encoding.speed,
        quality=encoding.quality,
        subsampling="4:4:4",
        max_threads=1,
        icc_profile=profile,
    )
    return avif_boxes.set_plays(out.getvalue(), animation.plays)


def _record_durations(
    images: Iterator[tuple[Image.Image, float]], durations: list[float], *, least: float = 0
) -> Iterator[Image.Image]:
    clock_ms = 0.0
    for image, end in images:
        end_ms = max(end, clock_ms + least)
        durations.append(end_ms - clock_ms)
        clock_ms = end_ms
        yield image
