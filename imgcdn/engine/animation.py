"""Animations: a file -> its frames, each a full picture with the time it ends; frames -> a file."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, ImageFile

from imgcdn.core.geometry import Size
from imgcdn.core.plan import Plan
from imgcdn.core.values import EncodedImage
from imgcdn.engine import gif
from imgcdn.engine.codecs import READABLE
from imgcdn.engine.decode import Picture, open_original, orientation_of, profile_of, reading
from imgcdn.engine.encode import indexed
from imgcdn.errors import CorruptImage

# Half the time of a still's method 4 for 4 % more bytes; 64 MP of frames take seconds either way.
_WEBP_METHOD = 2

# WebP has 16 bits for the number of times that an animation is shown (RFC 9649, section 2.7.1.1); so has GIF.
_MOST_PLAYS = 65_535

# GIF has 16 bits of centiseconds for a frame; the last is left to rounding. A longer one is cut to this.
_LONGEST_MS = 655_340


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
        frames: Decoded as they are asked for, one at a time; raises CorruptImage where one does not decode.
    """

    plays: int
    count: int
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
            file.seek(0)
            parts = list(gif.parts(file.read()))
            return Animation(_plays(image), len(parts), _gif_frames(image.size, parts))
        count: int = getattr(image, "n_frames", 1)
        first = int(getattr(image, "default_image", False))
        return Animation(_plays(image), count - first, _frames(image, range(first, count)))


def encode_animation(animation: Animation, plan: Plan, develop: Callable[[Picture, Plan], Image.Image]) -> EncodedImage:
    """
    Encode every frame, keeping the running time and the number of plays.

    Args:
        animation: Its frames are consumed.
        plan: Format webp or gif.
        develop: The pipeline from a decoded frame to upright sRGB.

    Raises:
        CorruptImage: A frame does not decode.
    """
    images = ((_bare(develop(frame.picture, plan)), frame.end_ms) for frame in animation.frames)
    out = io.BytesIO()
    if plan.format == "webp":
        _save_webp(images, out, animation, plan)
    else:
        _save_gif(images, out, animation)
    # Encoders merge equal neighbours, so only the file knows its frames.
    written: int = getattr(Image.open(out, formats=READABLE), "n_frames", 1)
    return EncodedImage(out.getvalue(), plan.format, plan.size, written)


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


def _frames(image: ImageFile.ImageFile, indices: range) -> Iterator[Frame]:
    extent = (0.0, 0.0, float(image.width), float(image.height))
    orientation, profile = orientation_of(image), profile_of(image)
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
    The frames behind the first, as one multi-frame image that is decoded while Pillow walks it.

    Pillow's WebP saver turns `append_images` into a list before it encodes, so a generator there would hold every
    decoded frame at once.
    """

    mode = "lazy"  # any that the saver must convert
    has_transparency_data = False

    def __init__(self, images: Iterator[Image.Image], count: int) -> None:
        self.n_frames = count
        self._images = images

    def seek(self, index: int) -> None:
        """Do nothing: the saver walks in order and asks for each frame once."""

    def convert(self, mode: str) -> Image.Image:
        """Return the next frame."""
        image = next(self._images, None)
        if image is None:
            raise CorruptImage("The original has fewer frames than it says.")
        return image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if image.mode == "LA" else mode)


def _save_webp(images: Iterator[tuple[Image.Image, float]], out: io.BytesIO, animation: Animation, plan: Plan) -> None:
    durations: list[float] = []
    walked = _noting_durations(images, durations)
    next(walked).save(
        out,
        "WEBP",
        save_all=True,
        append_images=[_Rest(walked, animation.count - 1)],
        duration=durations,  # read for each frame after that frame was walked
        loop=animation.plays,
        quality=plan.setting.quality,
        method=_WEBP_METHOD,
    )


def _noting_durations(images: Iterator[tuple[Image.Image, float]], durations: list[float]) -> Iterator[Image.Image]:
    clock_ms = 0.0
    for image, end_ms in images:
        durations.append(end_ms - clock_ms)
        clock_ms = end_ms
        yield image


def _save_gif(images: Iterator[tuple[Image.Image, float]], out: io.BytesIO, animation: Animation) -> None:
    frames, durations = _index_frames(images)
    # The saver writes what changed since the last frame, which cannot make a pixel clear again. With disposal 2
    # (restore to background) each frame starts from an empty canvas. Some viewers clear to the background colour
    # unless the frame names a transparent entry, so all of them do, and the optimiser, which drops an entry that no
    # pixel uses, stays off.
    disposal = 1
    if any("transparency" in frame.info for frame in frames):
        disposal = 2
        frames = [frame if "transparency" in frame.info else indexed(frame, hole=True) for frame in frames]
    repeats = {} if animation.plays == 1 else {"loop": max(0, animation.plays - 1)}
    try:
        frames[0].save(
            out,
            "GIF",
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            disposal=disposal,
            optimize=disposal == 1,
            **repeats,
        )
    except OverflowError as error:  # the saver merges equal neighbours and adds their times up
        detail = "The original shows one picture for longer than a GIF frame can say; ask for webp, or a still."
        raise CorruptImage(detail) from error


def _index_frames(images: Iterator[tuple[Image.Image, float]]) -> tuple[list[Image.Image], list[int]]:
    """
    Index every frame; one byte a pixel each, since Pillow's GIF saver holds them all anyway.

    Durations are in milliseconds, whole multiples of GIF's 10; a frame shown for less than half of that is left out.
    """
    frames: list[Image.Image] = []
    durations: list[int] = []
    clock = 0
    clock_ms = 0.0
    for image, end_ms in images:
        tick = int(end_ms / 10 + 0.5)
        if tick > clock or end_ms == clock_ms or not frames:
            frames.append(indexed(image))
            durations.append((tick - clock) * 10)
        clock, clock_ms = tick, end_ms
    return frames, durations
