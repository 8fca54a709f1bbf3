"""What all renders have in common."""

from dataclasses import dataclass

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.plan import Limits


@dataclass(frozen=True, slots=True)
class RenderPolicy:
    """
    The settings of renders.

    Args:
        limits: The limits of plans.
        budget: The limits of encoders.
        timeout_s: Wall-clock seconds for one render.
    """

    limits: Limits
    budget: Budget
    timeout_s: float
