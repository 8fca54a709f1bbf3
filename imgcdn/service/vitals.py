"""Recent failures of our own parts, for `/-/readyz`."""

import time
from collections.abc import Callable
from typing import NamedTuple

#: One original may crash a child, again and again. The failures of so many in a row are likely to have a cause of ours.
_IN_A_ROW = 3

#: Seconds after which a failure no longer counts. Without a request, nothing else would end it.
_RECENT_S = 600.0


class _Failures(NamedTuple):
    in_a_row: int
    reason: str
    at: float
    sources: frozenset[str]


class Vitals:
    """
    The latest failures of one process. Threads may share it.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, _Failures] = {}

    def note_success(self, part: str) -> None:
        """Forget the failures of a part."""
        self._failures.pop(part, None)

    def note_failure(self, part: str, reason: str, *, weight: int = 1, source: str = "") -> None:
        """
        Count a failure of a part.

        Args:
            part: What failed, such as `renderers`.
            reason: For the public: it names no path, address or original.
            weight: How many failures it counts as; `SURE` if the cause is certainly ours.
            source: The key of the source whose original may be at fault, and whose failures count as one; empty if none
                can be.
        """
        before = self._failures.get(part, _Failures(0, "", 0.0, frozenset()))
        if source in before.sources:
            weight = 0
        in_a_row, sources = before.in_a_row + weight, before.sources
        if source and before.in_a_row < _IN_A_ROW:  # more of them would change nothing
            sources |= {source}
        self._failures[part] = _Failures(in_a_row, reason, self._clock(), sources)

    def problems(self) -> list[str]:
        """Return what fails now, each as `part: reason`."""
        since = self._clock() - _RECENT_S
        failures = sorted(self._failures.copy().items())
        return [f"{part}: {each.reason}" for part, each in failures if each.in_a_row >= _IN_A_ROW and each.at >= since]


#: The weight of a failure whose cause is certainly ours.
SURE = _IN_A_ROW
