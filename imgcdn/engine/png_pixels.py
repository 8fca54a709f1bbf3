"""What a PNG's pixels are where Pillow does not follow the standard (PNG 3rd edition, sections 8 and 11.3.1.1)."""

import struct
from contextlib import suppress
from typing import Any, BinaryIO

from PIL import Image, ImageFile, ImagePalette

from imgcdn.core.output.geometry import Size
from imgcdn.engine.codecs import cut_data_allowed
from imgcdn.engine.pieces import Span, join
from imgcdn.engine.png_coded import has_wrong_sums, measure
from imgcdn.engine.png_rows import HEADER_BYTES, PngHeader
from imgcdn.engine.png_transparency import with_wide_key
from imgcdn.engine.wide_grey import is_wide, narrow

_HEADER_AT = 16
_MOST_COLOURS = 256

# Columns and rows between the pixels that are there after each pass, and rows from one of a pass to its next.
_GRIDS = ((8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2), (1, 1))
_PASS_STEPS = (8, 8, 8, 4, 4, 2, 2)

# A colour, by bands. A picture of one bit has no unlikely one.
_UNLIKELY = (253, 1, 2, 3)


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


def load_png(image: ImageFile.ImageFile, header: PngHeader, file: BinaryIO) -> Image.Image:
    """
    Decode an opened PNG.

    Pillow does not compare the checksums of coded pixels, and does not tell if their stream ends before the last row.

    Args:
        file: What it was opened from.

    Raises:
        ValueError: Its coded pixels are damaged.
    """
    if has_wrong_sums(file):
        raise ValueError("a checksum of the coded pixels is wrong")
    # Most pictures that lack rows are found by their last pixel: it keeps a colour that few pictures have there.
    unlikely = _UNLIKELY[: len(image.getbands())]
    image.im = Image.new(image.mode, image.size, unlikely if len(unlikely) > 1 else unlikely[0]).im
    pixels = _decode(image, header, file)
    may_lack_rows = pixels.mode == "1" or image.getpixel(header.last_pixel()) in (unlikely, unlikely[0])
    if may_lack_rows and measure(file, header).count < header.coded_bytes():
        raise ValueError("the coded pixels end before the last row")
    return pixels


def load_damaged_png(
    info: dict[str | tuple[int, int], Any], header: PngHeader, file: BinaryIO
) -> tuple[Image.Image, bool]:
    """
    Decode what there is of a PNG whose coded pixels may be damaged.

    Missing rows become transparent, as in Chromium. In an interlaced picture, pixels that are missing have the colour
    of one that is there.

    Args:
        info: Of the image as it was opened from the file; that of the result.

    Returns:
        The pixels, and whether any are missing.

    Raises:
        ValueError: There is not one row.
    """
    measured = measure(file, header)
    cut = join(file, (Span(0, measured.end),))
    image = Image.open(cut, formats=["PNG"])
    image.info = info
    with cut_data_allowed():
        pixels = _decode(image, header, cut)
    return _clear_missing(pixels, header, measured.count)


def load_frame(image: ImageFile.ImageFile, header: PngHeader, file: BinaryIO) -> Image.Image:
    """
    Decode a frame of an animation. The arguments are those of `load_png`.

    Raises:
        ValueError: Rows are missing. A wrong checksum of its stream is no reason.
    """
    info = dict(image.info)
    # What Pillow raises for the pixels of a damaged PNG.
    with suppress(OSError, SyntaxError, ValueError, struct.error):
        return load_png(image, header, file)
    pixels, lacks_rows = load_damaged_png(info, header, file)
    if lacks_rows:
        raise ValueError("a frame lacks rows")
    return pixels


def _decode(image: ImageFile.ImageFile, header: PngHeader, file: BinaryIO) -> Image.Image:
    info = dict(image.info)
    tiles = list(image.tile)
    image.load()
    image.info = info  # chunks after the pixels do not count (section 5.6), and Pillow has added them
    key = info.get("transparency")
    if header.depth == 16 and image.mode == "RGB" and isinstance(key, tuple):
        return with_wide_key(image, _low_bytes(file, tiles), key)
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


def _clear_missing(image: Image.Image, header: PngHeader, count: int) -> tuple[Image.Image, bool]:
    """
    Clear the pixels whose coded bytes lie behind the first `count`. Return the result, and whether there are any.

    Raises:
        ValueError: There is not one row.
    """
    passes = list(header.passes())
    complete, rows = 0, 0
    for number, row_bytes in passes:
        if count < number * row_bytes:
            rows = count // row_bytes
            break
        count -= number * row_bytes
        complete += 1
    if complete == len(passes):
        return image, False
    if is_wide(image):
        image = narrow(image)
    if not header.is_interlaced:
        return clear_below(image, rows), True
    fine = _coarse(image, _GRIDS[complete])
    # The pass that is cut has been drawn down to here.
    bottom = min(image.height, rows * _PASS_STEPS[complete])
    if complete == 0:
        return clear_below(fine, bottom), True
    result = _coarse(image, _GRIDS[complete - 1])
    result.paste(fine.crop((0, 0, image.width, bottom)))
    return result, True


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
