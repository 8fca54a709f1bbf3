"""
Sources whose jobs took many times their estimate.

An estimate follows from the size and the format of an original, but some originals take far longer: a JPEG of a
million pixels may have thousands of scans. So what a job of a source really took is remembered for a while, and the
next jobs of that source are estimated at that.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from imgcdn.renderers.jobs import Claim

#: An overrun is this many times the estimate, because estimates are right by a factor of two, and so are machines.
_MANY_TIMES = 4.0

#: And at least so much. Below it, a new child, a cold file or a busy machine may be the cause.
_LEAST_MS = 150.0

_REMEMBERED_S = 600.0

#: A job that was ended in the child for short jobs may only have had little CPU time. So it is remembered until it has
#: been done by another child, which takes the deadline of a render and the wait before.
_UNTIL_DONE_S = 30.0

#: Sources that are remembered at most.
_MOST_SOURCES = 1_024


class Overruns:
    """
    The overruns of the last ten minutes.

    Args:
        clock: Seconds of a clock that only goes forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: source -> what a job took at most, in milliseconds, and until when that is remembered
        self._taken: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._taken)

    def note(self, claim: Claim, spent_ms: float) -> bool:
        """Note what a job took. Return whether that was many times its estimate."""
        if spent_ms < max(_LEAST_MS, _MANY_TIMES * claim.cost_ms):
            return False
        self._remember(claim.source, spent_ms, _REMEMBERED_S)
        return True

    def note_late(self, claim: Claim, least_ms: float) -> None:
        """Note that a job was ended in the child for short jobs, and will take at least so much."""
        self._remember(claim.source, least_ms, _UNTIL_DONE_S)

    def _remember(self, source: str, spent_ms: float, for_s: float) -> None:
        if not source:
            return
        known_ms, until = self._taken.pop(source, (0.0, 0.0))
        if self._clock() < until:
            spent_ms = max(spent_ms, known_ms)
        while len(self._taken) >= _MOST_SOURCES:
            del self._taken[next(iter(self._taken))]
        self._taken[source] = spent_ms, max(until, self._clock() + for_s)

    def corrected(self, claim: Claim) -> Claim:
        """Return a claim with what earlier jobs of its source took, if that is known to be more than it says."""
        taken_ms = self._taken_ms(claim.source)
        return replace(claim, cost_ms=taken_ms) if taken_ms > claim.cost_ms else claim

    def _taken_ms(self, source: str) -> float:
        taken_ms, until = self._taken.get(source, (0.0, 0.0))
        return taken_ms if self._clock() < until else 0.0
