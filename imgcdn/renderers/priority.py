"""
The scheduling of this process: never real-time, and renders with a lower priority than responses.

SVT-AV1 sets its own threads and its caller's to SCHED_FIFO 99 if it has CAP_SYS_NICE, as root does. Two such encoders
took nearly all CPU time from the processes that serve requests. The encoder has no option against that, so the
capability is dropped.
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

_MASK = 1 << _CAP_SYS_NICE  # below 32, so it is in the first of the two words


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def drop_realtime_capability() -> None:
    """
    Drop CAP_SYS_NICE for the calling thread and everything that it starts, including programs.

    Capabilities belong to threads, so call this before the first thread is started and before the first encode. It has
    no effect without the capability, and on systems other than Linux.

    Raises:
        OSError: The capability is still there.
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
    # Some sandboxes report success and do nothing. An encoder could then take all CPU time.
    if _held(_read(libc)):
        raise OSError(errno.EPERM, "CAP_SYS_NICE is still there after capset")


#: A third of an ordinary process's weight (sched_prio_to_weight in the kernel's kernel/sched/core.c).
BACKGROUND_NICE = 5


def use_background_priority() -> None:
    """
    Lower the priority of the calling process and everything that it starts.

    SCHED_IDLE would be best for hits, but beside two other busy processes on two processors a render of 100 pixels then
    passed its deadline of ten seconds.
    """
    os.nice(BACKGROUND_NICE)


def _drop_from_bounding_set(libc: ctypes.CDLL) -> None:
    """Drop it there too. Otherwise a program that root starts would get it back (capabilities(7))."""
    if libc.prctl(_PR_CAPBSET_READ, _CAP_SYS_NICE, 0, 0, 0) != 1:
        return
    try:
        _call(libc.prctl, _PR_CAPBSET_DROP, _CAP_SYS_NICE, 0, 0, 0)
    except PermissionError:
        # This needs CAP_SETPCAP. Without that, a program that root starts has to drop the capability itself.
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
