"""
The limits of originals, for records that were made under other settings.

A probe and a fetch enforce the limits of their time. A record on disk outlives them, so it is judged again by the
present ones each time it is used. The answer is the same whether the variant is stored or not.
"""

from dataclasses import dataclass, replace

from imgcdn.core.values import SourceRecord
from imgcdn.errors import ImageTooLarge, UnsupportedImage
from imgcdn.origins.base import too_many_bytes
from imgcdn.origins.settings import OriginSettings


@dataclass(frozen=True, slots=True)
class OriginalLimits:
    """
    The limits of originals.

    Args:
        max_pixels: Pixels of a frame. An animation whose frames together have more is a still.
        max_source_bytes: Bytes of an original.
        max_ttl_s: Seconds for which a remote original is fresh.
        refused: Formats of originals that are not read.
    """

    max_pixels: int
    max_source_bytes: int
    max_ttl_s: float
    refused: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: OriginSettings) -> "OriginalLimits":
        """Return the limits that the settings state."""
        return cls(settings.max_pixels, settings.max_source_bytes, settings.max_ttl, settings.refused)

    def applied_to(self, record: SourceRecord) -> SourceRecord:
        """Return a record as it would be if it were made now: its end of freshness, and its number of frames."""
        origin, facts = record.origin, record.facts
        if origin is not None and origin.fresh_until > (latest := origin.validated_at + self.max_ttl_s):
            record = replace(record, origin=replace(origin, fresh_until=latest))
        if facts is not None and facts != (present := facts.within(self.max_pixels)):
            record = replace(record, facts=present)
        return record

    def check(self, record: SourceRecord) -> SourceRecord:
        """
        Return the record of an original within the limits.

        Raises:
            ImageTooLarge: It has too many pixels or bytes.
            UnsupportedImage: It has a refused format.
        """
        if record.facts is not None:
            if record.facts.format in self.refused:
                raise UnsupportedImage.for_kind(record.facts.format, self.refused)
            if _pixels(record.facts.size) > self.max_pixels:
                raise ImageTooLarge.for_pixels(self.max_pixels)
            if record.stamp.size > self.max_source_bytes:
                raise too_many_bytes(self.max_source_bytes)
        return record


def _pixels(size: tuple[int, int]) -> int:
    return size[0] * size[1]
