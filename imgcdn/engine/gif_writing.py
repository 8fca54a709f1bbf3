"""
An animated GIF, written frame by frame.

Pillow's own writer holds every frame until the last has come. Here Pillow encodes one patch at a time. Only three
pictures are in memory: the canvas so far, the current picture and the next one.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from PIL import Image, ImageChops

from imgcdn.core.output.geometry import Size
from imgcdn.engine.encode import HALF_ALPHA, reduce_to_palette
from imgcdn.engine.gif import CLEAR, KEEP, repeats
from imgcdn.engine.gif_blocks import EXTENSION, GRAPHIC_CONTROL, IMAGE, TRAILER, blocks, table_bytes

# 16 bits of centiseconds.
_MOST_TICKS = 65_535

_HEAD = struct.Struct("<6s2H3B")
_DESCRIPTOR = struct.Struct("<B4HB")


@dataclass(frozen=True, slots=True)
class _TimedPicture:
    """A picture, RGBA with alphas of 0 and 255 alone, and the centiseconds for which it is shown."""

    image: Image.Image
    ticks: int


def write_gif(images: Iterable[tuple[Image.Image, float]], size: Size, *, plays: int) -> bytes:
    """
    Write an animation.

    Args:
        images: Pairs of a picture (the whole canvas) and the time at which it ends, in milliseconds from the start.
            The iterator is consumed.
        size: Size of the canvas.
        plays: Number of plays; 0 for endless.
    """
    out = io.BytesIO()
    out.write(_HEAD.pack(b"GIF89a", *size, 0, 0, 0) + repeats(plays))
    canvas, pending = None, None
    for following in _round_times(images):
        if pending is None:
            pending = following
        elif pending.image.tobytes() == following.image.tobytes():
            pending = replace(pending, ticks=pending.ticks + following.ticks)
        else:
            cleared = _must_clear(pending.image, following.image)
            out.writelines(_frames(canvas, pending, CLEAR if cleared else KEEP))
            canvas = Image.new("RGBA", size) if cleared else pending.image
            pending = following
    if pending is not None:
        out.writelines(_frames(canvas, pending, KEEP))
    out.write(bytes([TRAILER]))
    return out.getvalue()


def _round_times(images: Iterable[tuple[Image.Image, float]]) -> Iterator[_TimedPicture]:
    """Round the running time, not each frame's, and leave out frames that are shown for less than half a tick."""
    clock, clock_ms = 0, 0.0
    first = True
    for image, end_ms in images:
        tick = int(end_ms / 10 + 0.5)
        if first or tick > clock or end_ms == clock_ms:
            yield _TimedPicture(_binarise_alpha(image), tick - clock)
            first = False
        clock, clock_ms = tick, end_ms


def _binarise_alpha(image: Image.Image) -> Image.Image:
    """Make every pixel opaque or clear, and the clear ones alike."""
    picture = image.convert("RGBA")
    clear = picture.getchannel("A").point(lambda alpha: 255 if alpha < HALF_ALPHA else 0)
    picture.putalpha(255)
    picture.paste((0, 0, 0, 0), mask=clear)
    return picture


def _must_clear(image: Image.Image, following: Image.Image) -> bool:
    """
    Tell whether a visible pixel is transparent in the next picture.

    Drawing cannot do that, so the canvas must be cleared.
    """
    return ImageChops.subtract(image.getchannel("A"), following.getchannel("A")).getbbox() is not None


def _frames(canvas: Image.Image | None, shown: _TimedPicture, disposal: int) -> Iterator[bytes]:
    """
    Encode one picture; as several frames if its time is too long for one.

    Args:
        canvas: The canvas so far; None before the first picture, which must cover the whole canvas.
    """
    ticks = shown.ticks
    while ticks > _MOST_TICKS:
        yield _frame(canvas, shown.image, KEEP, _MOST_TICKS)
        canvas = shown.image
        ticks -= _MOST_TICKS
    yield _frame(canvas, shown.image, disposal, ticks)


def _frame(canvas: Image.Image | None, image: Image.Image, disposal: int, ticks: int) -> bytes:
    if canvas is None or disposal == CLEAR:
        # Disposal clears only the frame's own area, and pixels outside what it changed may have to be cleared. So this
        # frame covers the whole canvas.
        # Some viewers clear to a colour unless this frame, or the first, names a transparent entry.
        return _encode_frame(image, (0, 0), disposal, ticks, reserve_transparent=True)
    difference = ImageChops.difference(image, canvas)
    box = difference.getbbox(alpha_only=False) or (0, 0, 1, 1)
    patch = image.crop(box)
    patch.paste((0, 0, 0, 0), mask=_unchanged(difference.crop(box)))
    return _encode_frame(patch, box[:2], disposal, ticks, reserve_transparent=False)


def _unchanged(difference: Image.Image) -> Image.Image:
    most = difference.getchannel(0)
    for band in range(1, 4):
        most = ImageChops.lighter(most, difference.getchannel(band))
    return most.point(lambda value: 0 if value else 255)


def _encode_frame(
    patch: Image.Image, corner: tuple[int, int], disposal: int, ticks: int, *, reserve_transparent: bool
) -> bytes:
    """Have Pillow encode a patch as a GIF of its own, and take its parts."""
    picture = reduce_to_palette(patch, reserve_transparent=reserve_transparent)
    out = io.BytesIO()
    clear = {"transparency": picture.info["transparency"]} if "transparency" in picture.info else {}
    # The optimiser would drop an entry that no pixel uses.
    picture.save(out, "GIF", optimize=not reserve_transparent, interlace=0, **clear)
    data = out.getvalue()
    table = data[13 : 13 + table_bytes(data[10])]
    transparent, entry, at = 0, 0, 0
    for block in blocks(data):
        at = block.start
        if block.kind == EXTENSION:
            transparent, entry = data[at + 3] & 1, data[at + 6]
    flags = disposal << 2 | transparent
    control = struct.pack("<4BHBB", EXTENSION, GRAPHIC_CONTROL, 4, flags, ticks, entry, 0)
    image = _DESCRIPTOR.pack(IMAGE, *corner, *patch.size, 0x80 | data[10] & 7)
    return control + image + table + data[at + _DESCRIPTOR.size : -1]
