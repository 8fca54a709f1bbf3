"""The settings of this room."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginSettings:
    """
    How originals are fetched, and for how long they are believed.

    Args:
        fetchers: Originals that one process fetches at the same time.
        fetches_per_host: Of these, from one origin host.
        min_ttl, default_ttl, max_ttl: Seconds for which a response is fresh: at least, where its origin says nothing,
            and at most.
        max_pixels: Pixels times frames of an original; larger ones are refused.
        probe_timeout_s: Wall-clock seconds for reading an original's header.
    """

    fetchers: int
    fetches_per_host: int
    min_ttl: int
    default_ttl: int
    max_ttl: int
    max_pixels: int
    probe_timeout_s: float
