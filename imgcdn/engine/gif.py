"""
GIF frames put together as browsers do it.

Where a GIF leaves part of its canvas uncovered, or clears it, browsers show what lies behind the picture. Pillow fills
in the background colour or the palette's first entry, and enlarges the canvas for a frame that reaches beyond it. So
each part is handed to Pillow as a GIF of its own, and composed here.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageFile

from imgcdn.core.output.geometry import Size
from imgcdn.engine.gif_blocks import EXTENSION, GRAPHIC_CONTROL, IMAGE, TRAILER, blocks, table_bytes

#: Disposal methods. Any other one keeps the part, but 4 restores: some encoders counted the bits from 1, and Chromium
#: and Firefox read it so.
KEEP, CLEAR, RESTORE = 1, 2, 3
_ALSO_RESTORE = 4

# Application extensions that say how often the animation is repeated, with the length of their names before them.
_LOOPS = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")
_LOOP_BYTES = 16


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
        flags, table = self.image[9], self.local_table
        # Pillow ignores a local table of greys in order and uses the global one. So a local table becomes the global
        # one of this file.
        tables = bytes([flags & 0x87, 0, 0, *table]) if table else self.tables
        start = b"GIF89a" + struct.pack("<2H", *size) + tables + self.control
        descriptor = struct.pack("<B4HB", IMAGE, 0, 0, *size, flags & 0x40)
        return b"".join((start, descriptor, self.image[10 + len(table) :], bytes([TRAILER])))

    @property
    def clear_entry(self) -> int | None:
        """The entry of the colour table that is transparent; None for none."""
        return self.control[6] if self.control and self.control[3] & 1 else None

    @property
    def local_table(self) -> memoryview:
        """The frame's own colour table; empty if it uses the global one."""
        return self.image[10 : 10 + table_bytes(self.image[9])]


def leaves_gap(image: ImageFile.ImageFile) -> bool:
    """Tell of a GIF, opened and not yet loaded, whether its first frame leaves part of the canvas uncovered."""
    return image.tile[0][1] != (0, 0, *image.size)


def begins_grey(data: bytes) -> bool:
    """Tell whether the first frame has its own colour table of greys in order, which Pillow ignores."""
    table = first_part(data).local_table
    return bool(table) and all(
        bytes(table[3 * grey : 3 * grey + 3]) == bytes([grey] * 3) for grey in range(len(table) // 3)
    )


def first_part(data: bytes) -> Part:
    """
    Cut the first frame out of a GIF.

    Raises:
        ValueError: There is none. Pillow finds images where this module and browsers see the end of the file.
    """
    part = next(parts(data), None)
    if part is None:
        raise ValueError("the GIF has no frame")
    return part


def parts(data: bytes) -> Iterator[Part]:
    """Cut a GIF into its whole frames."""
    view = memoryview(data)
    head = data[10 : 13 + table_bytes(data[10])]
    control = b""
    for block in blocks(data):
        if not block.is_whole:
            return
        if block.kind == IMAGE:
            yield _part(head, control, view[block.start : block.end])
            control = b""
        elif data[block.start + 1] == GRAPHIC_CONTROL:
            control = data[block.start : block.end]


def plays_of(data: bytes) -> int:
    """
    Return the number of plays; 0 for endless.

    The file has the number of repeats after the first play, 0 for endless. Without it there is one play.
    """
    for block in blocks(data):
        # The name and the number are data sub-blocks; the second one begins with 1 (its kind).
        content = data[block.start + 2 : min(block.end, block.start + 2 + _LOOP_BYTES)]
        if len(content) == _LOOP_BYTES and content.startswith(_LOOPS) and content[12] >= 3 and content[13] == 1:
            repeats = int.from_bytes(content[14:16], "little")
            return repeats + 1 if repeats else 0
    return 1


def plain_control(part: Part) -> bytes:
    """Return the graphic control extension of a part, in its usual form; empty if the part has none."""
    if not part.control:
        return b""
    transparent, entry = part.control[3] & 1, part.control[6]
    flags = part.disposal << 2 | transparent
    return struct.pack("<4BHBB", EXTENSION, GRAPHIC_CONTROL, 4, flags, part.duration_ms // 10, entry, 0)


def repeats(plays: int) -> bytes:
    """Return the block with the number of plays; 0 for endless. It counts the plays after the first."""
    if plays == 1:
        return b""
    return b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", min(max(0, plays - 1), 65_535), 0)


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
    if not part.image[10 + len(part.local_table)]:
        raise ValueError("a code size of 0, which Pillow accepts")
    with Image.open(io.BytesIO(part.file()), formats=["GIF"]) as image:
        return image.crop((0, 0, *size)).convert("RGBA")


def _part(tables: bytes, control: bytes, image: memoryview) -> Part:
    left, top, width, height = struct.unpack_from("<4H", image, 1)
    flags, delay = struct.unpack_from("<BH", control, 3) if control else (0, 0)
    disposal = RESTORE if flags >> 2 & 7 == _ALSO_RESTORE else flags >> 2 & 7
    return Part(tables, control, image, (left, top, left + width, top + height), disposal, 10 * delay)
