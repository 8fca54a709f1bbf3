"""How long an encoder may try, and how that sets it."""

from dataclasses import dataclass

from imgcdn.core.values import Effort

# An encoder's own measure of effort -> seconds for a megapixel on one CPU, the quickest first (docs/quality.md).
# Of aom the speed, at 4:4:4, of SVT-AV1 the preset, of WebP the method.
_COSTS_S: dict[str, tuple[tuple[int, float], ...]] = {
    "aom": ((9, 0.12), (8, 0.4), (7, 0.7), (6, 1.3), (5, 6.0)),
    "svt": ((8, 0.1),),
    "webp": ((2, 0.06), (4, 0.13), (6, 0.35)),
}


@dataclass(frozen=True, slots=True)
class Budget:
    """
    What an encoder may take.

    Args:
        effort: With FAST the rest does not count: the client waits.
        s_per_megapixel: Seconds, for a picture of any size.
        total_s: Seconds for a whole picture, so that a large one is ready before its render is given up.
    """

    effort: Effort = Effort.FAST
    s_per_megapixel: float = 6.0
    total_s: float = 10 / 3


#: No more than has to be.
FAST = Budget()


def speed_within(budget: Budget, encoder: str, pixels: int) -> int | None:
    """
    Return the most thorough speed or method that the budget has room for, or else the quickest.

    Returns:
        None for an encoder that has no such choice.

    >>> speed_within(Budget(Effort.THOROUGH), "aom", 400_000)
    5
    >>> speed_within(Budget(Effort.THOROUGH), "aom", 20_000_000)
    9
    """
    costs = _COSTS_S.get(encoder)
    if costs is None:
        return None
    speeds = [speed for speed, _ in costs]
    if budget.effort is Effort.FAST:
        return speeds[0]
    megapixels = pixels / 1e6
    room_s = min(budget.s_per_megapixel * megapixels, budget.total_s)
    return next((speed for speed, cost_s in reversed(costs) if cost_s * megapixels <= room_s), speeds[0])
