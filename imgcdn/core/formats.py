"""The image formats and their encoders, and one quality scale for all of them."""

from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """
    One format of an answer.

    Args:
        name: Its name in `fm=`, in settings and in logs.
        media_type: As registered with IANA; of a text with its charset.
        extension: Of a file of this format, without the dot.
        alpha: Whether it can hold transparency.
        animation: Whether an animation is written in it.
        max_edge: Longest edge in pixels that its encoder takes.
    """

    name: str
    media_type: str
    extension: str
    alpha: bool
    animation: bool
    max_edge: int


# WebP: 14 bits an edge (RFC 9649, section 2.6). JPEG: libjpeg-turbo's JPEG_MAX_DIMENSION. AVIF: SVT-AV1 and aom
# both take 16,384. PNG and GIF could be larger; no other format here is.
AVIF = Format("avif", "image/avif", "avif", alpha=True, animation=True, max_edge=16_384)
WEBP = Format("webp", "image/webp", "webp", alpha=True, animation=True, max_edge=16_383)
JPEG = Format("jpeg", "image/jpeg", "jpg", alpha=False, animation=False, max_edge=65_500)
PNG = Format("png", "image/png", "png", alpha=True, animation=False, max_edge=65_500)
GIF = Format("gif", "image/gif", "gif", alpha=True, animation=True, max_edge=65_500)

FORMATS = {fmt.name: fmt for fmt in (AVIF, WEBP, JPEG, PNG, GIF)}

# What is said of a picture instead of showing it. Made from a small copy, whatever the size of the picture.
BLURHASH = Format("blurhash", "text/plain; charset=utf-8", "txt", alpha=False, animation=False, max_edge=65_500)
THUMBHASH = Format("thumbhash", "text/plain; charset=utf-8", "txt", alpha=True, animation=False, max_edge=65_500)
LQIP = Format("lqip", "text/plain; charset=utf-8", "txt", alpha=True, animation=False, max_edge=65_500)
JSON = Format("json", "application/json", "json", alpha=True, animation=False, max_edge=65_500)

PLACEHOLDERS = {fmt.name: fmt for fmt in (BLURHASH, THUMBHASH, LQIP, JSON)}

#: Whatever an answer may be.
OUTPUTS = {**FORMATS, **PLACEHOLDERS}

#: Formats in which q counts.
LOSSY = (AVIF, WEBP, JPEG)

#: Formats that are sent only to a client whose Accept names them, the server's favourite first.
NEGOTIATED = (AVIF, WEBP)


# Encoder quality that gives the look of libjpeg-turbo 4:2:0 at q = 1, 30, 60, 75, 85, 95, 100. Seeded from
# SSIMULACRA2 of one photograph: jpeg 60, 75, 85 -> 69, 76, 82; webp 75 -> 73; aom 45, 60 -> 72, 80;
# svt 45, 60 -> 62, 75.
_SCALE = (1, 30, 60, 75, 85, 95, 100)
_CURVES = {
    "jpeg": (1, 30, 60, 75, 85, 95, 100),
    "webp": (1, 35, 69, 80, 88, 96, 100),
    "svt": (1, 28, 53, 61, 69, 83, 100),
    "aom": (1, 22, 40, 53, 65, 82, 100),
}


def encoder_quality(encoder: str, q: int) -> int | None:
    """
    Translate the service's q into an encoder's own quality.

    Args:
        encoder: jpeg, webp, svt, aom; any other is lossless.
        q: 1 to 100, where equal numbers look equal in every format.

    Returns:
        The encoder's quality, 1 to 100; None for an encoder that has none.

    >>> encoder_quality("jpeg", 75), encoder_quality("webp", 75), encoder_quality("png", 75)
    (75, 80, None)
    """
    curve = _CURVES.get(encoder)
    if curve is None:
        return None
    right = max(1, bisect_left(_SCALE, q))
    (q0, q1), (e0, e1) = _SCALE[right - 1 : right + 1], curve[right - 1 : right + 1]
    return int(e0 + (e1 - e0) * (q - q0) / (q1 - q0) + 0.5)
