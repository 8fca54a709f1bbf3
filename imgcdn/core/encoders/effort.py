"""How much time an encoder may take, and the speed it is set to."""

from dataclasses import dataclass

from imgcdn.core.values import Effort

# (speed, seconds for a megapixel on one CPU), the quickest first (docs/quality.md). For aom this is the speed (at
# 4:4:4), for SVT-AV1 the preset, for WebP the method.
_COSTS_S: dict[str, tuple[tuple[int, float], ...]] = {
    "aom": ((9, 0.12), (8, 0.4), (7, 0.7), (6, 1.3), (5, 6.0)),
    "svt": ((8, 0.1),),
    "webp": ((2, 0.06), (4, 0.13), (6, 0.35)),
}


@dataclass(frozen=True, slots=True)
class Budget:
    """
    The limits for encoding one picture. They are part of the job and of no key.

    Args:
        effort: FAST uses the quickest speed and ignores the seconds.
        s_per_megapixel: Seconds that THOROUGH may spend on a megapixel.
        total_s: Seconds that THOROUGH may spend on a picture, so that a large one is ready before the render's
            deadline.
        avif_max_pixels: Larger outputs are encoded by SVT-AV1, because the time and memory of aom grow with the area.
    """

    effort: Effort
    s_per_megapixel: float
    total_s: float
    avif_max_pixels: int


def quickest(encoder: str) -> int | None:
    """Return the quickest speed, preset or method of an encoder; None if the encoder has none."""
    costs = _COSTS_S.get(encoder)
    return None if costs is None else costs[0][0]


def speed_within(budget: Budget, encoder: str, pixels: int) -> int | None:
    """
    Return the slowest speed, preset or method within the budget; the quickest if none is.

    Returns:
        None if the encoder has no such setting.

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


def cost_s(encoder: str, speed: int | None) -> float:
    """Return the seconds for a megapixel at a speed, on one CPU of a machine of 2026."""
    return next(cost for known, cost in _COSTS_S[encoder] if speed is None or known == speed)
