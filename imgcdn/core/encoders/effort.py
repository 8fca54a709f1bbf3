"""How long an encoder may try, and the speed that it is set to."""

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
    What encoders may spend on one picture. It travels in the job and is in no key.

    Args:
        effort: With FAST the seconds do not count: the client waits.
        s_per_megapixel: Seconds, for a picture of any size.
        total_s: Seconds for a whole picture, so that a large one is ready before its render is given up.
        avif_max_pixels: Output pixels above which aom, whose time and memory grow with the area, is left for SVT-AV1.
    """

    effort: Effort
    s_per_megapixel: float
    total_s: float
    avif_max_pixels: int


def quickest(encoder: str) -> int | None:
    """Return an encoder's quickest speed or method; None for an encoder that has no such choice."""
    costs = _COSTS_S.get(encoder)
    return None if costs is None else costs[0][0]


def speed_within(budget: Budget, encoder: str, pixels: int) -> int | None:
    """
    Return the most thorough speed or method that the budget allows, or else the quickest.

    Returns:
        None for an encoder that has no such choice.

    >>> thorough = Budget(Effort.THOROUGH, s_per_megapixel=6.0, total_s=10 / 3, avif_max_pixels=20_000_000)
    >>> speed_within(thorough, "aom", 400_000), speed_within(thorough, "aom", 20_000_000)
    (5, 9)
    """
    if budget.effort is Effort.FAST or encoder not in _COSTS_S:
        return quickest(encoder)
    megapixels = pixels / 1e6
    allowed_s = min(budget.s_per_megapixel * megapixels, budget.total_s)
    slowest_first = reversed(_COSTS_S[encoder])
    return next((speed for speed, cost_s in slowest_first if cost_s * megapixels <= allowed_s), quickest(encoder))
