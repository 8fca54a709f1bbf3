"""The width of a picture on a page -> the candidates of its srcset, and its sizes attribute."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import Literal, TypeVar, get_args

from imgcdn.core.output.geometry import Size, plan_resize, round_edge
from imgcdn.core.request import widths as service_widths
from imgcdn.markup.tags import check_text

T = TypeVar("T")

Layout = Literal["constrained", "full-width", "fixed", "none"]

#: The service's ladder without the thumbnails.
LADDER = tuple(width for width in service_widths.LADDER if width >= 320)

#: The longest edge, in pixels, of originals and of candidates that a page may give.
MOST_PIXELS = 1_000_000


@dataclass(frozen=True, slots=True)
class Slot:
    """
    The space of a picture on a page.

    Args:
        width, height: In CSS pixels; None if neither the page nor the source gives it.
        requested_width: The width that the page gives, directly or by its height; None if the width is the source's.
        boxed: Whether the page gives the ratio, so that the URLs of candidates have a height.
        widest: Largest width of a candidate, in pixels.
        steps: The only widths and heights that a URL may have, ascending; empty if it may have any.
    """

    width: int | None
    height: int | None
    requested_width: int | None
    boxed: bool
    widest: int
    steps: tuple[int, ...] = ()

    def step_for(self, width: int) -> int:
        """Return the width in the URL of a picture that shall be this wide."""
        if not self.steps:
            return width
        return self.steps[min(bisect_left(self.steps, width), len(self.steps) - 1)]

    def edges_at(self, width: int | None) -> tuple[int | None, int | None]:
        """
        Return the width and height in the URL of a candidate.

        Args:
            width: The candidate's width; None for a picture whose width is not known.

        Raises:
            ValueError: The height is not a step.
        """
        if width is None:
            height = self.height if self.width is None else None
        else:
            width = self.step_for(width)
            height = self.height_at(width)
        if self.steps and height is not None and height not in self.steps:
            raise ValueError(
                f"height would be {height} in a URL, which is not in the ladder; add it to the ladders of the helper "
                "and the service, or write the URL with url() and a preset, whose edges need not be in a ladder"
            )
        return width, height

    def height_at(self, width: int) -> int | None:
        """Return the height in the URL of a candidate of this width; None if it follows from the source's ratio."""
        if not self.boxed or self.width is None or self.height is None:
            return None
        return round_edge(Fraction(width * self.height, self.width))


