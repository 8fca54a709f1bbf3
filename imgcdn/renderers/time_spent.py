"""What a job has really taken, whatever its estimate says."""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: A job is charged at least this part of the time for which it had its child: a child that waits keeps others waiting,
#: too. It is a quarter, because beside other work of the machine, a job may well take four times its CPU time.
_LEAST_PART = 0.25


@dataclass(slots=True)
class TimeSpent:
    """
    The time that a job has taken in a child.

    Args:
        ms: Milliseconds: CPU time, or a quarter of the wall-clock time if that is more. Where the system does not tell
            the CPU time of other processes, wall-clock time.
    """

    ms: float = 0.0

    @contextmanager
    def measured(self, pid: int | None) -> Iterator[None]:
        """
        Add what a process takes within the context, which must end before the process is killed.

        The process is measured from outside, because a child that was taken over would report what it likes.
        """
        loop = asyncio.get_running_loop()
        began, cpu_before = loop.time(), _cpu_s(pid)
        try:
            yield
        finally:
            spent_s, cpu_after = loop.time() - began, _cpu_s(pid)
            if cpu_before is not None and cpu_after is not None:
                spent_s = max(cpu_after - cpu_before, _LEAST_PART * spent_s)
            self.ms += 1000 * spent_s


def _cpu_s(pid: int | None) -> float | None:
    """Return the CPU seconds that a process has used; None if it has ended, or if the system does not tell."""
    if pid is None or sys.platform != "linux":
        return None
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the clock's number, as clock_getcpuclockid(3) makes it
    except OSError:
        return None
