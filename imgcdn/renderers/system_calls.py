"""
A filter of system calls: a render child opens no socket.

Landlock does not restrict who connects to a Unix socket with a path. A codec that was taken over could connect to the
broker like an HTTP worker, to the fork server of `multiprocessing`, which runs what it is sent in an unconfined
process, or send UDP. A child needs only the socket that it was given. The filter (seccomp(2), Linux 3.5 and later, no
privilege needed) is known for x86-64 and 64-bit ARM; elsewhere this has no effect.
"""

import ctypes
import errno
import platform
import struct
import sys

# <linux/audit.h>, and the numbers of socket, connect, socketpair and io_uring_setup. io_uring can open sockets, too.
_ARCHITECTURES = {
    "x86_64": (0xC000003E, (41, 42, 53, 425)),
    "aarch64": (0xC00000B7, (198, 203, 199, 425)),
}

#: On x86-64, numbers from here on are the same calls again (the x32 ABI).
_SECOND_NUMBERS = 0x40000000

# <linux/filter.h>, <linux/seccomp.h>, <linux/prctl.h>
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_NOT_BELOW, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):  # struct sock_fprog
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def refuse_sockets() -> bool:
    """
    Let the calling thread, and every thread that it starts, open and connect no socket. This cannot be undone.

    Returns:
        Whether the kernel has applied it.
    """
    is_native = sys.platform == "linux" and sys.maxsize > 2**32
    if not is_native or platform.machine() not in _ARCHITECTURES:
        return False
    architecture, refused = _ARCHITECTURES[platform.machine()]
    steps = _filter(architecture, refused)
    program = _Program(len(steps), b"".join(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(architecture: int, refused: tuple[int, ...]) -> list[bytes]:
    """Return the steps (struct sock_filter: operation, steps to skip if true, if false, operand)."""
    left = len(refused)
    return [
        _step(_LOAD, operand=_ARCHITECTURE_AT),
        _step(_JUMP_IF_EQUAL, otherwise=left + 3, operand=architecture),
        _step(_LOAD, operand=_NUMBER_AT),
        _step(_JUMP_IF_NOT_BELOW, then=left + 1, operand=_SECOND_NUMBERS),
        *(_step(_JUMP_IF_EQUAL, then=left - index, operand=number) for index, number in enumerate(refused)),
        _step(_RETURN, operand=_ALLOW),
        _step(_RETURN, operand=_REFUSE),
    ]


def _step(operation: int, *, then: int = 0, otherwise: int = 0, operand: int) -> bytes:
    return struct.pack("=HBBI", operation, then, otherwise, operand)
