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

# None, Sub, Up, Average and Paeth (section 9.2).
_LAST_FILTER = 4


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

    def unknown_filter(self, start: int, data: bytes) -> int | None:
        """
        Return where the first row begins whose filter is not one of the standard's five; None if there is none.

        Args:
            start: Where the data begins among the bytes of all rows. The result is counted from there too.
        """
        begin = 0
        for rows, row_bytes in self.passes():
            end = begin + rows * row_bytes
            first = begin + max(0, -(-(start - begin) // row_bytes)) * row_bytes
            filters = data[first - start : max(0, end - start) : row_bytes] if first < end else b""
            if max(filters, default=0) > _LAST_FILTER:
                return first + row_bytes * next(row for row, each in enumerate(filters) if each > _LAST_FILTER)
            begin = end
        return None

    def has_row(self, count: int) -> bool:
        """Tell whether so many bytes hold a row. The first pass has one in every picture."""
        return count >= next(self.passes())[1]

    def last_pixel(self) -> tuple[int, int]:
        """Return column and row of the pixel that comes last in the file."""
        width, height = self.size
        grids = [grid for grid in (_ADAM7 if self.is_interlaced else _WHOLE) if grid[0] < width and grid[1] < height]
        left, top, across, down = grids[-1]
        return left + (width - 1 - left) // across * across, top + (height - 1 - top) // down * down
