"""The subfolders of the cache folder, and the tag that marks it as ours."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from imgcdn.errors import ConfigError

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
        for name in ("tmp", "trash"):
            (folder / name).mkdir(exist_ok=True)
        if not (folder / "current").is_dir():
            _point_current(folder)


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
    tree = f"tree-{secrets.token_hex(4)}"
    (folder / tree).mkdir()
    link = folder / "tmp" / tree
    link.symlink_to(tree)
    link.rename(folder / "current")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock while the folders are created. It is not the lock of a sweep, which is held for longer."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
