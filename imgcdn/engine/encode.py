"""Pixels -> a file of one of the five formats. Its only metadata is the profile, if the plan keeps it."""

import io
from dataclasses import replace

from PIL import Image, ImageChops

from imgcdn.core.encoders.encoding import Encoding, quick_encoding
from imgcdn.core.encoders.quality import encoder_quality
from imgcdn.core.encoders.quantisation import table_quality, tables
from imgcdn.core.values import Effort, EncodedImage
from imgcdn.engine import codecs  # noqa: F401  # registers the encoders
from imgcdn.engine.quality import find_q

# Only for the colour planes. libavif chooses the tune of the alpha plane.
_AOM_TUNE = {"c:tune": "ssimulacra2"}

# For lossless coding, libwebp's quality is an effort. At 50, small text takes 40 % more bytes; at 100 it takes 2 %
# fewer bytes and twenty times the time.
_WEBP_EFFORT = 80
_LOSSLESS_METHOD = 4

# At method 6 libwebp searches the lossless alpha plane for up to 14 seconds a megapixel, and saves 5 to 8 % of the
# bytes. At 5 it takes 0.9.
_ALPHA_METHOD = 5

# SVT-AV1's tune for still pictures: a fifth fewer bytes at the same look.
_SVT_TUNE = {"tune": "3"}

# At this quality aom is lossless. It then refuses a tune.
_AOM_LOSSLESS = 100

# GIF and palette PNG.
_PALETTE_COLOURS = 256

#: A GIF pixel is either opaque or transparent. Below this alpha it becomes transparent.
HALF_ALPHA = 128


def encode(image: Image.Image, encoding: Encoding, profile: bytes = b"") -> EncodedImage:
    """
    Encode a still.

    Args:
        image: Upright, mode L, LA, RGB or RGBA; without alpha when the format has none.
        profile: The profile of the pixels, valid for their mode; empty for sRGB, for which none is written.

    Raises:
        MemoryError: The encoder had too little memory.
    """
    # Pillow's savers would copy comments, profiles and EXIF from here.
    image.info = {}
    out = io.BytesIO()
    _save(image, out, choose_quality(image, encoding), profile)
    return EncodedImage(out.getvalue(), encoding.format, image.size, frames=1, effort=encoding.effort)


def choose_quality(image: Image.Image, encoding: Encoding) -> Encoding:
    """Return an encoding with a quality. For one with a target, it is the lowest that reaches the target."""
    if encoding.target is None:
        return encoding
    q = least_q(image, encoding.target, encoding.encoder)
    return replace(encoding, quality=encoder_quality(encoding.encoder, q, encoding.effort), target=None)


def least_q(image: Image.Image, target: float, encoder: str) -> int:
    """
    Return the lowest q at which a picture reaches a target.

    Args:
        image: As for `encode`.
        target: SSIMULACRA2, 40 to 90.
        encoder: jpeg, webp, aom or svt.
    """
    return find_q(image, target, lambda sample, q: encode_quickly(sample, encoder, encoder_quality(encoder, q)))


def encode_quickly(image: Image.Image, encoder: str, quality: int | None) -> io.BytesIO:
    """
    Encode a picture at the encoder's quickest speed.

    Args:
        image: Mode RGB.
        quality: On the encoder's own scale.
    """
    out = io.BytesIO()
    _save(image, out, quick_encoding(encoder, quality), b"")
    return out


def reduce_to_palette(image: Image.Image, *, reserve_transparent: bool = False) -> Image.Image:
    """
    Reduce an image to a palette, without loss if it has few colours. Transparent pixels get a transparent entry.

    Args:
        image: Mode L, LA, P, RGB or RGBA.
        reserve_transparent: Whether there is a transparent entry even if no pixel is transparent.

    Returns:
        Mode P, or L for a grey image without alpha. `info["transparency"]` is set if there is a transparent entry.
    """
    if image.mode == "L" and not reserve_transparent:
        return image
    colours = image.convert("RGB")
    clear = image.convert("RGBA").getchannel("A").point(lambda alpha: 255 if alpha < HALF_ALPHA else 0)
    if clear.getbbox() is None and not reserve_transparent:
        return colours.quantize(_PALETTE_COLOURS)
    # The colours of transparent pixels must not use entries of the palette.
    colours.paste((0, 0, 0), mask=clear)
    picture = colours.quantize(_PALETTE_COLOURS - 1)
    entry = max(index for index, pixels in enumerate(picture.histogram()) if pixels) + 1
    palette = (picture.getpalette() or [])[: 3 * entry]
    picture.putpalette([*palette, 0, 0, 0])
    picture.paste(entry, mask=clear)
    picture.info["transparency"] = entry
    return picture


def _save(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    """
    Encode a picture into `out`.

    Raises:
        MemoryError: The encoder had too little memory.
    """
    try:
        _SAVERS[encoding.format](image, out, encoding, profile)
    except (RuntimeError, ValueError) as error:
        # libavif's "Encoding of color planes failed", libwebp's "encoding error 1", Pillow's "quantization error". Our
        # sizes and modes are all valid, so only memory can be missing.
        raise MemoryError(str(error)) from error


def _save_avif(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    save = _save_svt if encoding.encoder == "svt" else _save_tuned if encoding.quality != _AOM_LOSSLESS else _save_aom
    save(image, out, encoding, profile)


def _save_svt(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    # SVT-AV1 supports only 4:2:0, so a grey image needs colour planes.
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
        # This libaom is too old for the tune, or was built without it.
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
        method = encoding.speed or 0
        method = min(method, _ALPHA_METHOD) if image.mode in ("LA", "RGBA") else method
        image.save(out, "WEBP", quality=encoding.quality, method=method, icc_profile=profile)


def _save_jpeg(image: Image.Image, out: io.BytesIO, encoding: Encoding, profile: bytes) -> None:
    assert encoding.quality is not None
    own = table_quality(encoding.quality, full_chroma=encoding.full_chroma)
    image.save(
        out,
        "JPEG",
        qtables=tables(own, full_chroma=encoding.full_chroma),
        # Optimised Huffman tables save 4 % of the bytes and take under a millisecond. Progressive takes three times
        # that.
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
    """Return the image with a palette if that is lossless, otherwise None."""
    if image.mode not in ("RGB", "RGBA") or image.getcolors(_PALETTE_COLOURS) is None:
        return None
    picture = image.quantize(_PALETTE_COLOURS)
    lost = ImageChops.difference(picture.convert(image.mode), image).getbbox(alpha_only=False)
    return None if lost else picture


_SAVERS = {"avif": _save_avif, "webp": _save_webp, "jpeg": _save_jpeg, "png": _save_png, "gif": _save_gif}
