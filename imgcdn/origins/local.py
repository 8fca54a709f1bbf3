"""
Originals in a folder.

A location was decoded once, by its dialect. Here it is accepted or refused, and never normalised, so one file has one
name and one record. Each rule stops a known attack:

* A segment is not empty and does not begin with a dot (`..`, `.git`, our own `.imgcdn-cache`).
* A location contains no NUL and no backslash.
* After symbolic links are followed, the file lies beneath the root and not in the cache folder. It is a regular file.
"""

import os
import stat as stat_flags
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from imgcdn.core.memo import MIB, bytes_of, memoised
from imgcdn.core.values import FileStamp, Source
from imgcdn.errors import SourceNotFound
from imgcdn.origins.base import Answer, Located, Stop, Validators, too_many_bytes
from imgcdn.origins.settings import OriginSettings
from imgcdn.store.files import stamp_of

#: Coarsest resolution of file times in kernels. A file that changed less than this ago may change again, keeping its
#: size and its times (git calls such a file racily clean).
_TICK_S = 0.02

#: Flags for opening the folders on the way to a file. With O_PATH, no permission to list them is needed.
_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


class LocalFetcher:
    """
    Originals beneath one folder, opened where they lie.

    Args:
        settings: The folder, and the largest size of a file. If the folder is a symbolic link, it is followed anew for
            each request. So a release that is switched by a link is served at once, and a removed one is not found.
        hidden: Folders whose files are never served as originals.
    """

    copies = False

    def __init__(self, settings: OriginSettings, *, hidden: Iterable[Path] = ()) -> None:
        self.root = settings.root
        self._root = str(settings.root)
        self._hidden = tuple(str(folder) for folder in hidden)
        self._max_source_bytes = settings.max_source_bytes

    def stamp(self, source: Source) -> FileStamp:
        """
        Stat the file. This one system call tells whether the file has changed since it was rendered.

        It does not check where links lead. If the stamp equals one that `fetch` returned, it is the same inode and so
        an allowed file. Otherwise, call `fetch`.

        Raises:
            SourceNotFound: There is no regular file of this name.
        """
        _check_name(source.location)
        try:
            stat = os.stat(f"{self._root}/{source.location}")
        except (OSError, ValueError) as error:
            raise _not_found() from error
        if not stat_flags.S_ISREG(stat.st_mode):
            raise _not_found()
        return stamp_of(stat)

    def host(self, source: Source) -> str:
        """Return the same name for all files."""
        return ""

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        """
        Find the file.

        Raises:
            SourceNotFound: It is not there, or not beneath the root. Clients cannot tell which, on purpose.
            ImageTooLarge: It has more than `max_source_bytes`.
        """
        path, stamp = self._find(source.location)
        limit = self._max_source_bytes
        if stamp.size > limit:
            raise too_many_bytes(limit)
        _wait_for_tick(stamp)
        return Answer(modified=True, file=Located(path, stamp))

    def _find(self, location: str) -> tuple[Path, FileStamp]:
        """Return the real path of a file beneath the root, and the stamp of that file."""
        _check_name(location)
        root = os.path.realpath(self._root)
        try:
            path = os.path.realpath(f"{root}/{location}", strict=True)
        except (OSError, ValueError) as error:
            raise _not_found() from error
        hidden = any(_beneath(path, os.path.realpath(folder)) for folder in self._hidden)
        if hidden or not _beneath(path, root):
            raise _not_found()
        below = os.path.relpath(path, root)
        _check_name(below)  # a link may lead to a dot file
        try:
            return Path(path), _stamp_beneath(root, below.split("/"))
        except OSError as error:
            raise _not_found() from error

    def close(self) -> None:
        """Do nothing: this fetcher keeps nothing between requests."""


def _stamp_beneath(root: str, segments: list[str]) -> FileStamp:
    """
    Stat a file by its real path, without following a link.

    An attacker who can write beneath the root may replace a folder with a link after the path was resolved. A plain
    stat would follow that link, and the file outside the root would count as allowed.

    Raises:
        OSError: There is no regular file, or a part of the path has become a link.
    """
    folder = os.open(root, _FOLDER)
    try:
        for segment in segments[:-1]:
            inner = os.open(segment, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        stat = os.stat(segments[-1], dir_fd=folder, follow_symlinks=False)
    finally:
        os.close(folder)
    if not stat_flags.S_ISREG(stat.st_mode):
        raise FileNotFoundError(segments[-1])
    return stamp_of(stat)


def _wait_for_tick(stamp: FileStamp) -> None:
    """Wait until a further change of the file is certain to change its times, which follow the wall clock."""
    age_s = time.time() - max(stamp.mtime_ns, stamp.ctime_ns) / 1e9
    if 0 <= age_s < _TICK_S:
        time.sleep(_TICK_S - age_s)


def _check_name(location: str) -> None:
    if not _is_servable(location):
        raise _not_found()


@memoised(2 * MIB, bytes_of)  # called in every hit
def _is_servable(location: str) -> bool:
    """Tell whether a name may be looked up: no empty segment, and none that begins with a dot."""
    segments = location.split("/")
    return "\\" not in location and "\x00" not in location and not any(each[:1] in ("", ".") for each in segments)


def _beneath(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _not_found() -> SourceNotFound:
    return SourceNotFound("There is no image at this path. Check the spelling and the folder that the service serves.")
