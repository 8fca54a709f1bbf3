"""How many bytes the rows of a PNG have before they are compressed (PNG 3rd edition, sections 7.2 and 8.2)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from imgcdn.core.output.geometry import Size

_HEADER = struct.Struct(">IIBBBBB")

#: Length of the contents of IHDR.
HEADER_BYTES = _HEADER.size

# Colour type -> samples of a pixel.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

# First column and row of each pass, and the steps to the next.
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass(frozen=True, slots=True)
class PngHeader:
    """
    The fields of IHDR that the pixels depend on.

    Args:
        size: Width and height.
        depth: Bits of a sample.
        colour_type: One of the five colour types.
        is_interlaced: Whether the rows come in seven passes.
    """

    size: Size
    depth: int
    colour_type: int
    is_interlaced: bool

    @classmethod
    def parse(cls, data: bytes) -> "PngHeader | None":
        """Read the contents of IHDR. Return None if they are damaged."""
        if len(data) != HEADER_BYTES:
            return None
        width, height, depth, colour_type, _, _, interlaced = _HEADER.unpack(data)
        if colour_type not in _CHANNELS or interlaced > 1:
            return None
        return cls((width, height), depth, colour_type, interlaced == 1)

    def passes(self) -> Iterator[tuple[int, int]]:
        """Yield for each pass its number of rows, and the bytes of a row. A pass without columns has no rows."""
        width, height = self.size
        bits = self.depth * _CHANNELS[self.colour_type]
        for left, top, across, down in _ADAM7 if self.is_interlaced else _WHOLE:
            columns, rows = (width - left + across - 1) // across, (height - top + down - 1) // down
            # A row begins with its filter.
            yield (max(0, rows) if columns > 0 else 0), 1 + (max(0, columns) * bits + 7) // 8

    def coded_bytes(self) -> int:
        """Return the bytes of all rows."""
        return sum(rows * row_bytes for rows, row_bytes in self.passes())
