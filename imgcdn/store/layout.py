"""The subfolders of the cache folder, the tag that marks it as ours, and the names of files that are not finished."""

import contextlib
import errno
import fcntl
import logging
import os
import re
import secrets
import stat as stat_flags
import tempfile
from collections.abc import Iterator
from pathlib import Path

from imgcdn.errors import ConfigError
from imgcdn.store.files import remove_file, write_file
from imgcdn.store.opening import is_private, read_file

_log = logging.getLogger(__name__)

#: Subfolders: files that are being written, folders that were purged, and the link to the tree of sources.
TEMP_FOLDER, TRASH_FOLDER, CURRENT = "tmp", "trash", "current"

#: The file whose mtime is the time up to which stored variants have been verified again.
VERIFIED = "verified"

#: The names that `new_temp_name`, `new_tree_name` and `mark_name` make. Other files are left alone.
TEMP_NAME = re.compile(r"([0-9]+-[0-9a-f]{16}|purge-(all|[0-9a-f]{64}))(\.[0-9a-f]{16})?|tree-[0-9a-f]{8}")
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
            _make_folder(folder / name)
        if not (folder / CURRENT).is_dir():
            _point_current(folder)


def new_temp_name() -> str:
    """Return a new name for a file that is being written. It has the process id, for people."""
    return f"{os.getpid()}-{secrets.token_hex(8)}"


def new_tree_name() -> str:
    """Return a new name for a tree of sources, and for the link to it while it is made."""
    return f"tree-{secrets.token_hex(4)}"


def mark_name(source_key: str | None) -> str:
    """Return the name of the file in `tmp/` that marks a purge of a source; None for that of all sources."""
    return f"purge-{source_key or 'all'}"


def marks_of(temp_folder: Path, source_key: str) -> tuple[object, ...]:
    """Return what identifies the marks that purges of a source and of all sources have left. Each purge renews one."""
    found: list[object] = []
    for name in (mark_name(source_key), mark_name(None)):
        try:
            stat = os.stat(f"{temp_folder}/{name}")
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_ino, stat.st_mtime_ns))
    return tuple(found)


def replace_tree(folder: Path) -> Path:
    """
    Let `current` lead to a new tree, without sources. Return the path of the old one, which has nothing to do any more.

    Raises:
        OSError: A folder cannot be read or written.
    """
    with _locked(folder):
        old = folder / os.path.basename(os.readlink(folder / CURRENT))
        _point_current(folder)
    return old


def _check_tag(folder: Path) -> None:
    tag, unfinished = folder / "CACHEDIR.TAG", folder / "CACHEDIR.TAG.new"
    try:
        if read_file(str(tag), len(_TAG) + 1) != _TAG:
            raise ConfigError(f"cache_dir: {folder} is the cache of another program; name another folder")
    except FileNotFoundError:
        if any(path != unfinished for path in folder.iterdir()):
            text = f"cache_dir: {folder} holds files that are not imgcdn's; name an empty folder"
            raise ConfigError(text) from None
        remove_file(str(unfinished))
        if failed := write_file(str(unfinished), _TAG):
            raise failed from None
        unfinished.rename(tag)


def _make_folder(path: Path) -> None:
    """Create a subfolder. If something else has its name, that is renamed: it is not ours to remove."""
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    if not stat_flags.S_ISDIR(path.lstat().st_mode):
        aside = path.with_name(f"{path.name}-{secrets.token_hex(4)}")
        path.rename(aside)
        path.mkdir()
        _log.warning("renamed %s, which is not a folder, to %s", path, aside.name)


def _point_current(folder: Path) -> None:
    tree = new_tree_name()
    (folder / tree).mkdir()
    link = folder / TEMP_FOLDER / tree
    link.symlink_to(tree)
    link.rename(folder / CURRENT)


@contextlib.contextmanager
def elected(path: str | Path, flags: int) -> Iterator[bool]:
    """
    Try to become the one process that does some work. Yield whether that succeeded; if so, it lasts until the end of
    the block.

    Args:
        path: The file or folder whose lock elects the process.
        flags: How to open it.

    Raises:
        OSError: It cannot be opened.
    """
    fd = os.open(path, flags)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def spill_folder(*, create: bool) -> Path:
    """
    Return the folder for originals that the cache folder cannot take. Only this user can enter it.

    It is in TMPDIR, or in /tmp.

    Args:
        create: Whether to create it if it is missing.

    Raises:
        OSError: It is missing, it cannot be created, or it belongs to another user.
    """
    folder = Path(tempfile.gettempdir(), f"imgcdn-originals-{os.getuid()}")
    if create:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    if not is_private(folder.lstat()):
        raise PermissionError(
            errno.EPERM, "not a folder that only this user can enter; remove it or set TMPDIR", folder
        )
    return folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock while the folders are created. It is not the lock of a sweep, which is held for longer."""
    # The folder itself may be a link.
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
