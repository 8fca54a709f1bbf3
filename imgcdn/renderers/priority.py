"""
How the kernel schedules this process: never as real time, and renders with less weight than answers.

SVT-AV1 puts its threads and the thread that calls it on SCHED_FIFO 99 wherever it holds CAP_SYS_NICE, which root does.
Two such encoders took nearly the whole machine from the processes that answer. The encoder has no switch for it, so
the capability goes.
"""

import ctypes
import errno
import os
import sys

# <linux/capability.h> and <linux/prctl.h>
_CAP_SYS_NICE = 23
_CAPABILITY_VERSION_3 = 0x20080522
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24

_MASK = 1 << _CAP_SYS_NICE  # below 32, so it stands in the first of the two words


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def drop_realtime_capability() -> None:
    """
    Give up CAP_SYS_NICE for the calling thread and all that it starts, programs included.

    Capabilities belong to threads: call this before the first thread and the first encode. Harmless without the
    capability; does nothing off Linux.

    Raises:
        OSError: The kernel kept it.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    _drop_from_bounding_set(libc)
    words = _read(libc)
    if not _held(words):
        return
    words[0].effective &= ~_MASK
    words[0].permitted &= ~_MASK
    words[0].inheritable &= ~_MASK
    _call(libc.capset, ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), words)
    # A sandbox may answer "done" and do nothing, and the price of believing it is the whole machine.
    if _held(_read(libc)):
        raise OSError(errno.EPERM, "CAP_SYS_NICE is still there after capset")


#: A third of an ordinary process's weight (sched_prio_to_weight in the kernel's kernel/sched/core.c).
BACKGROUND_NICE = 5


def use_background_priority() -> None:
    """
    Let the calling process, and all that it starts, stand back for others without standing still.

    Not SCHED_IDLE, which hits like best: beside two busy processes of anybody else's on two processors, a render of 100
    pixels then passed its deadline of ten seconds.
    """
    os.nice(BACKGROUND_NICE)


def _drop_from_bounding_set(libc: ctypes.CDLL) -> None:
    """Without this, a program that root starts would get the capability back (capabilities(7))."""
    if libc.prctl(_PR_CAPBSET_READ, _CAP_SYS_NICE, 0, 0, 0) != 1:
        return
    try:
        _call(libc.prctl, _PR_CAPBSET_DROP, _CAP_SYS_NICE, 0, 0, 0)
    except PermissionError:
        # Only CAP_SETPCAP may drop. Without it a program that root starts has to call this itself; others gain nothing.
        return


def _read(libc: ctypes.CDLL) -> ctypes.Array[_Sets]:
    words = (_Sets * 2)()
    _call(libc.capget, ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), words)
    return words


def _held(words: ctypes.Array[_Sets]) -> bool:
    return bool((words[0].effective | words[0].permitted | words[0].inheritable) & _MASK)


def _call(function: "ctypes._NamedFuncPointer", *arguments: object) -> None:
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), function.__name__)