@dataclass(frozen=True, slots=True)
class Candidates:
    """
    The candidates for one slot.

    Args:
        slot: The slot.
        widths: In pixels, ascending; empty for a picture without srcset.
        sizes: The sizes attribute; empty without srcset.
    """

    slot: Slot
    widths: tuple[int, ...]
    sizes: str

    @property
    def fallback(self) -> int | None:
        """The width in `src`, for clients that do not read srcset: the requested one, or the middle candidate."""
        requested = self.slot.requested_width
        if not self.widths:
            return None if requested is None else min(requested, self.slot.widest)
        if requested is None:
            return self.widths[len(self.widths) // 2]
        return next((width for width in self.widths if width >= requested), self.widths[-1])


def slot_for(
    width: int | None, height: int | None, *, source_size: Size | None, fit: str | None, max_dimension: int
) -> Slot:
    """
    Return the slot for the width and height that a page gives.

    Args:
        source_size: Size of the upright original; None if the page does not know it.
        fit: None means cover if both edges are given.

    Raises:
        ValueError: An edge is not a valid size, or contain is asked for and the ratio of the source is not known.
    """
    check_edge("width", width, most=max_dimension)
    check_edge("height", height, most=max_dimension)
    if source_size is not None:
        check_source(source_size)
    if width is not None and height is not None and fit != "contain":
        return _box((width, height), source_size, max_dimension)
    if source_size is None:
        if width is not None and height is not None:
            raise ValueError("fit='contain' in a box needs source_size, or the page cannot know the picture's ratio")
        return Slot(width, height, requested_width=width, boxed=False, widest=max_dimension)
    widest = min(source_size[0], max_dimension)
    if width is None and height is None:
        return Slot(*source_size, requested_width=None, boxed=False, widest=widest)
    # The slot is as large as the page says. A browser enlarges a smaller picture; the service does not.
    shown = plan_resize(source_size, (width, height), enlarge=True).size
    return Slot(*shown, requested_width=shown[0], boxed=False, widest=widest)


def candidates_for(
    slot: Slot,
    *,
    layout: Layout,
    ladder: Sequence[int],
    widths: Iterable[int] | None = None,
    densities: Iterable[float] | None = None,
    sizes: str | None = None,
) -> Candidates:
    """
    Choose the candidates. The layouts are those of Astro's responsive images:

    * constrained: as wide as the slot, or as a narrower window. The candidates are the width, twice the width, and the
      ladder's steps below that.
    * full-width: as wide as the window. The candidates are the ladder.
    * fixed: always as wide as the slot. The candidates are the width and twice the width.
    * none: one picture, no srcset.

    If the slot has steps, the width in each URL is the next step, or the largest one.

    A candidate wider than the source gets the source's width. Astro drops it instead, so that sharp screens do not get
    the full size.

    Args:
        widths: Candidates instead of the layout's, in pixels.
        densities: Candidates instead of the layout's, as multiples of the width.
        sizes: The sizes attribute instead of the layout's.

    Raises:
        ValueError: The layout is unknown or needs a width, or there is no candidate.

    >>> slot = slot_for(400, 300, source_size=(1000, 500), fit="cover", max_dimension=8192)
    >>> candidates_for(slot, layout="constrained", ladder=LADDER).widths
    (320, 400, 480, 640, 666)
    """
    if sizes is not None:
        check_text("sizes", sizes)
    if layout not in get_args(Layout):
        raise ValueError(f"layout must be one of {', '.join(get_args(Layout))}, not {layout!r}")
    wanted = _wanted(slot, layout, ladder, widths=widths, densities=densities)
    candidates = tuple(sorted({min(slot.step_for(width), slot.widest) for width in wanted}))
    if not candidates:
        return Candidates(slot, (), "")
    if slot.width is None and slot.height is not None:
        raise ValueError("height needs width (or source_size), or the page cannot know the ratio")
    by_width = densities is not None and layout == "none"
    return Candidates(slot, candidates, _sizes(slot, "fixed" if by_width else layout) if sizes is None else sizes)


def check_edge(name: str, edge: int | None, *, most: int) -> None:
    """Raise ValueError unless an edge is None or a number of pixels that the service accepts."""
    if edge is None or (type(edge) is int and 1 <= edge <= most):  # type(): True is an int
        return
    raise ValueError(f"{name} must be a whole number of pixels from 1 to {most}, not {edge!r}")


def check_source(source_size: object) -> None:
    """Raise ValueError unless the size of an original is a pair of valid edges."""
    if not isinstance(source_size, tuple | list) or len(source_size) != 2:
        raise ValueError(f"source_size must be (width, height) of the original, not {source_size!r}")
    for edge in source_size:
        check_edge("each edge of source_size", edge, most=MOST_PIXELS)


def listed(name: str, values: Iterable[T]) -> list[T]:
    """Return the numbers that an argument lists. Raise ValueError if it is not a list."""
    if not _is_list(values):
        raise ValueError(f"{name} must be a list of numbers, not {values!r}")
    return list(values)


# These two take any object, because a template gives what it likes, and mypy believes the types of its callers.
def _is_list(values: object) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, str)


def _is_density(value: object) -> bool:
    return isinstance(value, Real) and 0 < float(value) <= 10


def _box(box: Size, source_size: Size | None, max_dimension: int) -> Slot:
    width, height = box
    # The service reduces a box until the source covers it, so a wider candidate would be narrower than srcset says.
    limits = [(max_dimension, max_dimension)] if source_size is None else [(max_dimension, max_dimension), source_size]
    widest = min(min(most[0], most[1] * width // height) for most in limits)
    return Slot(width, height, requested_width=width, boxed=True, widest=max(1, widest))


def _wanted(
    slot: Slot,
    layout: Layout,
    ladder: Sequence[int],
    *,
    widths: Iterable[int] | None,
    densities: Iterable[float] | None,
) -> list[int]:
    if widths is not None and densities is not None:
        raise ValueError("give widths or densities, not both")
    if widths is not None:
        return _given_widths(widths)
    if densities is not None:
        return _multiples(_width(slot, "densities"), densities)
    if layout == "none":
        return []
    if layout == "full-width":
        return list(ladder)
    width = _width(slot, f"layout {layout!r}")
    steps = [step for step in ladder if step < 2 * width] if layout == "constrained" else []
    return [width, 2 * width, *steps]


def _width(slot: Slot, why: str) -> int:
    if slot.width is None:
        raise ValueError(f"{why} needs width (or source_size); without one, layout='full-width' or 'none'")
    return slot.width


def _given_widths(widths: Iterable[int]) -> list[int]:
    given = listed("widths", widths)
    for width in given:
        check_edge("each of widths", width, most=MOST_PIXELS)
    if not given:
        raise ValueError("widths is empty; name at least one width, or leave it out")
    return given


def _multiples(width: int, densities: Iterable[float]) -> list[int]:
    given = listed("densities", densities)
    if not given or not all(_is_density(density) for density in given):
        raise ValueError(f"densities must be numbers above 0 and at most 10, such as (1, 2), not {given!r}")
    return [round_edge(Fraction(density) * width) for density in given]


def _sizes(slot: Slot, layout: Layout) -> str:
    if layout in ("full-width", "none"):
        return "100vw"
    width = _width(slot, f"layout {layout!r} without sizes")
    return f"{width}px" if layout == "fixed" else f"(min-width: {width}px) {width}px, 100vw"
