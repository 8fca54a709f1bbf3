"""Pixels -> file of one of the five formats, without metadata other than the profile of pixels that kept theirs."""

import io
from dataclasses import replace

from PIL import Image, ImageChops

from imgcdn.core.encoders.encoding import Encoding, quick_encoding
from imgcdn.core.encoders.quality import encoder_quality
from imgcdn.core.encoders.quantisation import own_quality, tables
from imgcdn.core.values import Effort, EncodedImage
from imgcdn.engine import codecs  # noqa: F401  # registers the encoders
from imgcdn.engine.quality import find_q

# For the colour planes alone; the alpha plane keeps the tune that libavif chooses for it.
_AOM_TUNE = {"c:tune": "ssimulacra2"}

# What libwebp calls the quality of lossless coding. At 50 small text takes 40 % more bytes; at 100 it is 2 % fewer for
# twenty times the time.
_WEBP_EFFORT = 80
_LOSSLESS_METHOD = 4

# Its tune for still pictures: a fifth fewer bytes at the same look.
_SVT_TUNE = {"tune": "3"}

# At this quality aom codes without loss, which no tune allows.
_AOM_LOSSLESS = 100

# GIF and palette PNG.
_PALETTE_COLOURS = 256

# The alpha below which a GIF pixel, which is either there or not, is not.
_HALF_CLEAR = 128


def encode(image: Image.Image, encoding: Encoding, profile: bytes = b"") -> EncodedImage:
    """
    Encode a still.

    Args:
        image: Upright, mode L, LA, RGB or RGBA; without alpha when the format has none.
        profile: What describes the pixels, fit for their mode; empty for sRGB, of which nothing is written.
    """
    # Savers copy comments, profiles, EXIF and even its orientation from here.
    image.info = {}
    out = io.BytesIO()
    _SAVERS[encoding.format](image, out, choose_quality(image, encoding), profile)
    return EncodedImage(out.getvalue(), encoding.format, image.size, frames=1, effort=encoding.effort)


def choose_quality(image: Image.Image, encoding: Encoding) -> Encoding:
    """Return an encoding with a quality: where it has a target instead, the least that reaches it."""
    if encoding.target is None:
        return encoding
    q = least_q(image, encoding.target, encoding.encoder)
    return replace(encoding, quality=encoder_quality(encoding.encoder, q, encoding.effort), target=None)


def least_q(image: Image.Image, target: float, encoder: str) -> int:
    """
    Return the least q at which a picture reaches a look.

    Args:
        image: As for `encode`.
        target: SSIMULACRA2 wanted, 40 to 90.
        encoder: jpeg, webp, aom or svt.
    """
    return find_q(image, target, lambda sample, q: encode_quickly(sample, encoder, encoder_quality(encoder, q)))


def encode_quickly(image: Image.Image, encoder: str, quality: int | None) -> io.BytesIO:
    """
    Encode a picture as quickly as its encoder can, whatever effort is made for the picture itself.

    Args:
        image: Mode RGB.
        quality: The encoder's own.
    """
    encoding = quick_encoding(encoder, quality)
    out = io.BytesIO()
    _SAVERS[encoding.format](image, out, encoding, b"")
    return out


def reduce_to_palette(image: Image.Image, *, hole: bool = False) -> Image.Image:
    """
    Reduce an image to a palette, exactly where it has few colours, and its alpha to a fully transparent entry.

    Args:
        image: Mode L, LA, P, RGB or RGBA.
        hole: Set a transparent entry aside even when no pixel is clear.

    Returns:
        Mode P, or L for a grey without alpha. `info["transparency"]` is set where there is a transparent entry.
    """
    if image.mode == "L" and not hole:
        return image
    colours = image.convert("RGB")
    clear = image.convert("RGBA").getchannel("A").point(lambda alpha: 255 if alpha < _HALF_CLEAR else 0)
    if clear.getbbox() is None and not hole:
        return colours.quantize(_PALETTE_COLOURS)
    # Colours that nobody sees must not take entries away from those that are seen.
    colours.paste((0, 0, 0), mask=clear)
    picture = colours.quantize(_PALETTE_COLOURS - 1)
    entry = max(index for index, pixels in enumerate(picture.histogram()) if pixels) + 1
    palette = (picture.getpalette() or [])[: 3 * entry]
    picture.putpalette([*palette, 0, 0, 0])
    picture.paste(entry, mask=clear)
    picture.info["transparency"] = entry
    return picture


def _save_avif(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    save = _save_svt if encoding.encoder == "svt" else _save_tuned if encoding.quality != _AOM_LOSSLESS else _save_aom
    try:
        save(image, out, encoding, profile)
    except RuntimeError as error:
        # "Encoding of color planes failed": no size or mode of ours is refused, so memory is what there was not.
        raise MemoryError from error


def _save_svt(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    # SVT knows 4:2:0 alone, not the 4:0:0 that a grey would get.
    colour = image.convert("RGBA" if image.mode == "LA" else "RGB") if image.mode in ("L", "LA") else image
    colour.save(
        out,
        "AVIF",
        codec="svt",
        speed=encoding.speed,
        quality=encoding.quality,
        max_threads=1,
        icc_profile=profile,
        advanced=_SVT_TUNE,
    )


def _save_tuned(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    try:
        _save_aom(image, out, encoding, profile, **_AOM_TUNE)
    except ValueError:
        # A libaom that is older than this tune, or was built without it.
        out.seek(0)
        out.truncate()
        _save_aom(image, out, encoding, profile)


def _save_aom(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes, **advanced: str) -> None:
    subsampling = "4:0:0" if image.mode == "L" else "4:4:4" if encoding.full_chroma else "4:2:0"
    image.save(
        out,
        "AVIF",
        codec="aom",
        speed=encoding.speed,
        quality=encoding.quality,
        max_threads=1,
        subsampling=subsampling,
        icc_profile=profile,
        advanced=advanced,
    )


def _save_webp(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    if encoding.quality is None:
        image.save(out, "WEBP", lossless=True, quality=_WEBP_EFFORT, method=_LOSSLESS_METHOD, icc_profile=profile)
    else:
        image.save(out, "WEBP", quality=encoding.quality, method=encoding.speed, icc_profile=profile)


def _save_jpeg(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    assert encoding.quality is not None
    own = own_quality(encoding.quality, full_chroma=encoding.full_chroma)
    image.save(
        out,
        "JPEG",
        qtables=tables(own, full_chroma=encoding.full_chroma),
        # Optimised Huffman tables: 4 % fewer bytes for under a millisecond; progressive costs three times that.
        optimize=True,
        progressive=encoding.effort is Effort.THOROUGH,
        subsampling="4:4:4" if encoding.full_chroma else "4:2:0",
        icc_profile=profile,
    )


def _save_png(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    (_exact_palette(image) or image).save(out, "PNG", compress_level=6, icc_profile=profile)


def _save_gif(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    picture = reduce_to_palette(image)
    picture.save(out, "GIF", **({"transparency": picture.info["transparency"]} if picture.info else {}))


def _exact_palette(image: Image.Image) -> Image.Image | None:
    """Return the image with a palette when that loses nothing; None otherwise."""
    if image.mode not in ("RGB", "RGBA") or image.getcolors(_PALETTE_COLOURS) is None:
        return None
    picture = image.quantize(_PALETTE_COLOURS)
    lost = ImageChops.difference(picture.convert(image.mode), image).getbbox(alpha_only=False)
    return None if lost else picture


_SAVERS = {"avif": _save_avif, "webp": _save_webp, "jpeg": _save_jpeg, "png": _save_png, "gif": _save_gif}
