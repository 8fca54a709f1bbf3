"""
The sandbox of a render child: it may write beneath one folder only.

A malicious original may take over a codec, which runs as the service's user. Landlock (landlock(7), Linux 5.13 and
later, no privilege needed) removes the rights to write, create, remove or execute files anywhere else, to use TCP, and
to send signals to other processes. It does not restrict UDP and Unix sockets with a path, which `system_calls` does. On
a kernel without Landlock this has no effect; it is one of several protections.
"""

import ctypes
import os
import struct
import sys

# <linux/landlock.h>; the system calls have these numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_WRITE_FILE, _REMOVE_FILE, _MAKE_REG, _TRUNCATE = 1 << 1, 1 << 5, 1 << 8, 1 << 14
_TMP_RIGHTS = _WRITE_FILE | _REMOVE_FILE | _MAKE_REG

# All rights of the first version, except reading files and listing folders. Later versions add rename (2), truncate (3)
# and TCP (4). Version 6 can also keep abstract Unix sockets and signals within the sandbox.
_EXECUTE_WRITE_REMOVE_MAKE = 0b1_1111_1111_0011
_REFER = 1 << 13
_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def confine(writable: str) -> bool:
    """
    Remove the rights from the calling thread and everything that it starts. This cannot be undone.

    Args:
        writable: The folder that stays writable, with its subfolders. If it is empty or missing, none does.

    Returns:
        Whether the kernel has applied it.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    files = _EXECUTE_WRITE_REMOVE_MAKE | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    fields = [files]  # struct landlock_ruleset_attr: later versions have made it longer
    if version >= 4:
        fields.append(_TCP)
    if version >= 6:
        fields.append(_ABSTRACT_SOCKETS_AND_SIGNALS)
    rights = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = libc.syscall(_CREATE_RULESET, rights, ctypes.c_size_t(len(rights)), 0)
    if ruleset < 0:
        return False
    try:
        _allow(libc, ruleset, writable, files & (_TMP_RIGHTS | _TRUNCATE))
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, folder: str, rights: int) -> None:
    try:
        fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, fd), 0)
    finally:
        os.close(fd)
