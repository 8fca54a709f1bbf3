"""
An animated WebP: lossless if it is drawn and that is smaller, otherwise lossy.

RFC 9649 is the format. libwebp's `WebPAnimEncoder` codes in each frame only the area that changed.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from PIL import Image

from imgcdn.core.encoders.encoding import Encoding
from imgcdn.engine.graphics import is_graphic
from imgcdn.engine.later_frames import LaterFrames, record_durations
from imgcdn.engine.webp_chunks import ALPHA_FLAG, EXTENDED, FILE_HEAD_BYTES

# libwebp makes a frame a key frame (a complete picture) after at most this many others. Pillow's default of 5 doubles
# the bytes of a long animation. libwebp still makes one wherever it is smaller.
_NO_KEY_FRAMES = {"kmin": 2**30 - 1, "kmax": 2**30}

# As for stills. Lossless coding wins only where much is flat, and there it takes no longer than lossy coding.
_LOSSLESS = {"lossless": True, "quality": 80, "method": 4}

# So many of the first frames are encoded in both ways, to see which is smaller.
_SAMPLE_FRAMES = 4

# The graphic test is for pictures of some size and with some edges. In others, any coding costs little.
_TINY_PIXELS, _FLAT_COLOURS = 10_000, 16

# Where a WebP says whether it has alpha: flags of the chunk VP8X, which is the first one (section 2.7.1.2).
_FLAGS_AT = FILE_HEAD_BYTES + 8

_TimedImages = Iterator[tuple[Image.Image, float]]


@dataclass(frozen=True, slots=True)
class _Frames:
    """Pictures with the times at which they end, their number, and the number of plays."""

    images: _TimedImages
    count: int
    plays: int


def write_webp(images: _TimedImages, count: int, encoding: Encoding, *, plays: int, profile: bytes) -> bytes:
    """
    Write an animation.

    Args:
        images: Pairs of a picture and the time at which it ends, in milliseconds from the start. The iterator is
            consumed. The pictures have mode L, LA, RGB or RGBA.
        count: Their number.
        encoding: The lossy encoding.
        plays: Number of plays; 0 for endless.
        profile: The profile of the pixels; empty for sRGB.

    Raises:
        CorruptImage: There are fewer pictures than `count`.
    """
    lossy: dict[str, object] = {"quality": encoding.quality, "method": encoding.speed, "icc_profile": profile}
    sample = list(islice(images, _SAMPLE_FRAMES))
    if not any(_may_be_drawn(image) for image, _ in sample):
        return _coded(_Frames(chain(sample, images), count, plays), lossy)
    # In both ways, each frame of a drawn animation that is smaller without loss is coded so.
    mixed, lossless = {**lossy, "allow_mixed": True}, {**_LOSSLESS, "icc_profile": profile}
    trials = [_coded(_Frames(iter(sample), len(sample), plays), way) for way in (lossless, mixed)]
    if len(sample) == count:
        return min(trials, key=len)
    chosen = lossless if len(trials[0]) <= len(trials[1]) else mixed
    return _coded(_Frames(chain(sample, images), count, plays), chosen)


def _may_be_drawn(image: Image.Image) -> bool:
    tiny = image.width * image.height <= _TINY_PIXELS
    return tiny or image.getcolors(_FLAT_COLOURS) is not None or is_graphic(image)


def _coded(frames: _Frames, settings: dict[str, object]) -> bytes:
    out = io.BytesIO()
    durations: list[float] = []
    clear: list[bool] = []
    images = _record_transparency(record_durations(frames.images, durations), clear)
    next(images).save(
        out,
        "WEBP",
        save_all=True,
        append_images=[_WebPLaterFrames(images, frames.count - 1)],
        duration=durations,
        loop=frames.plays,
        **_NO_KEY_FRAMES,
        **settings,
    )
    return _with_alpha_flag(out.getvalue()) if any(clear) else out.getvalue()


def _with_alpha_flag(data: bytes) -> bytes:
    """
    Return an animation that says that its canvas may be transparent.

    libwebp says so only if the coded pixels have alpha. But a frame that disappears leaves a transparent area, too.
    Readers that trust the flag would show it black.
    """
    if not data.startswith(EXTENDED, FILE_HEAD_BYTES):
        return data  # a single frame, whose own flag is right
    made = bytearray(data)
    made[_FLAGS_AT] |= ALPHA_FLAG
    return bytes(made)


def _record_transparency(images: Iterator[Image.Image], clear: list[bool]) -> Iterator[Image.Image]:
    """Record of each frame whether it has a transparent pixel."""
    for image in images:
        clear.append(image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema() != (255, 255))
        yield image


class _WebPLaterFrames(LaterFrames):
    """The interface that Pillow's WebP saver needs of an image whose mode it converts."""

    mode = "lazy"
    has_transparency_data = False

    def seek(self, index: int) -> None:
        """Do nothing: `convert` returns the next frame."""

    def convert(self, mode: str) -> Image.Image:
        """Return the next frame."""
        image = self.next()
        return image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if image.mode == "LA" else mode)
