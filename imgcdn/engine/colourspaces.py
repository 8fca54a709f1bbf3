"""File -> ICC profile of its pixels, also where the file names their colours in another way; as browsers read it."""

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from PIL import ImageFile

from imgcdn.engine import icc

# Code points of ITU-T H.273, table 2 (primaries) and table 3 (transfer). What is not here, 2 (unspecified) included,
# counts as sRGB; so do the curves of television, which browsers show as sRGB's.
_SRGB: icc.Chromaticities = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, 0.3127, 0.3290)
_PRIMARIES: Mapping[int, icc.Chromaticities] = {
    4: (0.670, 0.330, 0.210, 0.710, 0.140, 0.080, 0.3100, 0.3160),
    5: (0.640, 0.330, 0.290, 0.600, 0.150, 0.060, 0.3127, 0.3290),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3140, 0.3510),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}
_TRANSFERS: Mapping[int, Callable[[], icc.Curve]] = {
    4: lambda: icc.power_curve(2.2),
    5: lambda: icc.power_curve(2.8),
    8: lambda: icc.power_curve(1.0),
    16: icc.pq_curve,
    18: icc.hlg_curve,
}

# How writers of PNG say sRGB where they have no word for it: within this of 1/2.2, and of its primaries.
_SRGB_GAMMA, _NEAR_GAMMA, _NEAR_PRIMARY = 1 / 2.2, 0.01, 0.002

# Pillow's modes of one band, alpha apart.
_GREY = ("1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")

# An AVIF's properties stand in its first box but one and take some hundred bytes; a PNG's before its pixels.
_MOST_META_BYTES = 1 << 20
_MOST_CHUNKS = 1000


def profile_of(image: ImageFile.ImageFile, file: BinaryIO) -> bytes:
    """
    Return the ICC profile of an original's pixels, unchecked; empty where they are sRGB, or nothing is said.

    Code points in an AVIF or PNG, and a PNG's gamma and primaries, come back as a profile that says the same. High
    dynamic range comes back as one that brings it into the range of an ordinary display.

    Args:
        image: Opened from `file`.
        file: Read from; its position is kept.
    """
    place = file.tell()
    try:
        if image.format == "PNG":
            return _png_profile(image, file)
        profile = _embedded(image)
        return profile or (_coded(*_avif_codes(file), grey=False) if image.format == "AVIF" else b"")
    except (struct.error, ValueError, LookupError, ArithmeticError):
        return b""  # such a profile is as good as a broken one
    finally:
        file.seek(place)


def _embedded(image: ImageFile.ImageFile) -> bytes:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else b""


def _coded(primaries: int, transfer: int, *, grey: bool) -> bytes:
    """Return a profile for code points; empty for sRGB."""
    curve = _TRANSFERS.get(transfer, icc.srgb_curve)()
    if grey:
        return icc.grey_profile(curve) if transfer in _TRANSFERS else b""
    if primaries not in _PRIMARIES and transfer not in _TRANSFERS:
        return b""
    return icc.matrix_profile(_PRIMARIES.get(primaries, _SRGB), curve)


def _png_profile(image: ImageFile.ImageFile, file: BinaryIO) -> bytes:
    """Follow the order of PNG (3rd edition), section 4.3: cICP, iCCP, sRGB, then gAMA with cHRM."""
    grey = image.mode in _GREY
    codes = _png_codes(file)
    if codes is not None:
        return _coded(*codes, grey=grey)
    if "icc_profile" in image.info:
        return _embedded(image)
    gamma = image.info.get("gamma")
    if "srgb" in image.info or not isinstance(gamma, float) or gamma <= 0:
        return b""
    chromaticities = _SRGB if grey else _png_chromaticities(image)
    srgb = all(abs(a - b) < _NEAR_PRIMARY for a, b in zip(chromaticities, _SRGB, strict=True))
    if srgb and abs(gamma - _SRGB_GAMMA) < _NEAR_GAMMA:
        return b""
    curve = icc.power_curve(1 / gamma)
    return icc.grey_profile(curve) if grey else icc.matrix_profile(chromaticities, curve)


def _png_chromaticities(image: ImageFile.ImageFile) -> icc.Chromaticities:
    found = image.info.get("chromaticity")
    if found is None:
        return _SRGB
    white_x, white_y, red_x, red_y, green_x, green_y, blue_x, blue_y = found
    return red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y


def _png_codes(file: BinaryIO) -> tuple[int, int] | None:
    """Return the code points of a cICP chunk before the pixels; None without one for RGB in full range."""
    file.seek(8)
    for _ in range(_MOST_CHUNKS):
        length, name = struct.unpack(">I4s", file.read(8))
        if name == b"cICP":
            primaries, transfer, matrix, full_range = file.read(4)
            return (primaries, transfer) if matrix == 0 and full_range == 1 else None
        if name in (b"IDAT", b"IEND"):
            return None
        file.seek(length + 4, io.SEEK_CUR)
    return None


def _avif_codes(file: BinaryIO) -> tuple[int, int]:
    """Return the code points of an AVIF's primary item; unspecified where it has none."""
    meta = _meta_box(file)[4:]
    boxes = dict(_boxes(meta))
    properties = dict(_boxes(boxes[b"iprp"]))
    listed = [(name, data) for name, data in _boxes(properties[b"ipco"])]
    for index in _associated(properties[b"ipma"], _primary_item(boxes[b"pitm"])):
        name, data = listed[index - 1]
        if name == b"colr" and data[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", data, 4)
            return primaries, transfer
    return 2, 2


def _meta_box(file: BinaryIO) -> bytes:
    """Return the contents of the file's meta box (ISO/IEC 14496-12, section 8.11)."""
    file.seek(0)
    while True:
        length, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
            head = 16
        if name == b"meta":
            return file.read(min(length - head, _MOST_META_BYTES) if length else _MOST_META_BYTES)
        if length < head:
            raise ValueError("the box ends before it begins")
        file.seek(length - head, io.SEEK_CUR)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if length < 8:
            return
        yield name, data[at + 8 : at + length]
        at += length


def _primary_item(data: bytes) -> int:
    item: int = struct.unpack_from(">I" if data[0] else ">H", data, 4)[0]
    return item


def _associated(data: bytes, wanted: int) -> list[int]:
    """Return the properties of an item, as places in the list that begin with 1 (ISO/IEC 23008-12, section 9.3)."""
    item_format = ">IB" if data[0] else ">HB"
    wide = data[3] & 1
    (items,) = struct.unpack_from(">I", data, 4)
    at = 8
    for _ in range(items):
        item, count = struct.unpack_from(item_format, data, at)
        at += struct.calcsize(item_format)
        end = at + count * (1 + wide)
        if item == wanted:
            places = struct.unpack_from(f">{count}{'H' if wide else 'B'}", data, at)
            return [place & (0x7FFF if wide else 0x7F) for place in places]
        at = end
    return []
