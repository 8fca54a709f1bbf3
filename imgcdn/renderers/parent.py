"""How a process lives and ends with the one that started it."""

import ctypes
import signal
import sys

#: The broker and its children ignore these. A terminal and many service managers signal the whole process group, but
#: HTTP workers need the broker until they have drained.
IGNORED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_with_parent(number: signal.Signals) -> None:
    """Have the kernel send a signal to the calling process when its parent ends. Only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
