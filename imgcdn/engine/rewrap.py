"""
File -> the same coded pixels in a new wrapping: what a decoder needs and nothing else.

Pixels are not decoded, so nothing is lost. A file with an unusual feature gives None, and the encoded output is sent
instead.

JPEG: ITU-T T.81, annex B; JFIF 1.02; Adobe's technical note 5116. PNG: 3rd edition, sections 5 and 11.
"""

import io
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator

from imgcdn.engine.jpeg_segments import EOI, SOS, segments
from imgcdn.engine.png_chunks import SIGNATURE, packed, walk
from imgcdn.engine.png_rows import PngHeader
from imgcdn.engine.png_transparency import is_plain

_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive; browsers show no other
_HUFFMAN, _QUANTA, _RESTART = 0xC4, 0xDB, 0xDD
_JFIF, _ICC, _ADOBE = 0xE0, 0xE2, 0xEE
_DROPPED = (*range(0xE0, 0xF0), 0xFE)

# Version 1.2, square pixels, no thumbnail: the marker tells decoders that the colours are YCbCr.
_PLAIN_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00"
_ADOBE_BYTES = 12

_ICC_PART = 65_519

_INFLATED_AT_ONCE = 1 << 20


class _NotHandledError(Exception):
    """The file is damaged, or has a feature that is not handled here."""


def rewrap_jpeg(data: bytes, profile: bytes = b"", *, below: int = sys.maxsize) -> bytes | None:
    """
    Return a JPEG's first picture without metadata and without what follows it.

    Args:
        data: The file.
        profile: ICC profile to write into it. Its own profile is dropped.
        below: Return only a result with fewer bytes.

    Returns:
        None if the result has `below` bytes or more, or if the file is truncated or not 8-bit Huffman-coded with one or
        three components.
    """
    try:
        found = list(_segments(data))
        scans = [index for index, (marker, _) in enumerate(found) if marker == SOS]
        before = found[: scans[0]] if scans else []
        _check_jpeg([marker for marker, _ in found], before)
    except _NotHandledError:
        return None
    head = [_PLAIN_JFIF] if any(marker == _JFIF and body[4:9] == b"JFIF\0" for marker, body in before) else []
    adobe = [body for marker, body in before if marker == _ADOBE and body[4:9] == b"Adobe"]
    if adobe:
        head.append(b"\xff\xee" + struct.pack(">H", _ADOBE_BYTES + 2) + adobe[-1][4 : 4 + _ADOBE_BYTES])
    kept = [body for marker, body in found if marker not in _DROPPED]
    body = b"".join((b"\xff\xd8", *head, *_icc_segments(profile), *kept, b"\xff\xd9"))
    return body if len(body) < below else None


def rewrap_png(data: bytes, profile: bytes = b"", *, below: int = sys.maxsize) -> bytes | None:
    """
    Return a PNG with only its pixels, palette and transparency.

    Args:
        data: The file.
        profile: ICC profile to write into it. Its own description of its colours is dropped.
        below: Return only a result with fewer bytes.

    Returns:
        None if the result has `below` bytes or more, or if the file is truncated, damaged or animated, or has 16 bits.
    """
    try:
        chunks = list(_chunks(data))
        _check_order([name for name, _ in chunks])
        kept = [(name, chunk) for name, chunk in chunks if name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT")]
        if not is_plain((name, memoryview(chunk)[8:-4]) for name, chunk in kept):
            raise _NotHandledError
        colour = [packed(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))] if profile else []
        body = b"".join((SIGNATURE, kept[0][1], *colour, *(chunk for _, chunk in kept[1:]), packed(b"IEND", b"")))
        if len(body) >= below:
            return None
        # Last, because these checks take the longest.
        _check_sums(chunk for _, chunk in kept)
        _check_pixels(kept[0][1][8:-4], [chunk[8:-4] for name, chunk in kept if name == b"IDAT"])
    except _NotHandledError:
        return None
    return body


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and bytes of each segment of the first picture. Coded pixels are part of their scan's segment."""
    at = 2
    for segment in segments(data) if data.startswith(b"\xff\xd8") else ():
        if data[at : segment.start].strip(b"\xff"):  # other than fill bytes
            raise _NotHandledError
        if segment.marker == EOI:
            return
        yield segment.marker, data[segment.start : segment.end]
        at = segment.end
    raise _NotHandledError


