"""Decode hashes into the pictures that a page would show. The decoders share no code with the encoders under test."""

import base64
import math
from itertools import product

import blurhash
from PIL import Image


def from_blurhash(text: str, size: tuple[int, int]) -> Image.Image:
    """Decode with the package `blurhash`."""
    rows: list[list[list[int]]] = blurhash.decode(text, *size)
    return Image.frombytes("RGB", size, bytes(value for row in rows for pixel in row for value in pixel))


def from_thumbhash(text: str) -> Image.Image:
    """
    Decode as https://github.com/evanw/thumbhash/blob/main/js/thumbhash.js does. There is no Python package for it.

    Returns:
        An RGBA image whose longer edge has 32 pixels.
    """
    data = base64.b64decode(text, validate=True)
    head = int.from_bytes(data[:5], "little")
    clear, landscape = bool(head >> 23 & 1), bool(head >> 39 & 1)
    longest, shortest = 5 if clear else 7, head >> 24 & 7
    across, down = (longest, shortest) if landscape else (shortest, longest)
    shades = [half / 7.5 - 1 for byte in data[6 if clear else 5 :] for half in (byte & 15, byte >> 4)]
    channels: list[tuple[float, dict[tuple[int, int], float]]] = []

    def take(mean: float, scale: float, nx: int, ny: int) -> None:
        waves = [(x, y) for y in range(ny) for x in range(nx) if (x or y) and x * ny < nx * (ny - y)]
        channels.append((mean, {wave: shades.pop(0) * scale for wave in waves}))

    take((head & 63) / 63, (head >> 18 & 31) / 31, max(3, across), max(3, down))
    take((head >> 6 & 63) / 31.5 - 1, (head >> 27 & 63) / 63 * 1.25, 3, 3)
    take((head >> 12 & 63) / 31.5 - 1, (head >> 33 & 63) / 63 * 1.25, 3, 3)
    if clear:
        take((data[5] & 15) / 15, (data[5] >> 4) / 15, 5, 5)
    assert shades in ([], [-1.0]), "nothing is left but the half of a byte"
    ratio = across / down
    size = (math.floor(32 * min(ratio, 1) + 0.5), math.floor(32 / max(ratio, 1) + 0.5))
    return _draw(size, channels)


def _draw(size: tuple[int, int], channels: list[tuple[float, dict[tuple[int, int], float]]]) -> Image.Image:
    width, height = size
    pixels = bytearray()
    for y, x in product(range(height), range(width)):
        luma, yellow, red, *alpha = (
            mean
            + sum(
                2 * share * math.cos(math.pi / width * (x + 0.5) * kx) * math.cos(math.pi / height * (y + 0.5) * ky)
                for (kx, ky), share in waves.items()
            )
            for mean, waves in channels
        )
        blue = luma - 2 / 3 * yellow
        r = (3 * luma - blue + red) / 2
        colour = (r, r - red, blue, *(alpha or [1.0]))
        pixels += bytes(max(0, min(255, int(255 * value))) for value in colour)
    return Image.frombytes("RGBA", size, bytes(pixels))
