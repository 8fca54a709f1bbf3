"""
Animated PNG cut into its frames, and the frames put together as the specification says.

Pillow draws a frame with alpha onto the canvas by mixing alphas too, loses what DISPOSE_OP_PREVIOUS restores, and
raises for a broken sequence of frames, where a viewer shows the default image. So each frame is handed to Pillow as a
PNG of its own, and composed here.

PNG 3rd edition (https://www.w3.org/TR/png-3/), sections 4.9, 11.3.6 and 13.8.
"""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from imgcdn.core.output.geometry import Area, Size
from imgcdn.engine.pieces import Span, join
from imgcdn.engine.png_chunks import SIGNATURE, packed, walk
from imgcdn.engine.png_transparency import is_plain

_HEADER = struct.Struct(">II5s")
_CONTROL = struct.Struct(">5I2H2B")
_NUMBER = struct.Struct(">I")

# What happens to a frame's area before the next frame is drawn. 0 keeps it; a greater value is an error.
_CLEAR, _RESTORE = 1, 2

#: Colour types with an alpha channel.
_WITH_ALPHA = (4, 6)

#: Chunks that a decoder needs beside the coded pixels, and those of an animation.
_PALETTE = (b"PLTE", b"tRNS")
_OF_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_KEPT = (b"IHDR", *_PALETTE, *_OF_ANIMATION, b"IDAT")

# Chunks that are as good as missing if their checksum is wrong. Longer ones are not as the specification says.
_CHECKED = (*_PALETTE, b"acTL", b"fcTL")
_MOST_CHECKED_BYTES = 3 * 256

_Chunk = tuple[bytes, memoryview]


@dataclass(frozen=True, slots=True)
class Part:
    """
    What one frame draws.

    Args:
        start: Depth, colour type and the rest of the header behind the size; then palette and transparency, as chunks.
        pixels: Its coded pixels, in pieces: views of the original, which are not copied.
        box: Its area on the canvas: left, top, right, bottom; inside the canvas.
        disposal: What happens to the area afterwards: 0 keeps it, 1 clears it, 2 restores what was there before.
        over: Whether its transparent pixels show what is beneath. Otherwise they replace it.
        duration_ms: How long it is shown.
    """

    start: tuple[bytes, bytes]
    pixels: tuple[memoryview, ...]
    box: Area
    disposal: int
    over: bool
    duration_ms: float

    def file(self) -> bytes:
        """Return a PNG with nothing but this part, at its own size."""
        left, top, right, bottom = self.box
        header = _HEADER.pack(right - left, bottom - top, self.start[0])
        chunks = (packed(b"IHDR", header), self.start[1], *(packed(b"IDAT", each) for each in self.pixels))
        return b"".join((SIGNATURE, *chunks, packed(b"IEND", b"")))


@dataclass(frozen=True, slots=True)
class Cut:
    """
    An animated PNG, cut into its frames.

    Args:
        parts: At least one.
        plays: Number of plays; 0 for endless.
        size: Of the canvas.
        mode: L, LA, RGB or RGBA: what the pixels of its canvas need. It has an A also if the canvas is not covered.
        default_is_first: Whether the default image is the first frame. Otherwise it is not part of the animation.
    """

    parts: tuple[Part, ...]
    plays: int
    size: Size
    mode: str
    default_is_first: bool


class _BrokenError(Exception):
    """The frames are not as the specification says. Then the default image is shown."""


def is_animated(file: BinaryIO) -> bool:
    """Tell whether a file is a PNG that announces an animation. Its position afterwards is undefined."""
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return False
    found = next((chunk.name for chunk in walk(file) if chunk.name in (b"acTL", b"IDAT", b"IEND")), b"")
    return found == b"acTL"


def without_animation(file: BinaryIO) -> BinaryIO:
    """Return an animated PNG with its default image alone, and all else that it has. It reads from `file`."""
    kept = (chunk for chunk in walk(file) if chunk.name not in _OF_ANIMATION)
    return join(file, (SIGNATURE, *(Span(chunk.start, min(chunk.end, chunk.file_end)) for chunk in kept)))


def cut(file: BinaryIO) -> Cut | None:
    """
    Cut an animated PNG into its frames.

    Args:
        file: Any file; seekable. Its position afterwards is undefined.

    Returns:
        None if it is not an animated PNG, or if its chunks are not as the specification says: a sequence number is
        missing, a frame is empty or reaches beyond the canvas, or there are fewer frames than announced.
    """
    if not is_animated(file):
        return None
    file.seek(0)
    try:
        return _cut(list(_chunks(file.read())))
    except (_BrokenError, struct.error):
        return None


def rewrap(data: bytes) -> bytes | None:
    """
    Return an animated PNG with only its frames, palette and transparency. Its description of its colours is dropped.

    Returns:
        None if it is broken, if it has more frames than it announces, or if viewers differ in what its tRNS means.
    """
    animation = cut(io.BytesIO(data))
    if animation is None:
        return None
    kept = [chunk for chunk in _chunks(data) if chunk[0] in _KEPT]
    if sum(name == b"fcTL" for name, _ in kept) != len(animation.parts) or not is_plain(kept):
        return None
    return b"".join((SIGNATURE, *(packed(name, content) for name, content in kept), packed(b"IEND", b"")))


