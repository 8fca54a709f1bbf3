"""
File -> the ICC profile of its pixels, as browsers read it.

Colours that are given as code points or as a gamma become a profile too.
"""

import struct
from collections.abc import Callable, Mapping
from typing import BinaryIO

from PIL import ImageFile

from imgcdn.engine import icc
from imgcdn.engine.avif_meta import colour_codes
from imgcdn.engine.png_chunks import walk

# Code points of ITU-T H.273, table 2 (primaries) and table 3 (transfer). A code that is missing here counts as sRGB:
# 2 (unspecified), and the television curves, which browsers treat as sRGB's.
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

# Some writers of PNG mean sRGB but write only gamma and primaries. Values within these distances of 1/2.2 and of sRGB's
# primaries count as sRGB.
_SRGB_GAMMA, _NEAR_GAMMA, _NEAR_PRIMARY = 1 / 2.2, 0.01, 0.002

# Pillow's grey modes.
_GREY = ("1", "L", "LA", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")

# Length of a PNG's cICP.
_CODES_BYTES = 4


def profile_of(image: ImageFile.ImageFile, file: BinaryIO) -> bytes:
    """
    Return the ICC profile of an original's pixels, unchecked; empty if they are sRGB or the file does not say.

    Code points, and a PNG's gamma and primaries, are translated into an equivalent profile. A curve for high dynamic
    range is translated into one that maps it to an ordinary display.

    Args:
        image: Opened from `file`.
        file: Read from; its position is kept.
    """
    offset = file.tell()
    try:
        if image.format == "PNG":
            return _png_profile(image, file)
        profile = _embedded(image)
        return profile or (_profile_of_codes(*colour_codes(file), grey=False) if image.format == "AVIF" else b"")
    except (struct.error, ValueError, LookupError, ArithmeticError):
        return b""  # a description that does not parse counts as none
    finally:
        file.seek(offset)


def _embedded(image: ImageFile.ImageFile) -> bytes:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else b""


def _profile_of_codes(primaries: int, transfer: int, *, grey: bool) -> bytes:
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
        return _profile_of_codes(*codes, grey=grey)
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
    """
    Return the code points of a cICP chunk before the pixels.

    Returns:
        None if there is no such chunk, or it is not for RGB in full range.
    """
    for chunk in walk(file):
        if chunk.name == b"cICP":
            data = chunk.data(_CODES_BYTES)
            # The last two say: RGB, in full range.
            return (data[0], data[1]) if data is not None and data[2:] == b"\0\1" else None
        if chunk.name in (b"IDAT", b"IEND"):
            return None
    return None
