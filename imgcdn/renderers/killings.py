"""
Jobs whose child somebody else killed, most often the kernel when memory was short.

Such a job is not at fault, so it is tried again. But a job that needs all the memory would kill one child after
another. If its child is killed twice within a minute, the job is refused for a minute.
"""

import time
from collections.abc import Callable, Hashable

from imgcdn.errors import Overloaded
from imgcdn.renderers.jobs import Job, RenderJob

_MINUTE_S = 60.0

#: Largest number of jobs to remember. Above it, the one noted longest ago is forgotten.
_MOST_JOBS = 1_024


class Killings:
    """
    The killed jobs of the last minute.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._killed_at: dict[Hashable, float] = {}
        self._refused_until: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return max(len(self._killed_at), len(self._refused_until))

    def note(self, job: Job) -> None:
        """Note that the child of a job was killed."""
        now, name = self._clock(), _name(job)
        if now - self._killed_at.pop(name, -_MINUTE_S) < _MINUTE_S:
            _put(self._refused_until, name, now + _MINUTE_S)
        else:
            _put(self._killed_at, name, now)

    def refusal(self, job: Job) -> Overloaded | None:
        """Return the error for a job that is refused now; None for all others."""
        name = _name(job)
        left_s = self._refused_until.get(name, 0.0) - self._clock()
        if left_s > 0:
            detail = "Rendering this picture was stopped twice, perhaps because memory is short. Try again later."
            return Overloaded(detail, after_s=max(1, round(left_s)))
        self._refused_until.pop(name, None)
        return None


def _name(job: Job) -> Hashable:
    """Return what tells a job apart from others: the original, and the plan of a render."""
    return job.path, job.stamp, job.plan if isinstance(job, RenderJob) else None


def _put(table: dict[Hashable, float], name: Hashable, value: float) -> None:
    while len(table) >= _MOST_JOBS:
        del table[next(iter(table))]
    table[name] = value
