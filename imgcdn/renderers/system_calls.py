"""
A filter of system calls: what a render child does not need, the kernel refuses.

Landlock restricts files. It does not restrict who connects to a Unix socket with a path: a codec that was taken over
could connect to the broker like an HTTP worker, or to the fork server of `multiprocessing`, which runs what it is sent.
Nor does it restrict what a user may do to other processes of the same user (limits, priorities, affinity), modes, times
and attributes of files, locks, new processes that outlive a killed child, and memory that belongs to nobody.

The filter (seccomp(2), Linux 3.5 and later, no privilege needed) is known for x86-64 and 64-bit ARM; elsewhere this has
no effect. It names what is refused and not what is allowed. Which calls an allocator or a thread library makes differs
between systems, and a list of allowed calls that lacks one would break renders there. Calls that are newer than the
list count as unknown to the kernel, which every library is prepared for.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable

# <linux/audit.h>
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

#: On x86-64, numbers from here on are the same calls again (the x32 ABI).
_SECOND_NUMBERS = 0x40000000

#: The last call of Linux 6.17, file_setattr. The numbers from 424 on are the same everywhere.
_LAST = 469

# Calls by their numbers on x86-64 and on 64-bit ARM, which lacks some. <asm/unistd.h>
_REFUSED: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "sockets": ((41, 42, 43, 49, 50, 53, 288), (198, 199, 200, 201, 202, 203, 242)),
    "io_uring, which can do what is refused here": ((425, 426, 427), (425, 426, 427)),
    "programs": ((59, 322, 319, 447), (221, 281, 279, 447)),  # execve, execveat, memfd_create, memfd_secret
    "processes": ((57, 58, 109, 112), (154, 157)),  # fork, vfork, setpgid, setsid
    "signals": ((200, 129, 297, 424, 434, 438), (130, 138, 240, 424, 434, 438)),  # all but kill and tgkill
    "memory of others": ((101, 310, 311, 312, 440, 448, 323), (117, 270, 271, 272, 440, 448, 282)),
    "priorities": ((141, 142, 144, 251, 314), (140, 118, 119, 30, 274)),
    "modes and owners": ((90, 91, 268, 452, 92, 93, 94, 260), (52, 53, 452, 54, 55)),
    "times of files": ((132, 235, 261, 280), (88,)),
    "attributes of files": ((188, 189, 190, 197, 198, 199, 463, 466, 469), (5, 6, 7, 14, 15, 16, 463, 466, 469)),
    "locks and lengths of open files": ((73, 77), (32, 46)),  # flock, ftruncate
    "memory that stays": ((29, 30, 31, 67, 64, 65, 66, 220, 68, 69, 70, 71), tuple(range(186, 198))),  # System V
    "queues that stay": (tuple(range(240, 246)), tuple(range(180, 186))),
    "keys": ((248, 249, 250), (217, 218, 219)),
    "namespaces and mounts": (
        (272, 308, 165, 166, 155, 161, *range(428, 434), 442),
        (97, 268, 40, 39, 41, 51, *range(428, 434), 442),
    ),
    "users": ((105, 106, 113, 114, 116, 117, 119, 122, 123), (143, 144, 145, 146, 147, 149, 151, 152, 159)),
    "the kernel": (
        (321, 298, 135, 154, 169, 246, 320, 175, 313, 176, 167, 168, 103, 300, 303, 304, 163, 179, 443),
        (280, 241, 92, 142, 104, 294, 105, 273, 106, 224, 225, 116, 262, 264, 265, 89, 60, 443),
    ),
    "clocks and names of the machine": ((159, 164, 170, 171, 172, 173, 227, 305), (112, 161, 162, 170, 171, 266)),
}

# Calls whose arguments decide: prlimit64 and sched_setaffinity; kill and tgkill; fcntl; clone; clone3.
_LIMITS = ((302, 203), (261, 122))
_KILL = ((62, 234), (129, 131))
_FCNTL = ((72,), (25,))
_CLONE = ((56,), (220,))
_CLONE3 = 435

#: Commands of fcntl that lock a file, and those that make the kernel send signals.
_LOCKS_AND_SIGNALS = (6, 7, 37, 38, 8, 10, 15, 1024, 1026)
_CLONE_THREAD = 0x00010000

# <linux/filter.h>, <linux/seccomp.h>, <linux/prctl.h>
_LOAD, _RETURN, _JUMP = 0x20, 0x06, 0x05
_JUMP_IF_EQUAL, _JUMP_IF_ABOVE, _JUMP_IF_NOT_BELOW, _JUMP_IF_SET = 0x15, 0x25, 0x35, 0x45
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):  # struct sock_fprog
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def restrict_system_calls() -> bool:
    """
    Let the calling thread, and every thread that it starts, make only the calls of a render. This cannot be undone.

    Returns:
        Whether the kernel has applied it.
    """
    is_native = sys.platform == "linux" and sys.maxsize > 2**32
    if not is_native or platform.machine() not in _ARCHITECTURES:
        return False
    steps = _filter(platform.machine(), os.getpid())
    program = _Program(len(steps), b"".join(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(machine: str, pid: int) -> list[bytes]:
    """
    Return the steps of the filter.

    Args:
        machine: A key of `_ARCHITECTURES`.
        pid: The process that it is for. It may limit itself and send itself signals.
    """
    place = list(_ARCHITECTURES).index(machine)
    return [
        _step(_LOAD, operand=_ARCHITECTURE_AT),
        _step(_JUMP_IF_EQUAL, then=1, operand=_ARCHITECTURES[machine]),
        _step(_RETURN, operand=_REFUSE),
        _step(_LOAD, operand=_NUMBER_AT),
        _step(_JUMP_IF_NOT_BELOW, otherwise=1, operand=_SECOND_NUMBERS),
        _step(_RETURN, operand=_REFUSE),
        _step(_JUMP_IF_ABOVE, otherwise=1, operand=_LAST),
        _step(_RETURN, operand=_UNKNOWN),
        *_of_calls([_CLONE3], [_step(_RETURN, operand=_UNKNOWN)]),  # then libraries use clone
        *_of_calls(_CLONE[place], _allowed_if(_JUMP_IF_SET, 0, [_CLONE_THREAD])),
        *_of_calls(_LIMITS[place], _allowed_if(_JUMP_IF_EQUAL, 0, [0, pid])),
        *_of_calls(_KILL[place], _allowed_if(_JUMP_IF_EQUAL, 0, [pid])),
        *_of_calls(_FCNTL[place], _allowed_if(_JUMP_IF_EQUAL, 1, _LOCKS_AND_SIGNALS, but=True)),
        *(step for calls in _REFUSED.values() for step in _of_calls(calls[place], [_step(_RETURN, operand=_REFUSE)])),
        _step(_RETURN, operand=_ALLOW),
    ]


def _of_calls(numbers: Iterable[int], block: list[bytes]) -> list[bytes]:
    """Return the steps that run a block for certain calls. The block ends with a return."""
    numbers = list(numbers)
    tests = [_step(_JUMP_IF_EQUAL, then=len(numbers) - index, operand=each) for index, each in enumerate(numbers)]
    return [*tests, _step(_JUMP, operand=len(block)), *block]


def _allowed_if(test: int, argument: int, values: Iterable[int], *, but: bool = False) -> list[bytes]:
    """
    Return the steps that allow a call by one of its arguments.

    Args:
        test: How the argument is compared with the values.
        argument: Its index. The kernel reads the lower half of it.
        values: One of them has to match.
        but: The call is refused if one matches, and allowed otherwise.
    """
    values = list(values)
    tests = [_step(test, then=len(values) - index, operand=each) for index, each in enumerate(values)]
    ends = [_step(_RETURN, operand=_ALLOW if but else _REFUSE), _step(_RETURN, operand=_REFUSE if but else _ALLOW)]
    return [_step(_LOAD, operand=_ARGUMENTS_AT + 8 * argument), *tests, *ends]


def _step(operation: int, *, then: int = 0, otherwise: int = 0, operand: int) -> bytes:
    """Return one step (struct sock_filter): operation, steps to skip if true, if false, operand."""
    return struct.pack("=HBBI", operation, then, otherwise, operand)
