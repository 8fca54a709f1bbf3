"""Which variants were used, and how often. Eviction goes by the time of the last use, which is a file's mtime."""

import contextlib
import os
import time
from collections.abc import Callable

#: The time of the last use is kept to the hour. A write for every read would cost more than the read.
TOUCH_AFTER_S = 3600

#: Most variants counted between two writes. They take about 6 MB: all paths have the same length. Uses of further ones
#: are lost until the next write.
_MOST_COUNTED = 16_384


class Usage:
    """
    Counts the uses of files in memory, and writes the times of the last use later, in the background.

    Args:
        clock: Unix time in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts: dict[str, int] = {}

    def count(self, path: str) -> None:
        """Count one use of a file."""
        counts = self._counts
        known = counts.get(path)
        if known is not None:
            counts[path] = known + 1
        elif len(counts) < _MOST_COUNTED:
            counts[path] = 1

    def write(self) -> dict[str, int]:
        """Write the time of use of the files that were used, and return how often each was. Then count anew."""
        counts, self._counts = self._counts, {}
        now = self._clock()
        for path in list(counts):  # a hit in another thread may still count into it
            # Evicted files are gone, and on a read-only disk nothing is evicted.
            with contextlib.suppress(OSError):
                if now - os.lstat(path).st_mtime > TOUCH_AFTER_S:
                    os.utime(path, (now, now), follow_symlinks=False)
        return counts
