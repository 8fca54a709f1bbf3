"""
An animated file -> the same coded frames in a new wrapping: what a decoder needs and nothing else.

Pixels are not decoded, so nothing is lost. Comments, EXIF, XMP and other data of applications are dropped. A file with
an unusual feature gives None.

GIF 89a; PNG 3rd edition, section 11.3.6; RFC 9649, section 2.7; ISO/IEC 23000-22 (AVIF).
"""

import io
import struct
from collections.abc import Callable, Iterator

from imgcdn.engine import apng, gif
from imgcdn.engine.gif_blocks import TRAILER, table_bytes
from imgcdn.engine.iso_boxes import boxes
from imgcdn.engine.webp_chunks import (
    ALPHA_FLAG,
    ANIMATION,
    ANIMATION_FLAG,
    EXTENDED,
    FILE_HEAD_BYTES,
    FRAME,
    FRAME_HEAD_BYTES,
    PIXELS,
    chunk_of,
    chunks,
)

_AVIF_BOXES = frozenset([b"ftyp", b"meta", b"moov", b"mdat"])
_AVIF_PADDING = (b"free", b"skip")

# Items and boxes of an AVIF that hold metadata: EXIF, XMP, and what users and applications add.
_AVIF_METADATA = (b"Exif", b"mime", b"udta", b"uuid")


def rewrap_animation(data: bytes, name: str) -> bytes | None:
    """
    Return an animation's own coding without metadata.

    Args:
        data: The file, whose frames all decode, and whose pixels are sRGB and upright.
        name: Its format, a name in `core.output.formats.FORMATS`.

    Returns:
        None if it has an unusual feature, or if its format has no animations.
    """
    rewrap = _REWRAPS.get(name)
    try:
        return None if rewrap is None else rewrap(data)
    except (LookupError, struct.error):  # a block that ends too early
        return None


def _rewrap_gif(data: bytes) -> bytes | None:
    parts = list(gif.parts(data))
    width, height = struct.unpack_from("<2H", data, 6)
    # Viewers differ in whether such a frame enlarges the canvas.
    if any(part.box[2] > width or part.box[3] > height for part in parts):
        return None
    flags, background = data[10:12]
    table = data[13 : 13 + table_bytes(flags)]
    head = struct.pack("<6s2H3B", b"GIF89a", width, height, flags, background, 0) + table
    frames = (piece for part in parts for piece in (gif.plain_control(part), part.image))
    return b"".join((head, gif.repeats(gif.plays_of(data)), *frames, bytes([TRAILER])))


def _rewrap_webp(data: bytes) -> bytes | None:
    found = list(_riff_chunks(data, FILE_HEAD_BYTES, len(data)))
    if not found or found[0][0] != EXTENDED or len(found[0][1]) != 10:
        return None
    kept = [chunk_of(EXTENDED, bytes([found[0][1][0] & (ALPHA_FLAG | ANIMATION_FLAG)]) + found[0][1][1:])]
    for name, content in found:
        if name == ANIMATION:
            kept.append(chunk_of(name, content))
        elif name == FRAME:
            inner = _riff_chunks(content, FRAME_HEAD_BYTES, len(content))
            pixels = b"".join(chunk_of(*each) for each in inner if each[0] in PIXELS)
            kept.append(chunk_of(name, content[:FRAME_HEAD_BYTES] + pixels))
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff_chunks(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    for chunk in chunks(io.BytesIO(data), start, end):
        if not chunk.is_whole:
            raise LookupError(chunk.name)
        yield chunk.name, data[chunk.content : chunk.end]


def _rewrap_avif(data: bytes) -> bytes | None:
    """Return the file without what follows its frames. The offsets in it do not permit to cut anything out."""
    found = list(boxes(io.BytesIO(data), 0, len(data)))
    while found[-1].kind in _AVIF_PADDING:
        found.pop()
    described = b"".join(data[box.content : box.end] for box in found if box.kind in (b"meta", b"moov"))
    known = {box.kind for box in found} == _AVIF_BOXES
    return data[: found[-1].end] if known and not any(kind in described for kind in _AVIF_METADATA) else None


_REWRAPS: dict[str, Callable[[bytes], bytes | None]] = {
    "gif": _rewrap_gif,
    "webp": _rewrap_webp,
    "png": apng.rewrap,
    "avif": _rewrap_avif,
}
