"""Whether files can be stored, and why not."""

import errno
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from imgcdn.errors import ConfigError
from imgcdn.store.layout import free_bytes, lay_out

_log = logging.getLogger(__name__)

#: Seconds for which a measurement of the free space is used again.
_SPACE_MEMO_S = 1.0

#: A write fails so if a folder of the cache was removed, or another file has its name.
_FOLDER_IS_GONE = (errno.ENOENT, errno.ENOTDIR)


class Health:
    """
    What is wrong with the cache folder of a service, as its process has seen it.

    Args:
        folder: The cache folder.
        min_free_bytes: Bytes that must stay free on its disk.
        clock: Seconds that never go back.
    """

    def __init__(self, folder: Path, *, min_free_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._writing = ""
        self._sweeping = ""
        self._space_seen = (-_SPACE_MEMO_S - 1.0, True)

    @property
    def reason(self) -> str:
        """Why nothing can be stored, or nothing evicted; empty if all is well."""
        if self._writing:
            return self._writing
        return self._sweeping if self.has_space() else "less than min_free_bytes is free"

    def note(self, error: OSError | None) -> None:
        """Remember whether files can be written, and log a new reason why they cannot."""
        if error is not None and error.errno in _FOLDER_IS_GONE:
            error = self.lay_out_again()
        trouble = "" if error is None else os.strerror(error.errno or errno.EIO)
        if trouble and trouble != self._writing:
            _log.warning("serving without storing: the cache folder cannot be written: %s", trouble)
        self._writing = trouble

    def note_sweep(self, trouble: str) -> bool:
        """
        Remember how the last sweep went, and log a new reason why it failed.

        Args:
            trouble: Why it failed; empty if it did not.

        Returns:
            Whether the reason is new.
        """
        is_new = bool(trouble) and trouble != self._sweeping
        if is_new:
            _log.warning("the cache folder cannot be swept: %s", trouble)
        self._sweeping = trouble
        return is_new

    def has_space(self) -> bool:
        """Tell whether the disk has the space that must stay free."""
        now = self._clock()
        if now - self._space_seen[0] > _SPACE_MEMO_S:
            try:
                self._space_seen = (now, free_bytes(self._folder) >= max(self._min_free_bytes, 1))
            except OSError:
                self._space_seen = (now, True)  # a write will show the error
        return self._space_seen[1]

    def lay_out_again(self) -> OSError | None:
        """Create folders again that were removed under the running service. Return the error if that fails."""
        try:
            lay_out(self._folder)
        except ConfigError:
            return FileExistsError(errno.EEXIST, "other files are there now")
        except OSError as error:
            return error
        return None