def _check_jpeg(markers: list[int], before: list[tuple[int, bytes]]) -> None:
    """Raise unless there is one frame of 8 bits with its own tables, and all markers are known."""
    frames = [body for marker, body in before if marker in _FRAMES]
    known = {*_FRAMES, *_DROPPED, _HUFFMAN, _QUANTA, _RESTART, SOS}
    declared = {marker for marker, _ in before}
    if len(frames) != 1 or sum(marker in _FRAMES for marker in markers) != 1 or not known.issuperset(markers):
        raise _NotHandledError
    if not {_HUFFMAN, _QUANTA} <= declared or len(frames[0]) < 10:
        raise _NotHandledError
    precision, height, width, components = struct.unpack_from(">BHHB", frames[0], 4)
    if precision != 8 or 0 in (height, width) or components not in (1, 3):
        raise _NotHandledError


def _icc_segments(profile: bytes) -> list[bytes]:
    """Split a profile into segments (ICC.1:2022, annex B.4)."""
    parts = [profile[at : at + _ICC_PART] for at in range(0, len(profile), _ICC_PART)]
    return [
        struct.pack(">BBH", 0xFF, _ICC, 16 + len(part)) + b"ICC_PROFILE\0" + bytes([number, len(parts)]) + part
        for number, part in enumerate(parts, 1)
    ]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the bytes of each chunk before IEND. Bytes after IEND are ignored."""
    if not data.startswith(SIGNATURE):
        raise _NotHandledError
    for chunk in walk(io.BytesIO(data)):
        if chunk.is_cut:
            break
        if chunk.name == b"IEND":
            return
        yield chunk.name, data[chunk.start : chunk.end]
    raise _NotHandledError


def _check_order(names: list[bytes]) -> None:
    """Raise unless it is a still picture whose critical chunks are all known (section 5.4)."""
    if names[:1] != [b"IHDR"] or b"IDAT" not in names or b"acTL" in names:
        raise _NotHandledError
    critical = [name for name in names if not name[0] & 0x20 and name != b"IDAT"]
    last = len(names) - names[::-1].index(b"IDAT")
    together = last - names.index(b"IDAT") == names.count(b"IDAT")
    if critical not in ([b"IHDR"], [b"IHDR", b"PLTE"]) or not together or b"PLTE" in names[last:]:
        raise _NotHandledError


def _check_sums(chunks: Iterable[bytes]) -> None:
    if any(zlib.crc32(memoryview(chunk)[4:-4]) != int.from_bytes(chunk[-4:]) for chunk in chunks):
        raise _NotHandledError


def _check_pixels(header: bytes, parts: list[bytes]) -> None:
    """Raise unless pixels have at most 8 bits, their checksum is right, and no other data follows them."""
    described = PngHeader.parse(header)
    if described is None or described.depth > 8:
        raise _NotHandledError
    promised = described.coded_bytes()
    inflater = zlib.decompressobj()
    inflated = 0
    try:
        for part in parts:
            rest = part
            while rest and not inflater.eof:
                inflated += len(inflater.decompress(rest, _INFLATED_AT_ONCE))
                rest = inflater.unconsumed_tail
                if inflated > promised:
                    raise _NotHandledError
            if inflater.eof and (rest or inflater.unused_data):
                raise _NotHandledError
    except zlib.error as error:
        raise _NotHandledError from error
    if not inflater.eof or inflated != promised:
        raise _NotHandledError
