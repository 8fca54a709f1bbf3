"""
The segments of a JPEG, and those that its pixels need, without those that are odd, and with an end.

ITU-T T.81, annex B; JFIF 1.02; Adobe's technical note 5116; ICC.1:2022, annex B.4.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from imgcdn.engine.pieces import Piece, Span, join

#: Markers: end of the picture, and start of a scan.
EOI, SOS = 0xD9, 0xDA

_NO_SEGMENT = (0x01, *range(0xD0, 0xD9))
_ANCILLARY = (*range(0xE0, 0xF0), 0xFE)
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})

# What is kept of the ancillary segments: marker, beginning, least length of the contents.
_KEPT = ((0xE0, b"JFIF\0", 14), (0xE1, b"Exif\0\0", 14), (0xE2, b"ICC_PROFILE\0", 15), (0xEE, b"Adobe", 12))

# Within coded pixels, FF is followed only by 00, a restart marker or another FF.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

# Fill bytes, which are FF too, may stand before a marker.
_MARKER = re.compile(rb"\xff([^\x00\xff])")

# So many bytes of a segment say what it is. A frame or a scan has at most four components.
_NOTED_BYTES = 64

# A limit against hostile files. A progressive JPEG has some dozens.
_MOST_SEGMENTS = 10_000

# So many scans at the end are left out to find one that decodes.
_MOST_DAMAGED_SCANS = 16

_END = b"\xff\xd9"

#: Stands for pixels that are missing. It decodes to other pixels than libjpeg fills in for missing bytes.
_FILLER = b"\x35\xc6\x5a\x93" * 4096

_DC_LAST, _AC_LAST = 0, 63

#: Frames without progression, and where they have the number of their components.
_SEQUENTIAL, _COMPONENTS_AT = (0xC0, 0xC1), 5


@dataclass(frozen=True, slots=True)
class Segment:
    """
    A segment, to which the coded pixels of a scan belong; the end marker, too.

    Args:
        marker: Its second byte.
        start: Where the marker begins.
        content: Where its content begins, behind the length.
        end: Where it ends.
    """

    marker: int
    start: int
    content: int
    end: int


@dataclass(frozen=True, slots=True)
class SoundJpeg:
    """
    A JPEG without what does not belong to its pixels.

    Args:
        file: As a decoder can read it: it has an end marker.
        filled: The same with coded pixels before that marker that are not in the original. If it decodes to the same
            pixels, none were missing.
        shorter: The same without its last scan, its last two and so on, as long as one is left. A scan with a damaged
            head or table is an error.
        lacks_scans: Whether the original ends before the last scan of all its components.
        has_end: Whether the original has an end marker. It may have been added to what was left of a file.
        is_doubtful: Whether an original with an end marker may still lack pixels, so that it is worth decoding
            `filled`: it lacks scans, or the marker has fill bytes before it, or the last of several scans is not one
            that refines, as it usually is.
    """

    file: BinaryIO
    filled: tuple[BinaryIO, ...]
    shorter: tuple[BinaryIO, ...]
    lacks_scans: bool
    has_end: bool
    is_doubtful: bool


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
    has_end, is_padded, last = False, False, 0
    scans: list[int] = []
    for segment in segments(data):
        has_end, is_padded, last = segment.marker == EOI, segment.start > last, segment.end
        content = data[segment.content : min(segment.end, segment.content + _NOTED_BYTES)]
        if has_end:
            break
        if segment.marker not in _ANCILLARY or _is_kept(segment.marker, content, segment.end - segment.content):
            scans += [len(pieces)] if segment.marker == SOS else []
            pieces.append(Span(segment.start, segment.end))
            coverage.note(segment.marker, content)
    if not coverage.has_scan:
        return None
    return SoundJpeg(
        file=join(file, [*pieces, _END]),
        filled=(join(file, [*pieces, _FILLER, _END]),),
        shorter=tuple(join(file, [*pieces[:scan], _END]) for scan in scans[:0:-1][:_MOST_DAMAGED_SCANS]),
        lacks_scans=coverage.lacks_scans,
        has_end=has_end,
        is_doubtful=is_padded or coverage.lacks_scans or coverage.ends_unrefined,
    )


def is_one_scan(data: bytes) -> bool:
    """
    Tell whether a decoder reads a single scan: the file is sequential, and its first scan has all components.

    Args:
        data: The beginning of the file.
    """
    components = 0
    for segment in segments(data):
        head = data[segment.content : segment.content + _NOTED_BYTES]
        if segment.marker in _SEQUENTIAL and len(head) > _COMPONENTS_AT:
            components = head[_COMPONENTS_AT]
        if segment.marker == SOS:
            return components > 0 and head[:1] == bytes([components])
    return False


def segments(data: bytes) -> Iterator[Segment]:
    """
    Yield the segments of the first picture, up to its end marker.

    It stops before a segment that is cut, except in a scan. Bytes between segments are skipped, as libjpeg does.
    """
    at = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return
        marker, start, at = found[1][0], found.start(), found.end()
        if marker == EOI:
            yield Segment(marker, start, at, at)
            return
        length = int.from_bytes(data[at : at + 2])
        if marker in _NO_SEGMENT or (at + 2 <= len(data) and length < 2):
            continue
        end = at + length
        if max(end, at + 2) > len(data):
            return
        if marker == SOS:
            end = _scan_end(data, end)
        yield Segment(marker, start, at + 2, end)
        at = end


def _scan_end(data: bytes, at: int) -> int:
    """Return where a scan's coded pixels end. An FF at their end is a fill byte, or the end of a cut file."""
    found = _SCAN_END.search(data, at)
    end = found.start() if found else len(data)
    while end > at and data[end - 1] == 0xFF:
        end -= 1
    return end


def _is_kept(marker: int, content: bytes, length: int) -> bool:
    return any(marker == kept and content.startswith(name) and length >= least for kept, name, least in _KEPT)


class _Coverage:
    """Which coefficients of which components the scans have."""

    def __init__(self) -> None:
        self.has_scan = False
        self._scans, self._refines = 0, False
        self._components: set[int] = set()
        self._is_progressive = False
        self._exact: dict[int, set[int]] = {}

    @property
    def ends_unrefined(self) -> bool:
        """Whether the last of several scans has coefficients of which no scan before had any bits."""
        return self._scans > 1 and not self._refines

    def note(self, marker: int, contents: bytes) -> None:
        """Take note of the beginning of a segment."""
        if marker in _FRAMES and len(contents) >= 6:
            self._components = set(contents[6 : 6 + 3 * contents[5] : 3])
            self._is_progressive = marker in (0xC2, 0xC6, 0xCA, 0xCE)
        elif marker == SOS and contents and self._components:
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
        self._scans, self._refines = self._scans + 1, bits >> 4 > 0
        if bits & 15:
            return  # the lower bits of these coefficients come in a later scan
        for component in contents[1 : 1 + 2 * count : 2]:
            self._exact.setdefault(component, set()).update({first, last} & {_DC_LAST, _AC_LAST})
