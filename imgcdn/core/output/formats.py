"""The formats of a response."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """
    One format of a response.

    Args:
        name: Its name in `fm=`, in settings and in logs.
        media_type: The media type registered with IANA; for a text with its charset.
        extension: The extension of a file of this format, without the dot.
        alpha: Whether it can hold transparency.
        animation: Whether animations are written in it.
        max_edge: Longest edge in pixels that its encoder accepts.
    """

    name: str
    media_type: str
    extension: str
    alpha: bool
    animation: bool
    max_edge: int


# WebP: 14 bits an edge (RFC 9649, section 2.6). JPEG: libjpeg-turbo's JPEG_MAX_DIMENSION. AVIF: SVT-AV1 and aom
# both take 16,384. PNG and GIF allow longer edges; they get JPEG's limit, which no other format here exceeds.
_JPEG_MAX_EDGE = 65_500
AVIF = Format("avif", "image/avif", "avif", alpha=True, animation=True, max_edge=16_384)
WEBP = Format("webp", "image/webp", "webp", alpha=True, animation=True, max_edge=16_383)
JPEG = Format("jpeg", "image/jpeg", "jpg", alpha=False, animation=False, max_edge=_JPEG_MAX_EDGE)
PNG = Format("png", "image/png", "png", alpha=True, animation=False, max_edge=_JPEG_MAX_EDGE)
GIF = Format("gif", "image/gif", "gif", alpha=True, animation=True, max_edge=_JPEG_MAX_EDGE)

FORMATS = {fmt.name: fmt for fmt in (AVIF, WEBP, JPEG, PNG, GIF)}

_TEXT = "text/plain; charset=utf-8"

# Texts about a picture. Each is made from a small copy of the picture.
BLURHASH = Format("blurhash", _TEXT, "txt", alpha=False, animation=False, max_edge=_JPEG_MAX_EDGE)
THUMBHASH = Format("thumbhash", _TEXT, "txt", alpha=True, animation=False, max_edge=_JPEG_MAX_EDGE)
LQIP = Format("lqip", _TEXT, "txt", alpha=True, animation=False, max_edge=_JPEG_MAX_EDGE)
JSON = Format("json", "application/json", "json", alpha=True, animation=False, max_edge=_JPEG_MAX_EDGE)

PLACEHOLDERS = {fmt.name: fmt for fmt in (BLURHASH, THUMBHASH, LQIP, JSON)}

#: All formats of a response.
OUTPUTS = {**FORMATS, **PLACEHOLDERS}

#: Formats whose bytes depend on q.
LOSSY = (AVIF, WEBP, JPEG)

#: Formats that are sent only to clients whose Accept names them, in the server's order of preference.
NEGOTIATED = (AVIF, WEBP)
