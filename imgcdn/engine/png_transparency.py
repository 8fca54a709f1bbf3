"""The transparency that a PNG declares beside its pixels: tRNS (PNG 3rd edition, section 11.3.1.1)."""

import struct
from collections.abc import Iterable
from typing import BinaryIO

from PIL import Image, ImageChops, ImageFile

from imgcdn.engine.png_chunks import HEAD, SUM_BYTES, Chunk, walk
from imgcdn.engine.png_rows import PngHeader

#: Longest content of a tRNS that counts. A palette has no more colours.
MOST_ALPHAS = 256

_PALETTE_TYPE = 3

# Colour type -> samples of the colour that is transparent, each of two bytes.
_KEY_SAMPLES = {0: 1, 2: 3}


def declared_transparency(found: bytes, header: PngHeader, colours: int) -> bytes:
    """
    Return what counts of the content of a tRNS; empty if nothing does.

    Alphas of colours that the palette does not have are ignored, as in Chromium, and bytes behind a colour.

    Args:
        colours: The number of colours of the palette before the chunk; 0 if there is none.
    """
    if header.colour_type == _PALETTE_TYPE:
        return found[:colours] if len(found) <= MOST_ALPHAS else b""
    needed = 2 * _KEY_SAMPLES.get(header.colour_type, 0)
    return found[:needed] if len(found) >= needed else b""


def is_plain(chunks: Iterable[tuple[bytes, bytes | memoryview]]) -> bool:
    """
    Tell whether all viewers agree on what the tRNS of a PNG means; of one without it, they do.

    Args:
        chunks: Name and content of each, the header first.
    """
    names = []
    header, colours = None, 0
    for name, content in chunks:
        if name == b"IHDR":
            header = PngHeader.parse(bytes(content))
        elif name == b"PLTE":
            colours = len(content) // 3
        elif name == b"tRNS" and not (header and _is_plain(bytes(content), header, colours)):
            return False
        names.append(name)
    behind = names[names.index(b"IDAT") :] if b"IDAT" in names else []
    return names.count(b"tRNS") <= 1 and b"tRNS" not in behind


def _is_plain(found: bytes, header: PngHeader, colours: int) -> bool:
    if header.colour_type != _PALETTE_TYPE and any(sample >> header.depth for sample in _samples(found)):
        return False
    return found == declared_transparency(found, header, colours)


def correct_transparency(image: ImageFile.ImageFile, header: PngHeader, file: BinaryIO) -> None:
    """
    Make the transparency of an opened PNG what its first tRNS says, in values of the decoded pixels.

    Pillow takes the last one, and one before the palette too. It scales grey pixels of 1, 2 and 4 bits to 8, but not
    the value beside them.

    Args:
        file: What the image was opened from. Its position is kept.
    """
    # Pillow tells nothing only of a tRNS that changes nothing.
    if "transparency" not in image.info:
        return
    position = file.tell()
    found = _first(file, header)
    file.seek(position)
    del image.info["transparency"]
    if header.colour_type == _PALETTE_TYPE:
        if found.strip(b"\xff"):
            image.info["transparency"] = found
    elif found:
        image.info["transparency"] = _key(found, header)


def _first(file: BinaryIO, header: PngHeader) -> bytes:
    colours = 0
    for chunk in walk(file):
        if chunk.name == b"PLTE":
            colours = _length(chunk) // 3
        if chunk.name == b"tRNS":
            longest = max(MOST_ALPHAS, 2 * _KEY_SAMPLES.get(header.colour_type, 0))
            return declared_transparency(chunk.data(longest) or b"", header, colours)
        if chunk.name in (b"IDAT", b"IEND"):
            break
    return b""


def _length(chunk: Chunk) -> int:
    return chunk.end - chunk.start - HEAD.size - SUM_BYTES


def _key(found: bytes, header: PngHeader) -> int | tuple[int, ...]:
    """
    Return the colour that is transparent.

    Only the bits of the file's depth count, says the standard, and so do libpng and the viewers that use it. Chromium
    156 compares all eight bits.
    """
    most = (1 << header.depth) - 1
    samples = tuple(sample & most for sample in _samples(found))
    if header.colour_type == 0:
        return samples[0] * (255 // most if header.depth < 8 else 1)
    return samples


def _samples(found: bytes) -> tuple[int, ...]:
    return struct.unpack_from(f">{len(found) // 2}H", found)


def with_wide_key(image: Image.Image, low: Image.Image, key: tuple[int, int, int]) -> Image.Image:
    """
    Return an RGBA picture in which a colour of 16 bits a sample is transparent. Pillow compares 8 bits with 16.

    Args:
        image, low: The upper and the lower byte of each sample. The `info` of the first loses its transparency.
    """
    opaque = Image.new("L", image.size)
    for part, shift in ((image, 8), (low, 0)):
        for band, sample in zip(part.split(), key, strict=True):
            wanted = sample >> shift & 255
            opaque = ImageChops.lighter(opaque, band.point([0 if value == wanted else 255 for value in range(256)]))
    image.info.pop("transparency")
    result = image.convert("RGB")
    result.putalpha(opaque)
    return result