def draw_parts(animation: Cut, decode: Callable[[bytes], Image.Image]) -> Iterator[tuple[Image.Image, float]]:
    """
    Draw the parts over each other.

    Args:
        decode: Returns the pixels of a PNG.

    Yields:
        The canvas, in the animation's mode, and the milliseconds it is shown. The next step may draw on the same image,
        so copy it to keep it.
    """
    canvas = Image.new("RGBA", animation.size)
    for index, part in enumerate(animation.parts):
        # The first frame has nothing to restore, so its area is cleared (section 11.3.6.2).
        disposal = _CLEAR if index == 0 and part.disposal == _RESTORE else part.disposal
        kept = canvas.copy() if disposal == _RESTORE else canvas
        patch = decode(part.file()).convert("RGBA")
        if part.over:
            canvas.alpha_composite(patch, part.box[:2])
        else:
            canvas.paste(patch, part.box[:2])
        yield canvas.convert(animation.mode) if animation.mode != "RGBA" else canvas, part.duration_ms
        canvas = kept
        if disposal == _CLEAR:
            canvas.paste((0, 0, 0, 0), part.box)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Yield the name and the content of each chunk before IEND."""
    view = memoryview(data)
    for chunk in walk(io.BytesIO(data)):
        if chunk.name == b"IEND":
            return
        if chunk.is_cut:
            break
        # The checksum of frames' pixels is not compared, as in Chromium.
        if chunk.name not in _CHECKED or chunk.data(_MOST_CHECKED_BYTES) is not None:
            yield chunk.name, view[chunk.content]
    raise _BrokenError


def _cut(chunks: list[_Chunk]) -> Cut:
    names = [name for name, _ in chunks]
    if names[:1] != [b"IHDR"] or b"IDAT" not in names or names.count(b"acTL") != 1:
        raise _BrokenError
    first = names.index(b"IDAT")
    before = chunks[:first]
    width, height, coding = _HEADER.unpack(chunks[0][1])
    count, plays = struct.unpack(">2I", dict(before).get(b"acTL", b""))
    palette = b"".join(packed(name, content) for name, content in before if name in _PALETTE)
    # Frames beyond the announced number are ignored, as in Chromium.
    found = list(_frames(chunks, first))[:count]
    parts = tuple(_part((coding, palette), control, pixels, (width, height)) for control, pixels in found)
    default_is_first = b"fcTL" in names[:first]
    if len(parts) < count or not parts or (default_is_first and parts[0].box != (0, 0, width, height)):
        raise _BrokenError
    mode = _mode(coding[1], palette, parts, (width, height))
    return Cut(parts, plays, (width, height), mode, default_is_first)


def _frames(chunks: list[_Chunk], first: int) -> Iterator[tuple[memoryview, tuple[memoryview, ...]]]:
    """Yield the control chunk and the coded pixels of each frame; `first` is the index of the first IDAT."""
    control: memoryview | None = None
    pixels: list[memoryview] = []
    due = 0
    for index, (name, content) in enumerate(chunks):
        if name in (b"fcTL", b"fdAT"):
            if _NUMBER.unpack_from(content)[0] != due:
                raise _BrokenError
            due += 1
        if name == b"fcTL":
            if control is not None:
                yield control, _complete(pixels)
            control, pixels = content, []
        elif name == b"fdAT":
            if control is None or index < first:
                raise _BrokenError
            pixels.append(content[4:])
        elif name == b"IDAT":
            if due > 1 or (due == 1 and control is None):
                raise _BrokenError
            if control is not None:
                pixels.append(content)
    if control is not None:
        yield control, _complete(pixels)


def _complete(pixels: list[memoryview]) -> tuple[memoryview, ...]:
    if not pixels:
        raise _BrokenError
    return tuple(pixels)


def _part(start: tuple[bytes, bytes], control: memoryview, pixels: tuple[memoryview, ...], size: Size) -> Part:
    _, width, height, left, top, delay, ticks, disposal, blend = _CONTROL.unpack(control)
    right, bottom = left + width, top + height
    if not width or not height or right > size[0] or bottom > size[1] or disposal > _RESTORE or blend > 1:
        raise _BrokenError
    # The delay is a fraction of a second; a denominator of 0 means hundredths (section 11.3.6.2).
    return Part(start, pixels, (left, top, right, bottom), disposal, blend == 1, 1000 * delay / (ticks or 100))


def _mode(colour: int, palette: bytes, parts: tuple[Part, ...], size: Size) -> str:
    covered = parts[0].box == (0, 0, *size) and all(part.disposal != _CLEAR for part in parts[:-1])
    covered = covered and parts[0].disposal != _RESTORE
    alpha = colour in _WITH_ALPHA or b"tRNS" in palette or not covered
    return ("L" if colour in (0, 4) else "RGB") + ("A" if alpha else "")
