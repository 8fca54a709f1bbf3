"""One source's folder while something is being published into it."""

import errno
import os
from collections.abc import Callable
from types import TracebackType


class Folder:
    """
    A source's folder, held open by its descriptor. Close it, or use it in a `with` statement.

    Args:
        source_key: Its name.
        fd: Its descriptor; below 0 when nothing is stored.
        note: Told why the disk refuses a file.
    """

    def __init__(self, source_key: str, fd: int, *, note: Callable[[OSError], None]) -> None:
        self.source_key = source_key
        self._fd = fd
        self._note = note

    def publish(self, temp: str, name: str) -> bool:
        """
        Move a finished file into the folder.

        Args:
            temp: From `DiskStore.temp_path`.
            name: Its name in the folder; a file that is there already is replaced.

        Returns:
            Whether it is there now. If not, the temporary file is left where it was.
        """
        if self._fd < 0:
            return False
        try:
            os.rename(temp, name, dst_dir_fd=self._fd)
        except OSError as error:
            # ENOENT: purged and emptied since it was opened. That is no trouble of the disk's.
            if error.errno != errno.ENOENT:
                self._note(error)
            return False
        return True

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "Folder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
