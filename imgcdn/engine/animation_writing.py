"""The frames of an animation -> a file."""

import io
from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO

from PIL import Image

from imgcdn.core.encoders.encoding import Encoding
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import EncodedImage
from imgcdn.engine import avif_boxes
from imgcdn.engine.animation import Animation, open_animation
from imgcdn.engine.animation_rewrap import rewrap_animation
from imgcdn.engine.codecs import READABLE
from imgcdn.engine.decode import Picture
from imgcdn.engine.encode import choose_quality
from imgcdn.engine.gif_writing import write_gif
from imgcdn.engine.kinds import HEAD_BYTES, kind_of
from imgcdn.engine.later_frames import TOO_FEW_FRAMES, LaterFrames, record_durations
from imgcdn.engine.webp_writing import write_webp
from imgcdn.errors import CorruptImage


def encode_animation(
    file: BinaryIO, plan: Plan, encoding: Encoding, transform: Callable[[Picture], Picture], whole: int | None = None
) -> EncodedImage:
    """
    Encode every frame; running time and number of plays stay the same. Few frames are in memory at a time.

    If the plan permits it and the output would be larger, return the original's own coding.

    Args:
        file: The original, an animation.
        plan: The plan for every frame.
        encoding: An encoding of format webp, gif or avif.
        transform: The pipeline steps between decoding and encoding.
        whole: As in `open_animation`.

    Raises:
        CorruptImage: It does not open.
        DamagedFrameError: A frame does not decode.
    """
    animation = open_animation(file, whole)
    transformed = ((transform(frame.picture), frame.end_ms) for frame in animation.frames)
    first = next(transformed, None)
    if first is None:
        raise CorruptImage(TOO_FEW_FRAMES)
    images = ((_without_info(picture.image), end_ms) for picture, end_ms in chain([first], transformed))
    # The first frame determines the quality of all. A quality that changed between frames would be visible.
    encoding = choose_quality(first[0].image, encoding)
    if encoding.format == "webp":
        profile = first[0].profile
        body = write_webp(images, animation.count, encoding, plays=animation.plays, profile=profile)
    elif encoding.format == "avif":
        alpha = animation.alpha and (plan.background is None or len(plan.background) == 4)
        body = _avif(images, animation, encoding, first[0].profile, alpha=alpha)
    else:
        body = write_gif(images, plan.size, plays=animation.plays)
    shown = first[0]
    may_rewrap = plan.rewrap and not (shown.altered or shown.profile or animation.partial)
    body, name = (_own_coding(file, len(body)) if may_rewrap else None) or (body, encoding.format)
    # Encoders merge equal consecutive frames, so the number of frames is read from the file.
    written: int = getattr(Image.open(io.BytesIO(body), formats=READABLE), "n_frames", 1)
    return EncodedImage(body, name, plan.size, written, encoding.effort, animation.partial)


def _own_coding(file: BinaryIO, below: int) -> tuple[bytes, str] | None:
    """Return the original's own coding, and its format, if it has fewer bytes; otherwise None."""
    file.seek(0)
    data = file.read()
    name = kind_of(data[:HEAD_BYTES]) or ""
    body = rewrap_animation(data, name)
    return (body, name) if body is not None and len(body) < below else None


def _without_info(image: Image.Image) -> Image.Image:
    image.info = {}
    return image


class _AvifLaterFrames(LaterFrames):
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
    frames = record_durations(((image, max(round(end_ms), 1)) for image, end_ms in images), durations, least=1)
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
