"""Whether files can be stored, and why not."""

import errno
import logging
import os
from pathlib import Path

from imgcdn.errors import ConfigError
from imgcdn.store.layout import lay_out
from imgcdn.store.space import Space

_log = logging.getLogger(__name__)

#: The errors of a write if a folder of the cache was removed, or a file has its name.
_FOLDER_IS_GONE = (errno.ENOENT, errno.ENOTDIR)


class Health:
    """
    What is wrong with the cache folder of a service, as its process has seen it.

    Args:
        folder: The cache folder.
        space: The free space of its disk.
    """

    def __init__(self, folder: Path, space: Space) -> None:
        self._folder = folder
        self._space = space
        self._writing = ""
        self._sweeping = ""

    @property
    def reason(self) -> str:
        """Why nothing can be stored, or nothing evicted; empty if all is well."""
        if self._writing:
            return self._writing
        return self._sweeping if self._space.suffices() else self._space.shortage

    def note(self, error: OSError | None) -> None:
        """Remember whether files can be written, and log a new reason why they cannot."""
        if error is not None and error.errno in _FOLDER_IS_GONE:
            error = self.lay_out_again()
        trouble = "" if error is None else os.strerror(error.errno or errno.EIO)
        if trouble and trouble != self._writing:
            _log.warning("serving without storing: the cache folder cannot be written: %s", trouble)
        self._writing = trouble

    def note_sweep(self, trouble: str) -> None:
        """
        Remember how the last sweep went, and log a new reason why it failed.

        Args:
            trouble: Why it failed; empty if it did not.
        """
        if trouble and trouble != self._sweeping:
            _log.warning("the cache folder cannot be swept: %s", trouble)
        self._sweeping = trouble

    def lay_out_again(self) -> OSError | None:
        """Create folders again that were removed under the running service. Return the error if that fails."""
        try:
            lay_out(self._folder)
        except ConfigError:
            return FileExistsError(errno.EEXIST, "other files are there now")
        except OSError as error:
            return error
        return None
