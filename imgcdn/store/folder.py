"""The folder of one source, held open to publish files into it."""

import contextlib
import errno
import os
from collections.abc import Callable
from types import TracebackType

from imgcdn.store.opening import FOLDER


def create_and_open(path: str) -> int:
    """
    Open a source's folder, and create it and its shard if they are missing. Return its descriptor.

    Raises:
        OSError: It cannot be created or opened.
    """
    try:
        fd = _create_and_open(path)
    except FileNotFoundError:  # an empty folder may have been removed meanwhile
        fd = _create_and_open(path)
    os.utime(fd)  # an empty folder is removed after it was not opened for a while
    return fd


class Folder:
    """
    The folder of a source, held open by its descriptor. Close it, or use it in a `with` statement.

    Args:
        source_key: The key of the source.
        fd: The descriptor of the folder; below 0 if nothing can be stored.
        note: Called with the error if a file cannot be published.
    """

    def __init__(self, source_key: str, fd: int, *, note: Callable[[OSError], None]) -> None:
        self.source_key = source_key
        self._fd = fd
        self._note = note

    def publish(self, temp: str, name: str) -> bool:
        """
        Move a finished file into the folder.

        Args:
            temp: A path from `DiskStore.temp_path`.
            name: The name in the folder. An existing file is replaced.

        Returns:
            Whether it was published. If not, the temporary file is still there.
        """
        if self._fd < 0:
            return False
        try:
            os.rename(temp, name, dst_dir_fd=self._fd)
        except OSError as error:
            # ENOENT: the folder was purged and removed since it was opened. So this is no reason to stop storing.
            if error.errno != errno.ENOENT:
                self._note(error)
            return False
        return True

    def close(self) -> None:
        """Close the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "Folder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _create_and_open(path: str) -> int:
    for folder in (os.path.dirname(path), path):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
    return os.open(path, FOLDER)
