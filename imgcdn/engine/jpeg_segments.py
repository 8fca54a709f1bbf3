"""
The segments of a JPEG that its pixels need, without those that are odd, and with an end.

ITU-T T.81, annex B; JFIF 1.02; Adobe's technical note 5116; ICC.1:2022, annex B.4.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from imgcdn.engine.pieces import Piece, Span, join

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_NO_SEGMENT = (0x01, *range(0xD0, 0xD9))
_ANCILLARY = (*range(0xE0, 0xF0), 0xFE)
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})

# What is kept of the ancillary segments: marker, beginning, least length of the contents.
_KEPT = ((0xE0, b"JFIF\0", 14), (0xE1, b"Exif\0\0", 14), (0xE2, b"ICC_PROFILE\0", 15), (0xEE, b"Adobe", 12))

# Within coded pixels, FF is followed only by 00, a restart marker or another FF.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

# Fill bytes may stand before a marker.
_MARKER = re.compile(rb"\xff+([^\x00\xff])")

# A limit against hostile files. A progressive JPEG has some dozens.
_MOST_SEGMENTS = 10_000

_END = b"\xff\xd9"

#: Stands for pixels that are missing. It decodes to other pixels than libjpeg fills in for missing bytes.
_FILLER = b"\x35\xc6\x5a\x93" * 4096

_DC_LAST, _AC_LAST = 0, 63


@dataclass(frozen=True, slots=True)
class SoundJpeg:
    """
    A JPEG without what does not belong to its pixels.

    Args:
        file: As a decoder can read it: it has an end marker.
        filled: The same with coded pixels before that marker that are not in the original; empty if the original has
            an end marker. If it decodes to the same pixels, none were missing.
        lacks_scans: Whether the original ends before the last scan of all its components.
    """

    file: BinaryIO
    filled: tuple[BinaryIO, ...]
    lacks_scans: bool


def sound_jpeg(file: BinaryIO) -> SoundJpeg | None:
    """
    Return a JPEG with the segments that its pixels need, and those about colours and orientation that are sound.

    Args:
        file: Seekable. The result reads from it.

    Returns:
        None if it ends before its coded pixels.
    """
    file.seek(0)
    data = file.read()
    pieces: list[Piece] = [data[:2]]
    coverage = _Coverage()
    ends = False
    for marker, start, end in _segments(data):
        ends = marker == _EOI
        if ends:
            break
        if marker in _ANCILLARY and not _is_kept(marker, data[start + 4 : end]):
            continue
        pieces.append(Span(start, end))
        coverage.note(marker, data[start + 4 : start + 70])
    if not coverage.has_scan:
        return None
    filled = () if ends else (join(file, [*pieces, _FILLER, _END]),)
    return SoundJpeg(join(file, [*pieces, _END]), filled, not ends and coverage.lacks_scans)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """
    Yield marker, start and end of each segment of the first picture. Coded pixels are part of their scan's segment.

    It stops before a segment that is cut, except in a scan. Bytes between segments are skipped, as libjpeg does.
    """
    at = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return
        marker, start = found[1][0], found.end() - 2
        length = int.from_bytes(data[start + 2 : start + 4])
        at = start + 2
        if marker in _NO_SEGMENT or (marker != _EOI and at + 2 <= len(data) and length < 2):
            continue
        end = at if marker == _EOI else at + length
        if marker != _EOI and max(end, at + 2) > len(data):
            return
        if marker == _SOS:
            end = _scan_end(data, end)
        yield marker, start, end
        at = end


def _scan_end(data: bytes, at: int) -> int:
    """Return where a scan's coded pixels end. A lone FF at the end of a cut file is not a coded pixel."""
    found = _SCAN_END.search(data, at)
    return found.start() if found else max(at, len(data) - data.endswith(b"\xff"))


def _is_kept(marker: int, contents: bytes) -> bool:
    return any(marker == kept and contents.startswith(name) and len(contents) >= least for kept, name, least in _KEPT)


class _Coverage:
    """Which coefficients of which components the scans have."""

    def __init__(self) -> None:
        self.has_scan = False
        self._components: set[int] = set()
        self._is_progressive = False
        self._exact: dict[int, set[int]] = {}

    def note(self, marker: int, contents: bytes) -> None:
        """Take note of the beginning of a segment."""
        if marker in _FRAMES and len(contents) >= 6:
            self._components = set(contents[6 : 6 + 3 * contents[5] : 3])
            self._is_progressive = marker in (0xC2, 0xC6, 0xCA, 0xCE)
        elif marker == _SOS and contents and self._components:
            self.has_scan = True
            self._note_scan(contents)

    @property
    def lacks_scans(self) -> bool:
        """Whether a component has coefficients of which no scan had the last bit."""
        wanted = {_DC_LAST, _AC_LAST}
        return any(not wanted <= self._exact.get(component, set()) for component in self._components)

    def _note_scan(self, contents: bytes) -> None:
        count = contents[0]
        first, last, bits = (*contents[1 + 2 * count : 4 + 2 * count], 0, 0, 0)[:3]
        if not self._is_progressive:
            first, last, bits = _DC_LAST, _AC_LAST, 0
        if bits & 15:
            return  # the lower bits of these coefficients come in a later scan
        for component in contents[1 : 1 + 2 * count : 2]:
            self._exact.setdefault(component, set()).update({first, last} & {_DC_LAST, _AC_LAST})
