"""Animated PNGs, packed chunk by chunk: Pillow's writer chooses areas, disposal and blending by itself."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

KEEP, CLEAR, RESTORE = 0, 1, 2

Colour = tuple[int, int, int, int]
Chunk = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class ApngPart:
    """
    One frame, filled with one colour.

    Args:
        box: Left, top, width, height.
        colour: RGBA.
        disposal: KEEP, CLEAR or RESTORE.
        over: Whether it is composited; otherwise it replaces what is beneath.
        delay: Numerator and denominator of its duration in seconds.
    """

    box: tuple[int, int, int, int]
    colour: Colour
    disposal: int = KEEP
    over: bool = False
    delay: tuple[int, int] = (1, 10)


def chunks(
    size: tuple[int, int],
    parts: Sequence[ApngPart],
    *,
    default: Colour | None = None,
    plays: int = 0,
    count: int | None = None,
) -> list[Chunk]:
    """
    Return the chunks of an animation, each with its name.

    Args:
        size: Of the canvas.
        parts: The frames.
        default: Colour of a default image that is not part of the animation; None if it is the first frame.
        plays: Number of plays; 0 for endless.
        count: The announced number of frames; None for the true one.
    """
    found = [(b"IHDR", struct.pack(">II5B", *size, 8, 6, 0, 0, 0))]
    found.append((b"acTL", struct.pack(">II", len(parts) if count is None else count, plays)))
    if default is not None:
        found.append((b"IDAT", _pixels(size, default)))
    number = 0
    for part in parts:
        left, top, width, height = part.box
        control = struct.pack(">5I2H2B", number, width, height, left, top, *part.delay, part.disposal, int(part.over))
        found.append((b"fcTL", control))
        number += 1
        pixels = _pixels((width, height), part.colour)
        if any(name == b"IDAT" for name, _ in found):
            found.append((b"fdAT", struct.pack(">I", number) + pixels))
            number += 1
        else:
            found.append((b"IDAT", pixels))
    return [*found, (b"IEND", b"")]


def packed(found: Iterable[Chunk]) -> bytes:
    """Return a PNG of chunks, with their lengths and checksums."""
    coded = (
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in found
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(coded)


def packed_apng(
    size: tuple[int, int], parts: Sequence[ApngPart], *, default: Colour | None = None, plays: int = 0
) -> bytes:
    """Return an animated PNG. The arguments are those of `chunks`."""
    return packed(chunks(size, parts, default=default, plays=plays))


def _pixels(size: tuple[int, int], colour: Colour) -> bytes:
    return zlib.compress((b"\0" + bytes(colour) * size[0]) * size[1])
