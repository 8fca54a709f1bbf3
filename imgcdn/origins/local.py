"""
Originals in a folder.

A location is decoded once, by the URL's grammar. Here it is only ever refused: nothing is normalised, so one file has
one name and one record. The rules, each for an attack that worked on somebody: no empty segment, none that begins with
a dot (`..`, `.git`, our own `.imgcdn-cache`), no NUL, no backslash; the file that the name leads to, links followed,
lies beneath the root, is a regular file, and is not in the cache folder.
"""

import os
import stat as stat_flags
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from imgcdn.core.output.formats import FORMATS
from imgcdn.core.values import FileStamp, Source
from imgcdn.errors import ImageTooLarge, SourceNotFound
from imgcdn.origins.base import Answer, Located, Stop, Validators
from imgcdn.origins.settings import OriginSettings
from imgcdn.store.files import stamp_of

#: Coarsest tick of a kernel's file times. A file that changed less than this ago may change again, to the same size,
#: without its times telling (git calls such a file racily clean).
_TICK_S = 0.02

#: Flags for opening the folders on the way to a file. With O_PATH, no permission to list them is needed.
_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)

_EXTENSIONS = (".jpeg", *(f".{fmt.extension}" for fmt in FORMATS.values()))


class LocalFetcher:
    """
    Originals beneath one folder, opened where they lie.

    Args:
        settings: The folder, and how large a file may be. The folder may be a link, which is followed anew for each
            request, so that a release that is switched by its link is served at once, and one that was removed is not
            found.
        hidden: Folders whose files are never originals, wherever they are.
    """

    copies = False

    def __init__(self, settings: OriginSettings, *, hidden: Iterable[Path] = ()) -> None:
        self.root = settings.root
        self._root = str(settings.root)
        self._hidden = tuple(str(folder) for folder in hidden)
        self._max_source_bytes = settings.max_source_bytes

    def stamp(self, source: Source) -> FileStamp:
        """
        Stat the file: one system call a request tells whether it is the one that was rendered.

        It does not look where links lead. A stamp that equals one that `fetch` allowed is the same inode, so it is the
        same file; with any other, call `fetch`.

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
        """Return the one name that all files share."""
        return ""

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        """
        Find the file.

        Raises:
            SourceNotFound: It is not there, or not beneath the root. The two look alike on purpose.
            ImageTooLarge: It has more than `max_source_bytes`.
        """
        path, stamp = self._find(source.location)
        limit = self._max_source_bytes
        if stamp.size > limit:
            raise ImageTooLarge(f"The original has more than {limit} bytes.", limit=limit, unit="bytes")
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
        """Do nothing: nothing is kept between requests."""


def pictures(root: Path) -> Iterable[str]:
    """Yield the locations of the files directly in a folder whose names are those of pictures, in order."""
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return
    for name in names:
        offered = not name.startswith(".") and name.lower().endswith(_EXTENSIONS)
        if offered and os.path.isfile(f"{root}/{name}"):
            yield name


def _stamp_beneath(root: str, segments: list[str]) -> FileStamp:
    """
    Stat a file by its real path, without following a link.

    An attacker who can write beneath the root may replace a folder with a link after the path was resolved. A plain
    stat would follow that link, and the file outside the root would count as allowed.

    Raises:
        OSError: There is a link by now, or nothing, or no regular file.
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
    """Wait until the next change of the file must show in its times, which follow the wall clock."""
    age_s = time.time() - max(stamp.mtime_ns, stamp.ctime_ns) / 1e9
    if 0 <= age_s < _TICK_S:
        time.sleep(_TICK_S - age_s)


def _check_name(location: str) -> None:
    if "\\" in location or "\x00" in location:
        raise _not_found()
    for segment in location.split("/"):
        if not segment or segment.startswith("."):
            raise _not_found()


def _beneath(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _not_found() -> SourceNotFound:
    return SourceNotFound("There is no image at this path. Check the spelling and the folder that the service serves.")
