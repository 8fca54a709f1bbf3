"""Pixels -> the part inside a border of one colour."""

from collections.abc import Iterable

from PIL import Image

from imgcdn.core.output.geometry import Area, Size


def find_content(images: Iterable[Image.Image], tolerance: int) -> tuple[Size, Area]:
    """
    Find the smallest area that contains all pixels unlike the top left pixel of the first image.

    Args:
        images: The frames of one picture, at least one; all of one size, mode L, LA, RGB, RGBA or CMYK.
        tolerance: Largest difference, in any band, between a pixel of the border and the corner pixel. Colour is
            multiplied by alpha first.

    Returns:
        The size of the images, and the area; the whole image if all of it is border.
    """
    corner: tuple[int, ...] | None = None
    areas: list[Area] = []
    size = (0, 0)
    for image in images:
        bands = _bands(image)
        size = image.size
        corner = corner or tuple(band.getpixel((0, 0)) for band in bands)  # type: ignore[misc]  # of one band: an int
        areas += [area for band, value in zip(bands, corner, strict=True) if (area := _unlike(band, value, tolerance))]
    if not areas:
        return size, (0, 0, *size)
    lefts, tops, rights, bottoms = zip(*areas, strict=True)
    return size, (min(lefts), min(tops), max(rights), max(bottoms))


def _bands(image: Image.Image) -> tuple[Image.Image, ...]:
    """Split into four bands, colour multiplied by alpha."""
    return (image if image.mode == "CMYK" else image.convert("RGBA").convert("RGBa")).split()


def _unlike(band: Image.Image, value: int, tolerance: int) -> Area | None:
    return band.point([abs(other - value) > tolerance and 255 for other in range(256)]).getbbox()
