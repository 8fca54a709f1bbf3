"""One quality scale for all lossy encoders."""

from bisect import bisect_left
from collections.abc import Sequence

from imgcdn.core.values import Effort

#: The values of q at which the curves are fitted. Between them, values are interpolated linearly.
FITTED_Q = (1, 20, 30, 40, 50, 60, 68, 75, 80, 85, 90, 95, 100)

# The encoder's quality at which photographs reach the SSIMULACRA2 of libjpeg-turbo with its standard tables, 4:2:0 and
# the same q (docs/quality.md). bench/fit/curves.py fits these numbers.
_CURVES = {
    "jpeg": FITTED_Q,
    "webp": (1, 14, 29, 44.5, 56, 65.2, 73.4, 79.9, 83.6, 87.2, 91.6, 97.4, 100),
    "svt": (1, 16.7, 31.1, 38.3, 43.2, 46.5, 50, 55.9, 61.2, 67.8, 79.3, 91.3, 100),
    "aom": (1, 22.9, 34.6, 39.9, 44.1, 47.2, 50.5, 55.2, 61.6, 68.9, 76.2, 86.2, 100),
}


# At low qualities a slower aom looks better.
_THOROUGH_CURVES = {
    **_CURVES,
    "aom": (1, 19.3, 31.1, 37.5, 42.4, 46, 49.7, 54.1, 58.9, 65.7, 75.3, 85.7, 100),
}


def encoder_quality(encoder: str, q: int, effort: Effort = Effort.FAST) -> int | None:
    """
    Translate the service's q into an encoder's own quality.

    Args:
        encoder: jpeg, webp, svt or aom; any other one is lossless.
        q: 1 to 100, where equal numbers look equal in every format.
        effort: The effort of the render.

    Returns:
        The encoder's quality, 1 to 100; None for a lossless encoder.

    >>> encoder_quality("jpeg", 75), encoder_quality("webp", 75), encoder_quality("png", 75)
    (75, 80, None)
    """
    curve = (_CURVES if effort is Effort.FAST else _THOROUGH_CURVES).get(encoder)
    return None if curve is None else int(on_curve(curve, q) + 0.5)


def on_curve(curve: Sequence[float], q: int) -> float:
    """Return the value at q of a curve whose points are at `FITTED_Q`."""
    right = max(1, bisect_left(FITTED_Q, q))
    (q0, q1), (e0, e1) = FITTED_Q[right - 1 : right + 1], curve[right - 1 : right + 1]
    return e0 + (e1 - e0) * (q - q0) / (q1 - q0)
