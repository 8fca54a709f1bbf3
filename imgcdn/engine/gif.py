"""
GIF frames put together as browsers do it.

Where a GIF leaves part of its canvas uncovered, or clears it, browsers show what lies behind the picture. Pillow fills
in the background colour or the palette's first entry, and enlarges the canvas for a frame that reaches beyond it. So
each part is handed to Pillow as a GIF of its own, and composed here.

Block layout: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageFile

from imgcdn.core.output.geometry import Size

#: Bytes that begin a block, and the label of the extension with disposal, duration and transparent entry.
EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
GRAPHIC_CONTROL = 0xF9

#: Disposal methods. Any other one keeps the part.
KEEP, CLEAR, RESTORE = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Part:
    """
    What one frame draws.

    Args:
        tables: Flags and global colour table of the GIF.
        control: The graphic control extension of the frame; empty for none.
        image: Its image descriptor, local colour table and coded pixels: a view of the original, which is not copied.
        box: Its area on the canvas: left, top, right, bottom. It may reach beyond the canvas.
        disposal: What happens to its area before the next frame is drawn (the disposal method).
        duration_ms: How long it is shown.
    """

    tables: bytes
    control: bytes
    image: memoryview
    box: tuple[int, int, int, int]
    disposal: int
    duration_ms: int

    def file(self) -> bytes:
        """Return a GIF with nothing but this part, at its own size."""
        left, top, right, bottom = self.box
        size = right - left, bottom - top
        start = b"GIF89a" + struct.pack("<2H", *size) + self.tables + self.control
        return b"".join((start, struct.pack("<B4H", IMAGE, 0, 0, *size), self.image[9:], bytes([TRAILER])))


def leaves_gap(image: ImageFile.ImageFile) -> bool:
    """Tell of a GIF, opened and not yet loaded, whether its first frame leaves part of the canvas uncovered."""
    return image.tile[0][1] != (0, 0, *image.size)


def parts(data: bytes) -> Iterator[Part]:
    """
    Cut a GIF into its frames.

    Raises:
        IndexError, struct.error: The file ends within a block.
    """
    view = memoryview(data)
    control = b""
    at = 13 + table_bytes(data[10])
    head = data[10:at]
    while data[at] != TRAILER:
        if data[at] == EXTENSION:
            end = behind_blocks(data, at + 2)
            control = data[at:end] if data[at + 1] == GRAPHIC_CONTROL else control
        elif data[at] == IMAGE:
            # Between descriptor and blocks stand the local colour table and one byte, the code size.
            end = behind_blocks(data, at + 10 + table_bytes(data[at + 9]) + 1)
            yield _part(head, control, view[at:end])
            control = b""
        else:
            end = at + 1  # stray bytes between blocks are skipped, as every viewer does
        at = end
        if at == len(data):
            return  # the trailer is often missing


def draw_parts(frames: Iterator[Part], size: Size) -> Iterator[tuple[Image.Image, int]]:
    """
    Draw parts over each other.

    Args:
        frames: In order.
        size: Of the canvas.

    Yields:
        The canvas, RGBA, and the milliseconds it is shown. The next step draws on the same image, so copy it to keep
        it.
    """
    canvas = Image.new("RGBA", size)
    for part in frames:
        kept = canvas.copy() if part.disposal == RESTORE else canvas
        left, top, right, bottom = part.box
        if left < min(right, size[0]) and top < min(bottom, size[1]):
            patch = _patch(part, (min(right, size[0]) - left, min(bottom, size[1]) - top))
            canvas.paste(patch, (left, top), mask=patch)
        yield canvas, part.duration_ms
        canvas = kept
        if part.disposal == CLEAR:
            canvas.paste((0, 0, 0, 0), part.box)


def _patch(part: Part, size: Size) -> Image.Image:
    with Image.open(io.BytesIO(part.file()), formats=["GIF"]) as image:
        return image.crop((0, 0, *size)).convert("RGBA")


def _part(tables: bytes, control: bytes, image: memoryview) -> Part:
    left, top, width, height = struct.unpack_from("<4H", image, 1)
    flags, delay = struct.unpack_from("<BH", control, 3) if control else (0, 0)
    return Part(tables, control, image, (left, top, left + width, top + height), flags >> 2 & 7, 10 * delay)


def table_bytes(flags: int) -> int:
    """Return the length of the colour table that a screen's or an image's flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def behind_blocks(data: bytes, at: int) -> int:
    """Return the position behind a chain of data sub-blocks."""
    while data[at]:
        at += data[at] + 1
    return at + 1
