"""Arithmetic of sizes and boxes, apart from pixels. Edges round half up and are at least 1."""

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

Size = tuple[int, int]  # (width, height)
Box = tuple[float, float, float, float]  # (left, top, right, bottom), in pixels, to two decimals


class Fit(Enum):
    """
    How a picture meets a box that has another ratio.

    The names are those of CSS object-fit; OUTSIDE is sharp's: the whole picture, just large enough to cover the box.
    """

    CONTAIN = "contain"
    COVER = "cover"
    FILL = "fill"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Resize:
    """
    What to take of the source and how large it becomes.

    Args:
        crop: The part that survives, in pixels of the upright source; None for all of it.
        size: The output.
    """

    crop: Box | None
    size: Size


def plan_resize(
    source: Size,
    target: tuple[int | None, int | None],
    *,
    fit: Fit = Fit.CONTAIN,
    position: tuple[int, int] = (50, 50),
    enlarge: bool = False,
) -> Resize:
    """
    Decide the crop and the output size.

    Args:
        source: Size after orientation was applied.
        target: The box asked for, in output pixels; None for an edge that follows from the ratio.
        fit: Matters only when both edges are given.
        position: The part a cover crop keeps: (x, y) in percent, as CSS object-position counts.
        enlarge: Otherwise no pixel is invented, and a cover or fill box larger than the source
            shrinks keeping its own ratio.

    >>> plan_resize((2725, 2225), (300, 200)).size
    (245, 200)
    >>> plan_resize((2725, 2225), (3200, 2133), fit=Fit.COVER).size
    (2725, 1816)
    """
    width, height = target
    if width is None or height is None or fit in (Fit.CONTAIN, Fit.OUTSIDE):
        return Resize(None, _scaled(source, target, covers=fit is Fit.OUTSIDE, enlarge=enlarge))
    box = _limit(source, (width, height), enlarge=enlarge)
    if fit is Fit.FILL:
        return Resize(None, box)
    return Resize(_cover_crop(source, (width, height), position), box)


def fit_within(size: Size, max_edge: int) -> Size:
    """Shrink a size until no edge is longer than `max_edge`, keeping its ratio."""
    return _scaled(size, (max_edge, max_edge), covers=False, enlarge=False)


def round_half_up(value: Fraction) -> int:
    """
    Round to the nearest integer, halves up, but never below 1.

    >>> round_half_up(Fraction(5, 2)), round_half_up(Fraction(1, 9))
    (3, 1)
    """
    return max(1, int(value + Fraction(1, 2)))


def _scaled(source: Size, target: tuple[int | None, int | None], *, covers: bool, enlarge: bool) -> Size:
    """Scale the source to touch the box, from outside if it is to cover it, else from inside."""
    scales = [Fraction(edge, of) for edge, of in zip(target, source, strict=True) if edge is not None]
    scale = (max if covers else min)(scales, default=Fraction(1))
    if not enlarge:
        scale = min(scale, Fraction(1))
    return round_half_up(source[0] * scale), round_half_up(source[1] * scale)


def _limit(source: Size, box: Size, *, enlarge: bool) -> Size:
    """Shrink the box, keeping its ratio, until the source covers it."""
    if enlarge:
        return box
    scale = min(Fraction(1), Fraction(source[0], box[0]), Fraction(source[1], box[1]))
    return round_half_up(box[0] * scale), round_half_up(box[1] * scale)


def _cover_crop(source: Size, box: Size, position: tuple[int, int]) -> Box | None:
    """Return the largest part of the source that has the box's ratio; None when that is all of it."""
    scale = min(Fraction(source[0], box[0]), Fraction(source[1], box[1]))
    # At least a pixel each way: an extreme box would otherwise round to a crop of nothing.
    width, height = max(Fraction(1), box[0] * scale), max(Fraction(1), box[1] * scale)
    if width == source[0] and height == source[1]:
        return None
    left = (source[0] - width) * Fraction(position[0], 100)
    top = (source[1] - height) * Fraction(position[1], 100)
    edges = (left, top, left + width, top + height)
    return tuple(round(float(edge), 2) for edge in edges)  # type: ignore[return-value]  # four of them, by construction
