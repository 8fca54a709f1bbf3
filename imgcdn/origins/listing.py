"""
A few pictures beneath a folder, for the welcome page and the command line.

The folder may have millions of files, so both the entries that are looked at and the time are bounded.
"""

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, zip_longest

from imgcdn.core.output.formats import FORMATS
from imgcdn.core.request.url import has_control_characters, has_surrogates, is_absolute

#: Most entries that are looked at in one folder, folders that are looked at, and seconds for all of it.
_MOST_ENTRIES = 2_000
_MOST_FOLDERS = 1_000
_MAX_WALK_S = 0.25

_EXTENSIONS = (".jpeg", *(f".{fmt.extension}" for fmt in FORMATS.values()))

#: Marks a folder as a cache (Cache Directory Tagging Specification). Our own may lie within the root.
_CACHE_TAG = "CACHEDIR.TAG"


@dataclass(slots=True)
class _Folder:
    """The names in one folder that may be shown, with their paths beneath the root."""

    pictures: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


def first_pictures(root: str | os.PathLike[str], most: int) -> list[str]:
    """
    Return some pictures beneath a folder, by their paths in it: the folder's own first, then those of its subfolders.

    Each folder has its turn, so pictures of subfolders are among them. A folder that cannot be read counts as empty.

    Args:
        most: How many pictures are returned at most.
    """
    of_folders = list(_walk(os.fspath(root)))
    turns = (path for turn in zip_longest(*of_folders) for path in turn if path is not None)
    chosen = set(islice(turns, most))
    return [path for pictures in of_folders for path in pictures if path in chosen]


def _walk(root: str) -> Iterator[list[str]]:
    """Yield the pictures of each folder, the outermost folders first."""
    waiting, ends = deque([""]), time.monotonic() + _MAX_WALK_S
    accepted = 1
    while waiting and time.monotonic() < ends:
        found = _read(root, waiting.popleft(), ends)
        more = sorted(found.folders)[: _MOST_FOLDERS - accepted]
        waiting.extend(more)
        accepted += len(more)
        if found.pictures:
            yield sorted(found.pictures)


def _read(root: str, path: str, ends: float) -> _Folder:
    found, real_root = _Folder(), os.path.realpath(root)
    try:
        with os.scandir(os.path.join(root, path)) as entries:
            for entry in islice(entries, _MOST_ENTRIES):
                if entry.name == _CACHE_TAG:
                    return _Folder()
                if time.monotonic() > ends:
                    break
                _add(found, entry, f"{path}/{entry.name}" if path else entry.name, real_root)
    except OSError:
        return _Folder()
    return found


def _add(found: _Folder, entry: "os.DirEntry[str]", path: str, root: str) -> None:
    if not _has_url(entry.name):
        return
    if entry.is_dir(follow_symlinks=False):
        found.folders.append(path)
        return
    # What is in a folder with the name http: is read as a URL of another host.
    is_picture = entry.name.lower().endswith(_EXTENSIONS) and entry.is_file() and not is_absolute(path)
    # A link may lead out of the folder, and would then not be served.
    if is_picture and (not entry.is_symlink() or os.path.realpath(entry.path).startswith(root.rstrip("/") + "/")):
        found.pictures.append(path)


def _has_url(name: str) -> bool:
    """
    Tell whether a URL can name a file: not a dot file, and not a name with a backslash or a control character, or one
    that is not UTF-8.
    """
    return not (name.startswith(".") or "\\" in name or has_control_characters(name) or has_surrogates(name))
