"""The formats of a response."""

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
