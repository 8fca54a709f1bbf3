"""
Budgets of new variants: how many a client, or the requests for a source, may have rendered in a minute.

Each is a token bucket that holds one minute's allowance. Only renders are charged: hits cost nothing, and of the
requests that share a render, the one that began it pays. What any job took beyond its estimate is charged when it ends.
"""

import math
import time
from collections.abc import Callable, Iterable

from imgcdn.errors import OverBudget
from imgcdn.renderers.jobs import Claim
from imgcdn.renderers.settings import Allowance

#: Largest number of buckets to remember. Above it, the one charged longest ago is forgotten.
_MOST_BUCKETS = 20_000

_MINUTE_S = 60.0

#: A render may begin while this much of the seconds is left. If it costs more, the bucket goes into debt.
_SOME_SECONDS = 0.001


class Budgets:
    """
    The budgets of all clients and sources.

    Args:
        allowances: The allowances of the setting `budget`; empty for no limit.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, allowances: Iterable[Allowance], clock: Callable[[], float] = time.monotonic) -> None:
        self._allowances = tuple(allowances)
        self._clock = clock
        #: (allowance, name) -> what is left, and when that was so
        self._left: dict[tuple[Allowance, str], tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._left)

    def refusal(self, claim: Claim) -> OverBudget | None:
        """Return the error for a render whose client or source has nothing left; None for all others."""
        waits = [(self._wait_s(allowance, name), allowance) for allowance, name, _ in self._charges(claim)]
        used_up = [allowance for wait_s, allowance in waits if wait_s > 0]
        if not used_up:
            return None
        detail = "Too many new images were asked for in a short time. Images that were made before are still sent."
        log = f"used up for this minute: {', '.join(f'{each.name} = {each.amount:g}' for each in used_up)}"
        return OverBudget(detail, log=log, after_s=math.ceil(max(wait_s for wait_s, _ in waits)))

    def charge(self, claim: Claim) -> OverBudget | None:
        """Charge a render to its client and its source. If one of them has nothing left, return the error."""
        refused = self.refusal(claim)
        if refused is None:
            for allowance, name, amount in self._charges(claim):
                self._take(allowance, name, amount)
        return refused

    def refund(self, claim: Claim) -> None:
        """Give back what was charged for a render that was not done."""
        for allowance, name, amount in self._charges(claim):
            self._take(allowance, name, -amount)

    def charge_afterwards(self, claim: Claim, spent_ms: float, *, was_ended: bool) -> None:
        """
        Charge a job for the time that it has really taken.

        Args:
            spent_ms: What it took, in milliseconds; 0 if it was not begun.
            was_ended: Whether it was ended before it was done. Then what was charged before is given back (`refund`),
                so all that it took is charged, and one variant. Otherwise only the time above its estimate is charged.
        """
        more_ms = spent_ms if was_ended else spent_ms - claim.cost_ms
        if more_ms > 0:
            for allowance, name, _ in self._charges(claim):
                self._take(allowance, name, more_ms / 1000 if allowance.counts_seconds else float(was_ended))

    def _charges(self, claim: Claim) -> list[tuple[Allowance, str, float]]:
        """Return the buckets that a render is charged to, and the amounts. Background work is charged to none."""
        if claim.is_background:
            return []
        return [
            (each, name, claim.cost_ms / 1000 if each.counts_seconds else 1.0)
            for each in self._allowances
            if (name := claim.source if each.is_for_source else claim.client)
        ]

    def _wait_s(self, allowance: Allowance, name: str) -> float:
        """Return the seconds until a bucket has enough for a render: a whole variant, or any part of a second."""
        missing = (_SOME_SECONDS if allowance.counts_seconds else 1.0) - self._now_left(allowance, name)
        return max(1.0, missing * _MINUTE_S / allowance.amount) if missing > 0 else 0.0

    def _now_left(self, allowance: Allowance, name: str) -> float:
        left, at = self._left.get((allowance, name), (allowance.amount, 0.0))
        return min(allowance.amount, left + (self._clock() - at) * allowance.amount / _MINUTE_S)

    def _take(self, allowance: Allowance, name: str, amount: float) -> None:
        left = self._now_left(allowance, name) - amount
        self._left.pop((allowance, name), None)
        if left < allowance.amount:  # a full bucket need not be remembered
            while len(self._left) >= _MOST_BUCKETS:
                del self._left[next(iter(self._left))]
            self._left[allowance, name] = left, self._clock()
