"""The subfolders of the cache folder, the tag that marks it as ours, and the names of files that are not finished."""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from imgcdn.errors import ConfigError

#: Subfolders: files that are being written, folders that were purged, and the link to the tree of sources.
TEMP_FOLDER, TRASH_FOLDER, CURRENT = "tmp", "trash", "current"

#: The names that `new_temp_name` and `new_tree_name` make. Other files are left alone.
TEMP_NAME = re.compile(r"[0-9]+-[0-9a-f]{16}|tree-[0-9a-f]{8}")
TREE_NAME = re.compile(r"tree-[0-9a-f]{8}")

# The first line is from the Cache Directory Tagging Specification. Backup tools skip folders with this file.
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# This folder is an imgcdn cache; it may be deleted.\n"


def lay_out(folder: Path) -> None:
    """
    Create the cache folder and its subfolders, where they are missing.

    Raises:
        ConfigError: It contains other files.
        OSError: It cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _check_tag(folder)
        for name in (TEMP_FOLDER, TRASH_FOLDER):
            (folder / name).mkdir(exist_ok=True)
        if not (folder / CURRENT).is_dir():
            _point_current(folder)


def new_temp_name() -> str:
    """Return a new name for a file that is being written. It has the process id, for people."""
    return f"{os.getpid()}-{secrets.token_hex(8)}"


def new_tree_name() -> str:
    """Return a new name for a tree of sources, and for the link to it while it is made."""
    return f"tree-{secrets.token_hex(4)}"


def _check_tag(folder: Path) -> None:
    tag, unfinished = folder / "CACHEDIR.TAG", folder / "CACHEDIR.TAG.new"
    if tag.is_file():
        if tag.read_bytes() != _TAG:
            raise ConfigError(f"cache_dir: {folder} is the cache of another program; name another folder")
    elif any(path != unfinished for path in folder.iterdir()):
        raise ConfigError(f"cache_dir: {folder} holds files that are not imgcdn's; name an empty folder")
    else:
        unfinished.write_bytes(_TAG)
        unfinished.rename(tag)


def _point_current(folder: Path) -> None:
    tree = new_tree_name()
    (folder / tree).mkdir()
    link = folder / TEMP_FOLDER / tree
    link.symlink_to(tree)
    link.rename(folder / CURRENT)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock while the folders are created. It is not the lock of a sweep, which is held for longer."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
