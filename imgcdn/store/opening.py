"""
Opening files so that nobody who can write into a folder can redirect or delay the reader.

Every file is opened without following a link and without waiting, and only a regular file is accepted. A link that took
a file's place would lead to another file. A FIFO that took its place would stop the reader until somebody writes.
"""

import ctypes
import errno
import os
import stat as stat_flags
import struct
import sys

#: How every file is opened. O_NONBLOCK changes nothing for regular files.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

#: How a folder of ours is opened.
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# With O_PATH, no permission to list a folder on the way is needed.
_ON_THE_WAY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)

# openat2(2): Linux 5.6 and later. Its number is the same on every architecture.
_OPENAT2 = 437
_RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x04, 0x08

# EPERM is what sandboxes return that do not know the call, such as Docker before 20.10.
_NO_SUCH_CALL = (errno.ENOSYS, errno.EPERM)


def open_regular(path: str) -> tuple[int, os.stat_result]:
    """
    Open a file for reading. Return its descriptor and the result of its fstat.

    Raises:
        FileNotFoundError: There is no regular file of this name.
        OSError: It is a link, or it cannot be opened.
    """
    return _only_regular(os.open(path, READ))


def is_private(folder: os.stat_result) -> bool:
    """Tell whether only this user can enter a folder, given the result of its lstat."""
    return stat_flags.S_ISDIR(folder.st_mode) and folder.st_uid == os.getuid() and not folder.st_mode & 0o077


def open_beneath(root: str, name: str, *, openat2: bool = True) -> tuple[int, os.stat_result]:
    """
    Open a file beneath a folder for reading. No part of its name may be a link, at the moment of opening.

    A caller that permits links resolves them first and checks where they lead. A link that appears after that is
    refused here. With openat2 the kernel walks the path; without it, this function opens one segment after another.
    Both accept the same names.

    Args:
        root: Path of the folder. Its last part is not a link.
        name: Path from there, with `/` between segments, none of which is empty, `.` or `..`.
        openat2: Whether to use that call where the kernel has it.

    Returns:
        The descriptor, and the result of its fstat.

    Raises:
        FileNotFoundError: There is no regular file of this name.
        OSError: A part of the path is a link, or it cannot be opened.
        ValueError: The name cannot be encoded.
    """
    segments = name.split("/")
    if "\x00" in name or any(each in ("", ".", "..") for each in segments):
        raise FileNotFoundError(errno.ENOENT, "not a plain name")
    folder = os.open(root, _ON_THE_WAY)
    try:
        fd = _open_at_once(folder, name) if openat2 else None
        return _only_regular(_walk(folder, segments) if fd is None else fd)
    finally:
        os.close(folder)


def read_file(path: str, most: int = -1) -> bytes:
    """
    Read a small file.

    Args:
        most: Bytes to read at most; -1 for all.

    Raises:
        OSError: As for `open_regular`, or the disk fails.
    """
    fd, _ = open_regular(path)
    with os.fdopen(fd, "rb") as file:
        return file.read(most)


def _only_regular(fd: int) -> tuple[int, os.stat_result]:
    stat = os.fstat(fd)
    if not stat_flags.S_ISREG(stat.st_mode):
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, "not a regular file")
    return fd, stat


def _open_at_once(folder: int, name: str) -> int | None:
    """Open by openat2. Return None if this system does not have it."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    how = struct.pack("=QQQ", READ, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)
    path = os.fsencode(name)
    while True:
        fd: int = libc.syscall(_OPENAT2, folder, path, how, ctypes.c_size_t(len(how)))
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number in _NO_SUCH_CALL:
            return None
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


def _walk(folder: int, segments: list[str]) -> int:
    """Open segment by segment."""
    inner = os.dup(folder)
    try:
        for segment in segments[:-1]:
            outer, inner = inner, os.open(segment, _ON_THE_WAY, dir_fd=inner)
            os.close(outer)
        return os.open(segments[-1], READ, dir_fd=inner)
    finally:
        os.close(inner)
