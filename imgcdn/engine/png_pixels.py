"""What a PNG's pixels are where Pillow does not follow the standard (PNG 3rd edition, sections 8 and 11.3.1.1)."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, ImageChops, ImageFile, ImagePalette

from imgcdn.core.output.geometry import Size
from imgcdn.engine.png_remains import pixel_data
from imgcdn.engine.png_rows import HEADER_BYTES, PngHeader

_HEADER_AT = 16
_MOST_COLOURS = 256
_INFLATED_AT_ONCE = 4096

# Columns and rows between the pixels that are there after each pass.
_GRIDS = ((8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2), (1, 1))


def read_header(file: BinaryIO) -> PngHeader:
    """
    Read the header of a PNG. The position of the file is kept.

    Raises:
        ValueError: It is damaged.
    """
    position = file.tell()
    file.seek(_HEADER_AT)
    header = PngHeader.parse(file.read(HEADER_BYTES))
    file.seek(position)
    if header is None:
        raise ValueError("the header of the PNG is damaged")
    return header


def correct_transparency(image: ImageFile.ImageFile, header: PngHeader) -> None:
    """
    Make the colour that is transparent one of the decoded pixels' values.

    Pillow scales grey pixels of 1, 2 and 4 bits to 8, but leaves the value beside them as the file has it. As in
    libpng, only the bits of the file's own depth count.
    """
    value = image.info.get("transparency")
    if value is None or image.mode == "P":
        return
    most = (1 << header.depth) - 1
    if isinstance(value, int) and image.mode in ("1", "L"):
        # Pillow has already scaled one bit.
        image.info["transparency"] = value if header.depth == 1 else (value & most) * (255 // most)
    elif isinstance(value, tuple) and header.depth == 8:
        image.info["transparency"] = tuple(sample & most for sample in value)


def load_png(image: ImageFile.ImageFile, header: PngHeader, file: BinaryIO) -> Image.Image:
    """
    Decode an opened PNG.

    Args:
        file: What it was opened from.
    """
    info = dict(image.info)
    tiles = list(image.tile)
    image.load()
    image.info = info  # chunks after the pixels do not count (section 5.6), and Pillow has added them
    key = info.get("transparency")
    if header.depth == 16 and image.mode == "RGB" and isinstance(key, tuple):
        return _with_wide_key(image, _low_bytes(file, tiles), key)
    if image.mode == "P":
        _fill_palette(image)
    return image


def _low_bytes(file: BinaryIO, tiles: list[ImageFile._Tile]) -> Image.Image:
    """Decode the lower byte of each 16-bit sample: the upper one, had the file the other order of bytes."""
    file.seek(0)
    image = Image.open(file, formats=["PNG"])
    image.tile = [tile._replace(args="RGB;16L") for tile in tiles]
    image.load()
    return image


def _with_wide_key(image: Image.Image, low: Image.Image, key: tuple[int, int, int]) -> Image.Image:
    """Return an RGBA picture in which the 16-bit colour `key` is transparent. Pillow compares 8 bits with 16."""
    opaque = Image.new("L", image.size)
    for part, shift in ((image, 8), (low, 0)):
        for band, sample in zip(part.split(), key, strict=True):
            wanted = sample >> shift & 255
            opaque = ImageChops.lighter(opaque, band.point([0 if value == wanted else 255 for value in range(256)]))
    image.info.pop("transparency")
    result = image.convert("RGB")
    result.putalpha(opaque)
    return result


def _fill_palette(image: Image.Image) -> None:
    """Show pixels whose index lies behind the palette in its last colour, as Chromium does."""
    assert image.palette is not None
    colours = bytes(image.palette.palette)
    count = len(colours) // 3
    if not 0 < count < _MOST_COLOURS:
        return
    if (image.getextrema() or (0, 0))[1] < count:  # type: ignore[operator]  # one band
        return
    colours = colours[: 3 * count]
    image.palette = ImagePalette.raw("RGB", colours + colours[-3:] * (_MOST_COLOURS - count))
    image.palette.dirty = 1
    image.load()


def shown(image: Image.Image, header: PngHeader, file: BinaryIO) -> tuple[Image.Image, bool]:
    """
    Return what there is of a picture whose pixels end early, and whether any are missing.

    Missing rows become transparent, as in Chromium; in a grey picture of 16 bits they are black. Of an interlaced
    picture, the last whole pass is shown.

    Raises:
        ValueError: There is not one row.
    """
    inflated = _inflated_bytes(pixel_data(file), header.coded_bytes())
    passes = list(header.passes())
    complete, rows = 0, 0
    for count, row_bytes in passes:
        if inflated < count * row_bytes:
            rows = inflated // row_bytes
            break
        inflated -= count * row_bytes
        complete += 1
    if complete == len(passes):
        return image, False
    if header.is_interlaced:
        image = _coarse(image, _GRIDS[max(0, complete - 1)])
        rows = 8 * rows if complete == 0 else image.height
    return clear_below(image, rows), True


def _inflated_bytes(parts: Iterator[bytes], most: int) -> int:
    """Count the bytes that unpack without an error, up to `most`."""
    inflater = zlib.decompressobj()
    count = 0
    try:
        for part in parts:
            rest = part
            while rest and not inflater.eof and count < most:
                # An error loses what its call has unpacked, so each unpacks little.
                count += len(inflater.decompress(rest, min(_INFLATED_AT_ONCE, max(1, most - count - 1))))
                rest = inflater.unconsumed_tail
    except zlib.error:
        pass
    return min(count, most)


def _coarse(image: Image.Image, grid: Size) -> Image.Image:
    """Repeat the pixels of a grid, each over its cell."""
    across, down = grid
    size = -(-image.width // across), -(-image.height // down)
    # The middle of each result lies in the first pixel of its cell.
    matrix = (across, 0, 0.5 - across / 2, 0, down, 0.5 - down / 2)
    few = image.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)
    few.info = image.info
    many = few.resize((size[0] * across, size[1] * down), Image.Resampling.NEAREST)
    return many.crop((0, 0, *image.size))


def clear_below(image: Image.Image, rows: int) -> Image.Image:
    """
    Make the rows from `rows` on transparent.

    Raises:
        ValueError: There are no rows above them.
    """
    if rows == 0:
        raise ValueError("the pixels end before the end of the first row")
    if rows >= image.height or image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        return image
    cleared = image.convert("LA" if image.mode in ("1", "L", "LA") else "RGBA")
    cleared.paste((0,) * len(cleared.getbands()), (0, rows, *image.size))
    return cleared
