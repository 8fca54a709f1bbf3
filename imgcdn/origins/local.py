"""
Originals in a folder.

A location is decoded once, by the URL's grammar. Here it is only ever refused: nothing is normalised, so one file has
one name and one record. The rules, each for an attack that worked on somebody: no empty segment, none that begins with
a dot (`..`, `.git`, our own `.imgcdn-cache`), no NUL, no backslash; the file that the name leads to, links followed,
lies beneath the root, is a regular file, and is not in the cache folder.
"""

import os
import stat as stat_flags
from collections.abc import Iterable
from pathlib import Path

from imgcdn.core.output.formats import FORMATS
from imgcdn.core.values import FileStamp
from imgcdn.errors import SourceNotFound
from imgcdn.store.files import stamp_of

_EXTENSIONS = (".jpeg", *(f".{fmt.extension}" for fmt in FORMATS.values()))


class LocalFiles:
    """
    Files beneath one folder.

    Args:
        root: The folder. It may be a link itself.
        hidden: Folders whose files are never originals, wherever they are.
    """

    def __init__(self, root: Path, *, hidden: Iterable[Path] = ()) -> None:
        self._root = os.path.realpath(root)
        self._hidden = tuple(os.path.realpath(folder) for folder in hidden)

    def stamp(self, location: str) -> FileStamp:
        """
        Stat the file: the one system call that tells, at every request, whether it is the one that was rendered.

        It does not look where links lead. A stamp equal to one that `resolve` allowed is the same inode, so it
        is the same file; with any other, call `resolve`.

        Raises:
            SourceNotFound: There is no regular file of this name.
        """
        _check_name(location)
        try:
            stat = os.stat(f"{self._root}/{location}")
        except (OSError, ValueError) as error:
            raise _not_found() from error
        if not stat_flags.S_ISREG(stat.st_mode):
            raise _not_found()
        return stamp_of(stat)

    def resolve(self, location: str) -> Path:
        """
        Return the file's real path, links followed.

        Raises:
            SourceNotFound: It is not there, or not beneath the root. The two look alike on purpose.
        """
        _check_name(location)
        try:
            path = os.path.realpath(f"{self._root}/{location}", strict=True)
        except (OSError, ValueError) as error:
            raise _not_found() from error
        if not _beneath(path, self._root) or any(_beneath(path, folder) for folder in self._hidden):
            raise _not_found()
        _check_name(os.path.relpath(path, self._root))  # a link may lead to a dot file
        return Path(path)

    def pictures(self) -> Iterable[str]:
        """Yield the locations of the files directly in the root whose names are those of pictures, in order."""
        try:
            names = sorted(os.listdir(self._root))
        except OSError:
            return
        for name in names:
            offered = not name.startswith(".") and name.lower().endswith(_EXTENSIONS)
            if offered and os.path.isfile(f"{self._root}/{name}"):
                yield name


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
