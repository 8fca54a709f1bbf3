"""The frames of an animation -> a file."""

import io
from collections.abc import Callable, Iterator
from itertools import chain

from PIL import Image

from imgcdn.core.encoders.encoding import Encoding
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import EncodedImage
from imgcdn.engine import avif_boxes
from imgcdn.engine.animation import Animation
from imgcdn.engine.codecs import READABLE
from imgcdn.engine.decode import Picture
from imgcdn.engine.encode import choose_quality
from imgcdn.engine.gif_writing import write_gif
from imgcdn.errors import CorruptImage

_TOO_FEW_FRAMES = "The original has fewer frames than it says."

# Where a WebP says whether it has alpha: flags of the chunk VP8X, which is the first one (section 2.7.1.2).
_EXTENDED, _FLAGS_AT, _ALPHA_FLAG = slice(12, 16), 20, 0x10


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
    return EncodedImage(body, encoding.format, plan.size, written, encoding.effort)


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
    clear: list[bool] = []
    frames = _record_transparency(_record_durations(images, durations), clear)
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
    return _with_alpha_flag(out.getvalue()) if any(clear) else out.getvalue()


def _with_alpha_flag(data: bytes) -> bytes:
    """
    Return an animation that says that its canvas may be transparent.

    libwebp says so only if the coded pixels have alpha. But a frame that disappears leaves a transparent area, too.
    Readers that trust the flag would show it black.
    """
    if data[_EXTENDED] != b"VP8X":
        return data  # a single frame, whose own flag is right
    made = bytearray(data)
    made[_FLAGS_AT] |= _ALPHA_FLAG
    return bytes(made)


def _record_transparency(images: Iterator[Image.Image], clear: list[bool]) -> Iterator[Image.Image]:
    """Record of each frame whether it has a transparent pixel."""
    for image in images:
        clear.append(image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema() != (255, 255))
        yield image


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
