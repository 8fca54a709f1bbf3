"""The settings of the cache folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from imgcdn.core.setting import byte_count, folder, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """What is kept on disk, where, and how much of it."""

    cache_dir: Path = setting(
        Path(".imgcdn-cache"),
        folder,
        "Folder for variants and copies of originals: a new or empty one, or the one of an earlier run.",
    )
    cache_max_bytes: int = setting(
        2**30,
        byte_count,
        "Bytes of variants and records to keep, as the disk counts them: whole blocks, and folders. Above it, the "
        "least recently used variants are evicted by the next sweep, after ten seconds or 20 times the duration of a "
        "sweep. With 0, nothing is kept.",
    )
    originals_max_bytes: int = setting(
        2**30,
        byte_count,
        "Bytes of copies of remote originals to keep. Above it, those used longest ago are evicted by the next sweep.",
    )
    min_free_bytes: int = setting(
        256 * 2**20,
        byte_count,
        "Bytes to leave free on the cache's disk, but at most a tenth of it. With less, pictures are evicted, those "
        "used longest ago first, and nothing is written until enough is free.",
    )

    def __post_init__(self) -> None:
        """Make the folder absolute, so that a later chdir does not move it."""
        object.__setattr__(self, "cache_dir", Path(os.path.abspath(self.cache_dir)))
