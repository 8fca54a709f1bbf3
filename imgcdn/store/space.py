"""The free space of the cache's disk, and how much of it is left free."""

import logging
import math
import os
import time
from pathlib import Path

_log = logging.getLogger(__name__)

#: The largest share of the disk that is left free. With the default of 256 MB, a small disk would keep nothing.
_MAX_FREE_SHARE = 0.1

#: Seconds for which a measurement is used again.
_MEMO_S = 1.0

#: Seconds before the log repeats that too little space is free, because the state may come and go.
_SAID_S = 600.0


class Space:
    """
    The free space of one disk.

    Args:
        folder: A folder on the disk.
        min_free_bytes: Bytes to leave free, but at most a tenth of the disk.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._seen = (-math.inf, True)
        #: What is short, as the last measurement that did not suffice has found it.
        self.shortage = ""
        self._said_at = -math.inf

    def suffices(self) -> bool:
        """
        Return whether more may be written. Log it if not.

        The disk is asked once a second at most. An error counts as yes: a write will show it.
        """
        now = time.monotonic()
        if now - self._seen[0] > _MEMO_S:
            try:
                free, floor = self._measured()
            except OSError:
                free, floor = 1, 1
            self._seen = (now, free >= max(floor, 1))
            self.shortage = (
                "less than min_free_bytes is free"
                if floor >= self._min_free_bytes
                else "less than a tenth of the disk is free, and min_free_bytes is above that tenth"
            )
            if not self._seen[1] and now - self._said_at > _SAID_S:
                self._said_at = now
                _log.warning("serving without storing: %d bytes of the cache's disk are free, %d must be", free, floor)
        return self._seen[1]

    def missing_bytes(self) -> int:
        """
        Return how many bytes must become free.

        Raises:
            OSError: The disk fails.
        """
        free, floor = self._measured()
        return max(0, floor - free)

    def announce(self) -> None:
        """
        Log that the disk is too small for the setting.

        Raises:
            OSError: The disk fails.
        """
        _, floor = self._measured()
        if floor < self._min_free_bytes:
            _log.warning("min_free_bytes is above a tenth of the cache's disk: %d bytes are left free", floor)

    def _measured(self) -> tuple[int, int]:
        """Return the free bytes, and how many must be free."""
        disk = os.statvfs(self._folder)
        share = int(disk.f_blocks * disk.f_frsize * _MAX_FREE_SHARE)
        # Some network file systems do not know their size.
        return disk.f_bavail * disk.f_frsize, min(self._min_free_bytes, share) if share else self._min_free_bytes
