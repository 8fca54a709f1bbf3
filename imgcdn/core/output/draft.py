"""How much smaller than it is stored a JPEG is decoded. Its decoder can leave out detail at no cost."""

from imgcdn.core.output.geometry import UPRIGHT, Size, compose, turned_size
from imgcdn.core.output.plan import Plan

#: What the decoder offers: the edges of the stored picture are divided by one of these.
_FACTORS = (8, 4, 2)

# A draft has false rings on fine patterns if it is hardly larger than the output (docs/quality.md). At twice the
# output's edges they are those of libvips; at three times there are none. Where three times costs more than about 10
# ms, twice must do.
_MARGIN, _LEAST_MARGIN = 3, 2
_CHEAP_PIXELS = 2_000_000

# An output's edge that was rounded up, as 667 for 666.75, must not double the edges of the draft.
_ROUNDING = 1.01


def draft_factor(stored: Size, plan: Plan, orientation: int = UPRIGHT) -> int:
    """
    Return by how much the edges of a JPEG are divided when it is decoded for a plan: 1, 2, 4 or 8.

    Args:
        stored: Its size as stored.
        plan: What is made of it. Its crop is in the coordinates of the upright and turned picture.
        orientation: Its EXIF orientation.

    >>> photograph = Plan(size=(800, 600), format="jpeg", q=75)
    >>> [draft_factor((edge, edge * 3 // 4), photograph) for edge in (1500, 2600, 3200, 8000)]
    [1, 1, 2, 4]
    """
    if plan.trim is not None:  # the border is measured on the source's own pixels
        return 1
    left, top, right, bottom = plan.crop or (0, 0, *turned_size(stored, compose(orientation, plan.turn)))
    width, height = plan.resampled
    reduction = _ROUNDING * min((right - left) / width, (bottom - top) / height)
    return next((factor for factor in _FACTORS if factor * _margin(stored, factor) <= reduction), 1)


def _margin(stored: Size, factor: int) -> int:
    """Return how much longer than the output's edges those of this draft must be. A finer draft may be too costly."""
    finer = factor / 2
    return _MARGIN if stored[0] * stored[1] <= _CHEAP_PIXELS * finer**2 else _LEAST_MARGIN
