"""The folder of one source, held open to publish files into it."""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from imgcdn.core.values import Variant
from imgcdn.store.layout import marks_of
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


class Kept(NamedTuple):
    """
    A variant that was published.

    Args:
        variant: The variant, read back; None if its file is damaged or of another variant, so that it is not stored.
        is_stored: Whether its file is stored.
    """

    variant: Variant | None
    is_stored: bool


class Folder:
    """
    The folder of a source, held open by its descriptor. Close it, or use it in a `with` statement.

    Args:
        source_key: The key of the source.
        fd: The descriptor of the folder; below 0 if nothing can be stored.
        path: Its path.
        temp_folder: The folder with the marks of purges.
        note: Called with the error if a file cannot be published.
    """

    def __init__(
        self, source_key: str, fd: int, path: str, temp_folder: Path, *, note: Callable[[OSError], None]
    ) -> None:
        self.source_key = source_key
        self._fd = fd
        self._path = path
        self._temp_folder = temp_folder
        self._marks = self._marks_now()
        self._note = note

    def was_removed(self) -> bool:
        """Tell whether the source was purged since the folder was opened: another folder is at its path, or none."""
        if self._fd < 0:
            return False
        try:
            return not os.path.samestat(os.fstat(self._fd), os.stat(self._path))
        except OSError as error:
            return error.errno in (errno.ENOENT, errno.ENOTDIR)

    def was_marked(self) -> bool:
        """Tell whether a purge has marked the source as stale since the folder was opened."""
        return self._marks_now() != self._marks

    def _marks_now(self) -> tuple[object, ...]:
        return marks_of(self._temp_folder, self.source_key) if self._fd >= 0 else ()

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
