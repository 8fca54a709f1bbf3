"""Animations: a file -> its frames, each a full picture with the time it ends; frames -> a file."""

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
from imgcdn.engine.decode import Picture, open_original, orientation_of, reading
from imgcdn.engine.encode import choose_quality
from imgcdn.engine.gif_writing import write_gif
from imgcdn.errors import CorruptImage

# WebP has 16 bits for the number of times that an animation is shown (RFC 9649, section 2.7.1.1); so has GIF.
_MOST_PLAYS = 65_535

# WebP has 24 bits of milliseconds for a frame (section 2.7.1.1); the last ones are left to rounding. A longer one,
# of more than four hours, is cut to this.
_LONGEST_MS = 16_777_200


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One picture of an animation.

    Args:
        picture: All of the canvas, whatever the file says of the part that changed.
        end_ms: Since the animation's start; a running sum, so that rounding it does not add up.
    """

    picture: Picture
    end_ms: float


@dataclass(frozen=True, slots=True)
class Animation:
    """
    An opened animation.

    Args:
        plays: How often it is shown; 0 for ever.
        count: Of its frames.
        alpha: Whether any of them may have transparent pixels.
        frames: Decoded as they are asked for, one at a time; raises CorruptImage where one does not decode.
    """

    plays: int
    count: int
    alpha: bool
    frames: Iterator[Frame]


def open_animation(file: BinaryIO) -> Animation:
    """
    Open an original that the probe found to have several frames.

    Raises:
        CorruptImage: It does not open.
    """
    with reading():
        image = open_original(file)
        if image.format == "GIF":
            parts = list(gif.parts(_contents(file)))
            return Animation(_plays(image), len(parts), True, _gif_frames(image.size, parts))
        count: int = getattr(image, "n_frames", 1)
        first = int(getattr(image, "default_image", False))
        plays = avif_boxes.plays_of(_contents(file)) if image.format == "AVIF" else _plays(image)
        return Animation(plays, count - first, image.has_transparency_data, _frames(image, file, range(first, count)))


def encode_animation(
    animation: Animation, plan: Plan, encoding: Encoding, develop: Callable[[Picture, Plan], Picture]
) -> EncodedImage:
    """
    Encode every frame, keeping the running time and the number of plays; holds a few of them at a time.

    Args:
        animation: Its frames are consumed.
        plan: What every frame becomes.
        encoding: Of format webp, gif or avif.
        develop: The pipeline from a decoded frame to what is encoded.

    Raises:
        CorruptImage: A frame does not decode.
    """
    developed = ((develop(frame.picture, plan), frame.end_ms) for frame in animation.frames)
    first = next(developed, None)
    if first is None:
        raise CorruptImage("The original has fewer frames than it says.")
    images = ((_bare(picture.image), end_ms) for picture, end_ms in chain([first], developed))
    # A first frame stands for all: a quality that changed between them would show.
    encoding = choose_quality(first[0].image, encoding)
    if encoding.format == "webp":
        body = _webp(images, animation, encoding, first[0].profile)
    elif encoding.format == "avif":
        alpha = animation.alpha and (plan.background is None or len(plan.background) == 4)
        body = _avif(images, animation, encoding, first[0].profile, alpha=alpha)
    else:
        body = write_gif(images, plan.size, plays=animation.plays)
    # Encoders merge equal neighbours, so only the file knows its frames.
    written: int = getattr(Image.open(io.BytesIO(body), formats=READABLE), "n_frames", 1)
    return EncodedImage(body, encoding.format, plan.size, written, encoding.effort)


def _contents(file: BinaryIO) -> bytes:
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    return file.read(length)  # without a length a buffered file holds everything twice for a moment


def _plays(image: ImageFile.ImageFile) -> int:
    loop = image.info.get("loop")
    if image.format != "GIF":
        return loop if isinstance(loop, int) else 0
    # NETSCAPE2.0 counts repeats behind the first showing, 0 for ever; without the block there are none.
    if loop is None:
        return 1
    return min(int(loop) + 1, _MOST_PLAYS) if loop else 0


def _gif_frames(size: Size, parts: list[gif.Part]) -> Iterator[Frame]:
    extent = (0.0, 0.0, float(size[0]), float(size[1]))
    composed = gif.compose(iter(parts), size)
    end_ms = 0
    for _ in parts:
        with reading():
            image, duration_ms = next(composed)
        end_ms += duration_ms
        yield Frame(Picture(image, extent, 1, 1, b""), end_ms)


def _frames(image: ImageFile.ImageFile, file: BinaryIO, indices: range) -> Iterator[Frame]:
    extent = (0.0, 0.0, float(image.width), float(image.height))
    orientation, profile = orientation_of(image), profile_of(image, file)
    end_ms = 0.0
    for index in indices:
        with reading():
            image.seek(index)
            image.load()
            end_ms = _end_ms(image, end_ms)
        yield Frame(Picture(image, extent, 1, orientation, profile), end_ms)


def _end_ms(image: ImageFile.ImageFile, previous_ms: float) -> float:
    """Where a format has timestamps they are exacter than the durations, each of which was rounded."""
    start = image.info.get("timestamp", previous_ms)
    end_ms = float(start) + float(image.info.get("duration", 0))
    return min(max(previous_ms, end_ms), previous_ms + _LONGEST_MS)


def _bare(image: Image.Image) -> Image.Image:
    image.info = {}
    return image


class _Rest:
    """
    The frames behind the first, as one multi-frame image that is decoded while a saver walks it.

    Savers turn `append_images` into a list before they encode, so a generator there would hold every decoded frame at
    once. They walk in order and ask for each frame once.
    """

    def __init__(self, images: Iterator[Image.Image], count: int) -> None:
        self.n_frames = count
        self._images = images

    def next(self) -> Image.Image:
        """Return the next frame."""
        image = next(self._images, None)
        if image is None:
            raise CorruptImage("The original has fewer frames than it says.")
        return image


class _WebPRest(_Rest):
    """What Pillow's WebP saver wants of an image whose mode it must convert."""

    mode = "lazy"
    has_transparency_data = False

    def seek(self, index: int) -> None:
        """Do nothing: the next frame comes when it is converted."""

    def convert(self, mode: str) -> Image.Image:
        """Return the next frame."""
        image = self.next()
        return image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if image.mode == "LA" else mode)


