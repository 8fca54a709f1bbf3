"""What the queue needs of the rest of the broker."""

from typing import Protocol

from imgcdn.renderers.jobs import Claim, Job, Outcome
from imgcdn.renderers.time_spent import TimeSpent


class Child(Protocol):
    """Does jobs, one at a time. Cancelling one ends it at once."""

    async def perform(self, job: Job, *, anew: bool, spent: TimeSpent) -> Outcome:
        """Do one job; in a new process if `anew` is set. Add the time that it takes to `spent`."""


class Charge(Protocol):
    """Charges the time that a job took in a child (`Budgets.charge_afterwards`)."""

    def __call__(self, claim: Claim, spent_ms: float, *, was_ended: bool) -> None: ...


def charge_nobody(claim: Claim, spent_ms: float, *, was_ended: bool) -> None:
    """Charge nobody, because there are no budgets."""
