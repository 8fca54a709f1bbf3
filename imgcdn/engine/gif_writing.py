"""
An animated GIF, written frame by frame.

Pillow's own writer holds every frame until the last has come. Here Pillow codes one patch at a time; what is held are
the canvas as it was, the picture that is being shown and the one that follows it.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from PIL import Image, ImageChops

from imgcdn.core.output.geometry import Size
from imgcdn.engine.encode import reduce_to_palette
from imgcdn.engine.gif import behind_blocks, table_bytes

# 16 bits of centiseconds.
_MOST_TICKS = 65_535

_KEEP, _CLEAR = 1, 2  # disposal methods

_HEAD = struct.Struct("<6s2H3B")
_IMAGE = struct.Struct("<B4HB")


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture, RGBA with alphas of 0 and 255 alone, and the centiseconds for which it is shown."""

    image: Image.Image
    ticks: int


def write_gif(images: Iterable[tuple[Image.Image, float]], size: Size, *, plays: int) -> bytes:
    """
    Write an animation.

    Args:
        images: Each all of the canvas, with the milliseconds from the start at which it ends. Consumed.
        size: Of the canvas.
        plays: How often it is shown; 0 for ever.
    """
    out = io.BytesIO()
    out.write(_HEAD.pack(b"GIF89a", *size, 0, 0, 0) + _repeats(plays))
    canvas, pending = None, None
    for following in _ticking(images):
        if pending is None:
            pending = following
        elif pending.image.tobytes() == following.image.tobytes():
            pending = replace(pending, ticks=pending.ticks + following.ticks)
        else:
            cleared = _vanishes(pending.image, following.image)
            out.writelines(_frames(canvas, pending, _CLEAR if cleared else _KEEP))
            canvas = Image.new("RGBA", size) if cleared else pending.image
            pending = following
    if pending is not None:
        out.writelines(_frames(canvas, pending, _KEEP))
    out.write(b";")
    return out.getvalue()


def _ticking(images: Iterable[tuple[Image.Image, float]]) -> Iterator[_Shown]:
    """Round the running time, not each frame's, and leave out frames that are shown for less than half a tick."""
    clock, clock_ms = 0, 0.0
    first = True
    for image, end_ms in images:
        tick = int(end_ms / 10 + 0.5)
        if first or tick > clock or end_ms == clock_ms:
            yield _Shown(_there_or_not(image), tick - clock)
            first = False
        clock, clock_ms = tick, end_ms


def _there_or_not(image: Image.Image) -> Image.Image:
    """Make every pixel opaque or clear, and the clear ones alike."""
    picture = image.convert("RGBA")
    clear = picture.getchannel("A").point(lambda alpha: 255 if alpha < 128 else 0)
    picture.putalpha(255)
    picture.paste((0, 0, 0, 0), mask=clear)
    return picture


def _vanishes(image: Image.Image, following: Image.Image) -> bool:
    """Tell whether a pixel that is there is not in the next picture: drawing over it cannot make it clear."""
    return ImageChops.subtract(image.getchannel("A"), following.getchannel("A")).getbbox() is not None


def _frames(canvas: Image.Image | None, shown: _Shown, disposal: int) -> Iterator[bytes]:
    """
    Code one picture, in several frames where one cannot say for how long it is shown.

    Args:
        canvas: What is there already; None before the first picture, which readers want whole.
    """
    ticks = shown.ticks
    while ticks > _MOST_TICKS:
        yield _frame(canvas, shown.image, _KEEP, _MOST_TICKS)
        canvas = shown.image
        ticks -= _MOST_TICKS
    yield _frame(canvas, shown.image, disposal, ticks)


def _frame(canvas: Image.Image | None, image: Image.Image, disposal: int, ticks: int) -> bytes:
    if canvas is None or disposal == _CLEAR:
        # Clearing concerns the frame's own place, and more than what this frame changed may have to go.
        # Some viewers clear to a colour unless this frame, or the first, names a transparent entry.
        return _coded(image, (0, 0), disposal, ticks, hole=True)
    same = ImageChops.difference(image, canvas)
    box = same.getbbox(alpha_only=False) or (0, 0, 1, 1)
    patch = image.crop(box)
    patch.paste((0, 0, 0, 0), mask=_unchanged(same.crop(box)))
    return _coded(patch, box[:2], disposal, ticks, hole=False)


def _unchanged(difference: Image.Image) -> Image.Image:
    most = difference.getchannel(0)
    for band in range(1, 4):
        most = ImageChops.lighter(most, difference.getchannel(band))
    return most.point(lambda value: 0 if value else 255)


def _coded(patch: Image.Image, corner: tuple[int, int], disposal: int, ticks: int, *, hole: bool) -> bytes:
    """Have Pillow code a patch as a GIF of its own, and take its parts."""
    picture = reduce_to_palette(patch, hole=hole)
    out = io.BytesIO()
    clear = {"transparency": picture.info["transparency"]} if "transparency" in picture.info else {}
    # The optimiser would drop an entry that no pixel uses.
    picture.save(out, "GIF", optimize=not hole, interlace=0, **clear)
    data = out.getvalue()
    at = 13 + table_bytes(data[10])
    table = data[13:at]
    transparent, entry = 0, 0
    while data[at] == 0x21:
        transparent, entry = data[at + 3] & 1, data[at + 6]
        at = behind_blocks(data, at + 2)
    control = b"!\xf9\x04" + struct.pack("<BHBB", disposal << 2 | transparent, ticks, entry, 0)
    image = _IMAGE.pack(0x2C, *corner, *patch.size, 0x80 | data[10] & 7)
    return control + image + table + data[at + _IMAGE.size : -1]


def _repeats(plays: int) -> bytes:
    """NETSCAPE2.0 counts what follows the first showing; without the block there is nothing."""
    if plays == 1:
        return b""
    return b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", max(0, plays - 1), 0)