class _AvifRest(_Rest):
    """What the AVIF plugin's saver wants of an image whose mode it takes."""

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
    walked = _noting_durations(images, durations)
    next(walked).save(
        out,
        "WEBP",
        save_all=True,
        append_images=[_WebPRest(walked, animation.count - 1)],
        duration=durations,  # read for each frame after that frame was walked
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
    # Whole milliseconds, of which none is lost: it is the running time that is rounded. And no frame has none of them.
    walked = _noting_durations(((image, max(round(end_ms), 1)) for image, end_ms in images), durations, least=1)
    first = next(walked)
    # Opaque frames may come before the first one with a hole, and the file says once for all frames.
    first = first.convert("RGBA" if alpha or first.mode in ("LA", "RGBA") else "RGB")
    first.save(
        out,
        "AVIF",
        save_all=True,
        append_images=[_AvifRest(walked, animation.count - 1, first)],
        duration=durations,  # read for each frame after that frame was walked
        codec="aom",
        speed=encoding.speed,
        quality=encoding.quality,
        subsampling="4:4:4",
        max_threads=1,
        icc_profile=profile,
    )
    return avif_boxes.finished(out.getvalue(), animation.plays)


def _noting_durations(
    images: Iterator[tuple[Image.Image, float]], durations: list[float], *, least: float = 0
) -> Iterator[Image.Image]:
    clock_ms = 0.0
    for image, end in images:
        end_ms = max(end, clock_ms + least)
        durations.append(end_ms - clock_ms)
        clock_ms = end_ms
        yield image
