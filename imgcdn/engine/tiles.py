"""A picture -> tiles of it, side by side in a smaller picture."""

from collections.abc import Sequence

from PIL import Image

from imgcdn.core.output.geometry import Size


def paste_tiles(image: Image.Image, lefts: Sequence[int], tops: Sequence[int], size: Size) -> Image.Image:
    """
    Put tiles of a picture side by side.

    An optimisation: whole rows are copied first, then columns of them. For 28 x 28 tiles this takes 56 copies, not 784.

    Args:
        lefts, tops: The corners of the tiles: each of `lefts` with each of `tops`.
        size: Width and height of a tile.
    """
    width, height = size
    rows = Image.new(image.mode, (image.width, height * len(tops)))
    for index, top in enumerate(tops):
        rows.paste(image.crop((0, top, image.width, top + height)), (0, height * index))
    tiles = Image.new(image.mode, (width * len(lefts), rows.height))
    for index, left in enumerate(lefts):
        tiles.paste(rows.crop((left, 0, left + width, rows.height)), (width * index, 0))
    return tiles
