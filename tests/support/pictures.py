"""
The drawn corpus: one function for each kind of original. Each returns the bytes of the file, the same on every run.

Unless its name says otherwise, a file has the picture `chart`: four quarters, red and green above blue and white, so
that a test can name the corner it checks. All files are small.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

RGB = tuple[int, int, int]

SIZE = (90, 60)
RED, GREEN, BLUE, WHITE = (220, 30, 40), (30, 180, 60), (40, 60, 210), (245, 245, 240)

#: EXIF orientation -> the transposition that turns an upright picture into the stored one.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def chart(size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw red, green, blue and white quarters in reading order."""
    width, height = size
    image = Image.new("RGB", size, RED)
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), GREEN)
    draw.rectangle((0, height // 2, width // 2 - 1, height), BLUE)
    draw.rectangle((width // 2, height // 2, width, height), WHITE)
    return image


def photograph(size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw smooth noise with detail at several scales, like a photograph, in more than 256 colours."""
    bands = []
    for seed in (1, 2, 3):
        state, noise = seed, bytearray()
        for _ in range(32 * 32):
            state = (state * 1103515245 + 12345) % 2**31
            noise.append(state >> 16 & 255)
        band = Image.frombytes("L", (32, 32), bytes(noise)).resize(size, Image.Resampling.BICUBIC)
        bands.append(band.filter(ImageFilter.GaussianBlur(1)))
    return Image.merge("RGB", bands)


def with_hole(image: Image.Image) -> Image.Image:
    """Make the right half transparent; its hidden colour is a bright magenta that must never show."""
    holed = image.convert("RGBA")
    holed.paste((255, 0, 255, 0), (image.width // 2, 0, image.width, image.height))
    return holed


def jpeg(image: Image.Image | None = None, *, quality: int = 92, exif: bytes = b"", icc: bytes = b"") -> bytes:
    return saved(image or chart(), "JPEG", quality=quality, subsampling=0, exif=exif, icc_profile=icc or None)


def progressive_jpeg(size: tuple[int, int] = SIZE) -> bytes:
    return saved(chart(size), "JPEG", quality=92, progressive=True)


def jpeg_with_a_scan_for_each_component() -> bytes:
    """Return a sequential JPEG of three components that are alike and that come one after the other."""
    grey = saved(chart().convert("L"), "JPEG", quality=92)
    frame, scan = grey.index(b"\xff\xc0"), grey.index(b"\xff\xda")
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    three = b"\xff\xc0\x00\x11" + grey[frame + 4 : frame + 9] + b"\x03" + components
    coded = grey[scan + 10 : -2]
    scans = b"".join(b"\xff\xda\x00\x08\x01" + bytes([number]) + b"\x00\x00\x3f\x00" + coded for number in (1, 2, 3))
    return grey[:frame] + three + grey[frame + 13 : scan] + scans + b"\xff\xd9"


def grey_jpeg(icc: bytes = b"") -> bytes:
    return jpeg(chart().convert("L"), icc=icc)


def cmyk_jpeg(icc: bytes = b"") -> bytes:
    """Stored inverted with an Adobe marker, as Photoshop and Pillow write it."""
    return jpeg(chart().convert("CMYK"), icc=icc)


def oriented_jpeg(orientation: int, size: tuple[int, int] = SIZE) -> bytes:
    """Store the chart so that `orientation` turns it upright."""
    return jpeg(_stored(chart(size), orientation), exif=exif_block(orientation))


def oriented_photograph(orientation: int, size: tuple[int, int]) -> bytes:
    return jpeg(_stored(photograph(size), orientation), quality=97, exif=exif_block(orientation))


def oriented_png(orientation: int) -> bytes:
    return saved(_stored(chart(), orientation), "PNG", exif=exif_block(orientation))


def oriented_webp(orientation: int) -> bytes:
    return saved(_stored(chart(), orientation), "WEBP", lossless=True, exif=exif_block(orientation))


def oriented_avif(orientation: int) -> bytes:
    """The plugin moves the orientation into the container's irot and imir boxes."""
    return saved(_stored(chart(), orientation), "AVIF", quality=90, codec="aom", exif=exif_block(orientation))


def mpo() -> bytes:
    """Two JPEGs in one file, as phones write them; the second is smaller."""
    return saved(chart(), "MPO", save_all=True, append_images=[chart((30, 20))], quality=92)


def png(image: Image.Image | None = None, *, icc: bytes = b"") -> bytes:
    return saved(image or chart(), "PNG", icc_profile=icc or None)


def coded_png(image: Image.Image, **chunks: bytes) -> bytes:
    """A PNG with these chunks before its pixels: cICP, gAMA, cHRM, sRGB."""
    data = png(image)
    header = 33  # signature and IHDR
    extra = b"".join(packed_chunk(name.encode(), content) for name, content in chunks.items())
    return data[:header] + extra + data[header:]


def rgba_png() -> bytes:
    return png(with_hole(chart()))


def opaque_rgba_png() -> bytes:
    return png(chart().convert("RGBA"))


def palette_png() -> bytes:
    return png(chart().quantize(8))


def palette_png_with_transparency() -> bytes:
    """A palette with a tRNS chunk of several alphas: white is half transparent, green fully."""
    image = chart().quantize(4)
    palette = image.getpalette() or []
    nearest = [tuple(palette[3 * index : 3 * index + 3]) for index in range(4)]
    alphas = bytes(128 if colour == WHITE else 0 if colour == GREEN else 255 for colour in nearest)
    return saved(image, "PNG", transparency=alphas)


def with_alphas(data: bytes, alphas: bytes) -> bytes:
    """Insert a tRNS chunk before the pixels of a PNG."""
    pixels = data.index(b"IDAT") - 4
    return data[:pixels] + packed_chunk(b"tRNS", alphas) + data[pixels:]


def png_without_its_palette() -> bytes:
    """The header promises a palette, and there is no PLTE chunk."""
    data = palette_png()
    start = data.index(b"PLTE") - 4
    return data[:start] + data[start + 12 + int.from_bytes(data[start : start + 4]) :]


def png_without_pixels() -> bytes:
    """The header is sound, and the file ends before the first row of pixels."""
    return png()[:45]


def keyed_png() -> bytes:
    """RGB where one colour, green, is declared transparent."""
    return saved(chart(), "PNG", transparency=GREEN)


def grey_png(icc: bytes = b"") -> bytes:
    return png(chart().convert("L"), icc=icc)


def grey_alpha_png(icc: bytes = b"") -> bytes:
    return png(with_hole(chart()).convert("LA"), icc=icc)


def bilevel_png() -> bytes:
    """1 bit per pixel: black above, white below."""
    image = Image.new("1", SIZE, 0)
    image.paste(1, (0, SIZE[1] // 2, *SIZE))
    return png(image)


def wide_grey_png() -> bytes:
    """16 bits per pixel: a ramp from 0 at the left to 65,535 at the right."""
    return png(_ramp())


def keyed_wide_grey_png() -> bytes:
    """16 bits per pixel, with black declared transparent."""
    return saved(_ramp(), "PNG", transparency=0)


def apng(
    images: Sequence[Image.Image],
    durations_ms: Sequence[int],
    *,
    loop: int = 0,
    default: bool = False,
    disposal: int = 0,
) -> bytes:
    """
    An animated PNG.

    Args:
        images: Its frames.
        durations_ms: Duration of each frame.
        loop: Number of plays; 0 means forever.
        default: Whether the first image stands outside the animation.
        disposal: 0 keeps a frame, 1 clears its area, 2 restores what was before.
    """
    first, *rest = images
    return saved(
        first,
        "PNG",
        save_all=True,
        append_images=rest,
        duration=durations_ms,
        loop=loop,
        default_image=default,
        disposal=disposal,
    )


def gif() -> bytes:
    return saved(chart().quantize(8), "GIF")


def gif_with_hole() -> bytes:
    return saved(with_hole(chart()), "GIF")


def animated_gif(
    images: Sequence[Image.Image], durations_ms: Sequence[int], *, loop: int | None = 0, disposal: int = 1
) -> bytes:
    """
    An animated GIF.

    Args:
        images: Its frames.
        durations_ms: Duration of each frame, a multiple of 10.
        loop: Number of repeats as in the NETSCAPE2.0 block; 0 means forever; None writes no block.
        disposal: 1 keeps the frame, 2 clears its area.
    """
    first, *rest = images
    repeats = {} if loop is None else {"loop": loop}
    return saved(
        first, "GIF", save_all=True, append_images=rest, duration=list(durations_ms), disposal=disposal, **repeats
    )


@dataclass(frozen=True, slots=True)
class GifPart:
    """
    One frame of a hand-packed GIF, filled with one colour.

    Args:
        box: Left, top, width, height.
        colour: 0 red, 1 green, 2 blue, 3 white.
        disposal: 0 unspecified, 1 keep, 2 clear, 3 restore.
        clear: Palette entry that is transparent, or None.
        table: Its own colour table of four colours; empty to use the global one.
    """

    box: tuple[int, int, int, int]
    colour: int
    disposal: int = 1
    clear: int | None = None
    table: bytes = b""


def packed_gif(
    size: tuple[int, int], parts: Sequence[GifPart], *, delay_cs: int = 10, extensions: bytes = b""
) -> bytes:
    """
    A GIF whose frames need not cover the canvas; Pillow always writes a complete first frame.

    Args:
        extensions: Blocks before the first frame.
    """
    table = bytes([*RED, *GREEN, *BLUE, *WHITE])
    body = b"GIF89a" + struct.pack("<2H3B", *size, 0x81, 0, 0) + table + extensions
    for part in parts:
        flags = part.disposal << 2 | (part.clear is not None)
        body += b"!\xf9\x04" + struct.pack("<BHBB", flags, delay_cs, part.clear or 0, 0)
        body += b"," + struct.pack("<4HB", *part.box, 0x81 if part.table else 0) + part.table
        body += _flat_lzw(part.box[2] * part.box[3], part.colour)
    return body + b";"


def gif_beyond_its_canvas() -> bytes:
    """Two frames; the second is larger than the canvas that the header declares."""
    body = animated_gif([Image.new("RGB", (40, 30), RED), Image.new("RGB", (40, 30), BLUE)], [100, 100])
    return body[:6] + struct.pack("<HH", 20, 15) + body[10:]


def webp() -> bytes:
    return saved(chart(), "WEBP", quality=92)


def webp_with_hole() -> bytes:
    return saved(with_hole(chart()), "WEBP", quality=92)


def animated_webp(images: Sequence[Image.Image], durations_ms: Sequence[int], *, loop: int = 0) -> bytes:
    first, *rest = images
    return saved(
        first, "WEBP", save_all=True, append_images=rest, duration=list(durations_ms), loop=loop, lossless=True
    )


def avif(icc: bytes = b"") -> bytes:
    return saved(chart(), "AVIF", quality=90, codec="aom", subsampling="4:4:4", icc_profile=icc)


def coded_avif(image: Image.Image, primaries: int, transfer: int) -> bytes:
    """An AVIF whose container describes its colours with these code points (ITU-T H.273)."""
    data = saved(image, "AVIF", quality=100, codec="aom", subsampling="4:4:4")
    codes = data.index(b"nclx") + 4
    return data[:codes] + struct.pack(">HH", primaries, transfer) + data[codes + 4 :]


def avif_with_hole() -> bytes:
    return saved(with_hole(chart()), "AVIF", quality=90, codec="aom", subsampling="4:4:4")


def animated_avif(images: Sequence[Image.Image], durations_ms: Sequence[int]) -> bytes:
    first, *rest = images
    return saved(first, "AVIF", save_all=True, append_images=rest, duration=list(durations_ms), quality=90, codec="aom")


def exif_block(orientation: int) -> bytes:
    """An EXIF block with an orientation, an owner and a location."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x013B] = "secret owner"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)})
    return exif.tobytes()


def broken_exif_block() -> bytes:
    """A header that promises a directory which is not there."""
    return b"Exif\x00\x00MM\x00*\x00\x00\xff\xf0\x00\x12"


def png_header(size: tuple[int, int]) -> bytes:
    """A PNG that declares a size but has almost no data, like a decompression bomb."""
    header = struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + packed_chunk(b"IHDR", header)
        + packed_chunk(b"IDAT", zlib.compress(b""))
        + packed_chunk(b"IEND", b"")
    )


def saved(image: Image.Image, fmt: str, **options: object) -> bytes:
    """Encode an image with Pillow."""
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def _stored(image: Image.Image, orientation: int) -> Image.Image:
    return image if orientation == 1 else image.transpose(STORED[orientation])


def _ramp() -> Image.Image:
    row = b"".join(struct.pack("<H", round(65535 * x / (SIZE[0] - 1))) for x in range(SIZE[0]))
    return Image.frombytes("I;16", SIZE, row * SIZE[1])


def _flat_lzw(pixels: int, colour: int) -> bytes:
    """Encode pixels of one colour with 3 bits each; clear codes between them keep the code size from growing."""
    codes = [code for _ in range(pixels) for code in (4, colour)] + [5]
    stream = sum(code << 3 * place for place, code in enumerate(codes))
    data = stream.to_bytes((3 * len(codes) + 7) // 8, "little")
    blocks = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"\x02" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\x00"


def packed_chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
