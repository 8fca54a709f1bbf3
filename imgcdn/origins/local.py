"""
Originals in a folder.

A location was decoded once, by its dialect. Here it is accepted or refused, and never normalised, so one file has one
name and one record. Each rule stops a known attack:

* A segment is not empty and does not begin with a dot (`..`, `.git`, our own `.imgcdn-cache`).
* A location contains no NUL and no backslash, and is text. A file name may be any bytes, but no URL leads to those that
  are not UTF-8.
* After symbolic links are followed, the file lies beneath the root and not in the cache folder. It is a regular file.
"""

import errno
import os
import stat as stat_flags
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from imgcdn.core.memo import MIB, bytes_of, memoised
from imgcdn.core.values import FileStamp, PathBeneath, Source, Visit
from imgcdn.errors import OriginError, SourceNotFound
from imgcdn.origins.base import Answer, Located, Stop, Validators, too_many_bytes
from imgcdn.origins.settings import OriginSettings
from imgcdn.store.files import stamp_of
from imgcdn.store.opening import open_beneath

#: Coarsest resolution of file times in kernels. A file that changed less than this ago may change again, keeping its
#: size and its times (git calls such a file racily clean).
_TICK_S = 0.02

#: Errors of a disk, a network disk or of permissions: nobody can tell whether the file is there.
_FAILING = (errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN)

#: Python represents file-name bytes that are not UTF-8 as these characters. No valid text contains them.
_SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))


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
            OriginError: The folder is not there, or the disk fails.
        """
        _check_name(source.location)
        try:
            stat = os.stat(f"{self._root}/{source.location}")
        except (OSError, ValueError) as error:
            raise self._error(error, source.location) from error
        if not stat_flags.S_ISREG(stat.st_mode):
            raise _not_found()
        return stamp_of(stat)

    def host(self, source: Source) -> str:
        """Return the same name for all files."""
        return ""

    def group(self, source: Source) -> str:
        """Return the same name for all files."""
        return ""

    def admits(self, source: Source, way: Sequence[Visit]) -> bool:
        """Return True: no request was sent for a file."""
        return True

    def ignores_stale_rules(self, source: Source) -> bool:
        """Return True: there is no origin that states rules."""
        return True

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        """
        Find the file.

        Raises:
            SourceNotFound: It is not there, or not beneath the root. Clients cannot tell which, on purpose.
            ImageTooLarge: It has more than `max_source_bytes`.
            OriginError: The folder is not there, or the disk fails.
        """
        located = self._find(source.location)
        limit = self._max_source_bytes
        if located.stamp.size > limit:
            raise too_many_bytes(limit)
        _wait_for_tick(located.stamp)
        return Answer(modified=True, file=located)

    def _find(self, location: str) -> Located:
        """
        Return where a file lies beneath the root, after links are followed.

        An attacker who can write beneath the root may replace a folder with a link after the path was resolved. So the
        stamp comes from a walk that follows no link, as the render child's walk follows none.
        """
        _check_name(location)
        root = os.path.realpath(self._root)
        try:
            path = os.path.realpath(f"{root}/{location}", strict=True)
        except (OSError, ValueError) as error:
            raise self._error(error, location) from error
        hidden = any(_beneath(path, os.path.realpath(folder)) for folder in self._hidden)
        if hidden or not _beneath(path, root):
            raise _not_found()
        below = os.path.relpath(path, root)
        _check_name(below)  # a link may lead to a dot file
        try:
            fd, stat = open_beneath(root, below)
        except OSError as error:
            raise self._error(error, location) from error
        os.close(fd)
        return Located(PathBeneath(root, below), stamp_of(stat))

    def _error(self, error: OSError | ValueError, location: str) -> SourceNotFound | OriginError:
        """Return the error for a file that cannot be found: it is not there, or nobody can tell."""
        if isinstance(error, OSError) and error.errno in _FAILING:
            return OriginError.for_folder(f"{self._root}/{location}: {error.strerror}")
        if not os.path.isdir(self._root):
            return OriginError.for_folder(f"the root, {self._root}, is not there")
        return _not_found()

    def close(self) -> None:
        """Do nothing: this fetcher keeps nothing between requests."""


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
    """Tell whether a name may be looked up: it is text, without an empty segment or one that begins with a dot."""
    segments = location.split("/")
    if any(each[:1] in ("", ".") for each in segments) or not _SURROGATES.isdisjoint(location):
        return False
    return "\\" not in location and "\x00" not in location


def _beneath(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _not_found() -> SourceNotFound:
    return SourceNotFound("There is no image at this path. Check the spelling and the folder that the service serves.")
