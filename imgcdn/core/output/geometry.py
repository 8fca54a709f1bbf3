"""Arithmetic of sizes and boxes, apart from pixels. Edges round half up and are at least 1."""

from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from math import floor

from imgcdn.errors import InvalidParam

Size = tuple[int, int]  # (width, height)
Box = tuple[float, float, float, float]  # (left, top, right, bottom), in pixels, to two decimals
Area = tuple[int, int, int, int]  # (left, top, right, bottom), in whole pixels
Position = tuple[int, int]  # (x, y) in percent of the free space, as in CSS object-position

#: The default position.
CENTER: Position = (50, 50)

#: The EXIF orientation of a picture that is stored upright.
UPRIGHT = 1

# EXIF 2.32, tag 0x112. The corners of the stored picture are numbered in reading order. Each orientation lists the
# corners that are at the top left, top right, bottom left and bottom right of the upright picture.
_CORNERS = {
    1: (0, 1, 2, 3),
    2: (1, 0, 3, 2),
    3: (3, 2, 1, 0),
    4: (2, 3, 0, 1),
    5: (0, 2, 1, 3),
    6: (2, 0, 3, 1),
    7: (3, 1, 2, 0),
    8: (1, 3, 0, 2),
}
_ORIENTATIONS = {corners: orientation for orientation, corners in _CORNERS.items()}


class Smart(Enum):
    """A position that the engine finds in the pixels."""

    SUBJECT = "smart"


class Fit(Enum):
    """
    How a picture fits a box of another ratio.

    The names are those of CSS object-fit; OUTSIDE is sharp's: the whole picture, just large enough to cover the box.
    PAD is CONTAIN on a canvas that is exactly the box.
    """

    CONTAIN = "contain"
    COVER = "cover"
    FILL = "fill"
    OUTSIDE = "outside"
    PAD = "pad"


@dataclass(frozen=True, slots=True)
class Crop:
    """
    The part of a picture that a URL asks for.

    Args:
        left, top, width, height: In pixels, or in hundredths of the picture's edges.
        relative: Whether they are hundredths.
    """

    left: int
    top: int
    width: int
    height: int
    relative: bool


@dataclass(frozen=True, slots=True)
class Framing:
    """
    What a request asks of crop, size and placement.

    Args:
        crop: The part to keep, applied first; None for the whole picture.
        target: The box in output pixels; None for an edge that follows from the ratio.
        fit: Has an effect only if both edges are given.
        position: What a cover crop keeps, and where a padded picture lies.
        enlarge: Whether the output may be larger than the source.
    """

    crop: Crop | None = None
    target: tuple[int | None, int | None] = (None, None)
    fit: Fit = Fit.CONTAIN
    position: Position | Smart = CENTER
    enlarge: bool = False

    @property
    def box(self) -> Size | None:
        """The box if both of its edges are given, otherwise None."""
        width, height = self.target
        return None if width is None or height is None else (width, height)

    @property
    def fixed_position(self) -> Position:
        """The position; the center instead of a smart one, until the engine has found it."""
        return CENTER if isinstance(self.position, Smart) else self.position


@dataclass(frozen=True, slots=True)
class Frame:
    """
    Crop, size and placement of an output.

    Args:
        crop: The part of the source that is kept, in its pixels; None for the whole source.
        size: Size of the output.
        place: The part of the output that the picture covers; None for the whole output.
        crop_bounds: Where a smart crop may move, in pixels of the source; None if the crop is fixed.
    """

    crop: Box | None
    size: Size
    place: Area | None
    crop_bounds: Area | None = None


@dataclass(frozen=True, slots=True)
class Resize:
    """
    The part of a source that is kept, and the size it is resampled to.

    Args:
        crop: The part that is kept, in pixels of the upright source; None for the whole source.
        size: Size of the output.
    """

    crop: Box | None
    size: Size


def frame(source: Size, framing: Framing, *, max_edge: int, kept: Area | None = None) -> Frame:
    """
    Decide which part of a source is kept, its size in the output, and its place there.

    Args:
        source: Size after the picture was turned.
        framing: What the request asks for.
        max_edge: Largest edge of the resampled picture in pixels. A larger picture is reduced, keeping its ratio.
        kept: The part of the source inside a trimmed border, to which the framing then applies; None for the whole
            source.

    Raises:
        InvalidParam: The crop lies outside the picture.

    >>> frame((600, 400), Framing(Crop(300, 0, 900, 200, relative=False), (100, 100), Fit.PAD), max_edge=8192)
    Frame(crop=(300, 0, 600, 200), size=(100, 100), place=(0, 16, 100, 83), crop_bounds=None)
    """
    area = _cropped(kept or (0, 0, *source), framing.crop)
    left, top, right, bottom = area
    inner = (right - left, bottom - top)
    resize = plan_resize(
        inner, framing.target, fit=framing.fit, position=framing.fixed_position, enlarge=framing.enlarge
    )
    x0, y0, x1, y1 = resize.crop or (0, 0, *inner)
    crop: Box = (round(left + x0, 2), round(top + y0, 2), round(left + x1, 2), round(top + y1, 2))
    whole: Box = (0, 0, *source)
    size = fit_within(resize.size, max_edge)
    canvas = framing.box if framing.fit is Fit.PAD and framing.box else size
    return Frame(
        crop=None if crop == whole else crop,
        size=canvas,
        place=None if canvas == size else _placed(size, canvas, framing.fixed_position),
        crop_bounds=area if resize.crop and framing.position is Smart.SUBJECT else None,
    )


def move_crop(crop: Box, bounds: Area, position: Position) -> Box:
    """
    Return a crop of the same size at another position within its bounds.

    >>> move_crop((33.33, 0, 66.67, 100), (0, 0, 100, 100), (100, 50))
    (66.66, 0.0, 100.0, 100.0)
    """
    width, height = round(crop[2] - crop[0], 2), round(crop[3] - crop[1], 2)
    left = round(bounds[0] + (bounds[2] - bounds[0] - width) * position[0] / 100, 2)
    top = round(bounds[1] + (bounds[3] - bounds[1] - height) * position[1] / 100, 2)
    return left, top, round(left + width, 2), round(top + height, 2)


def reduce_frame(framed: Frame, max_edge: int) -> Frame:
    """
    Reduce an output with its margin until no edge is longer than `max_edge`.

    >>> reduce_frame(Frame(None, (400, 400), (0, 50, 400, 350)), 100)
    Frame(crop=None, size=(100, 100), place=(0, 13, 100, 88), crop_bounds=None)
    """
    width, height = fit_within(framed.size, max_edge)
    if framed.place is None or (width, height) == framed.size:
        return replace(framed, size=(width, height))
    left, top, right, bottom = framed.place
    x0, x1 = _shrunk(left, right, framed.size[0], width)
    y0, y1 = _shrunk(top, bottom, framed.size[1], height)
    return replace(framed, size=(width, height), place=(x0, y0, x1, y1))


def compose(first: int, then: int) -> int:
    """
    Return the EXIF orientation that is equivalent to two orientations in sequence.

    >>> compose(6, 6), compose(3, 3)  # a quarter turn twice, a half turn twice
    (3, 1)
    """
    return _ORIENTATIONS[tuple(_CORNERS[first][corner] for corner in _CORNERS[then])]  # type: ignore[index]  # four of them


def swaps_axes(orientation: int) -> bool:
    """Tell whether an orientation exchanges width and height."""
    return orientation >= 5


def turned_size(size: Size, orientation: int) -> Size:
    """Return the size of the upright picture, given the stored size and the orientation."""
    return size[::-1] if swaps_axes(orientation) else size


def plan_resize(
    source: Size,
    target: tuple[int | None, int | None],
    *,
    fit: Fit = Fit.CONTAIN,
    position: Position = CENTER,
    enlarge: bool = False,
) -> Resize:
    """
    Decide the crop and the output size.

    Args:
        source: Size after orientation was applied.
        target: The requested box in output pixels; None for an edge that follows from the ratio.
        fit: Has an effect only if both edges are given.
        position: The part that a cover crop keeps.
        enlarge: Whether the output may be larger than the source. If not, a cover or fill box that is larger is
            reduced, keeping its own ratio.

    >>> plan_resize((2725, 2225), (300, 200)).size
    (245, 200)
    >>> plan_resize((2725, 2225), (3200, 2133), fit=Fit.COVER).size
    (2725, 1816)
    """
    width, height = target
    if width is None or height is None or fit in (Fit.CONTAIN, Fit.OUTSIDE, Fit.PAD):
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
    Round to the nearest integer, halves up.

    >>> round_half_up(Fraction(5, 2)), round_half_up(Fraction(-5, 2)), round_half_up(Fraction(1, 9))
    (3, -2, 0)
    """
    return floor(value + Fraction(1, 2))


def round_edge(value: Fraction) -> int:
    """
    Round the length of an edge, halves up; an edge has at least 1 pixel.

    >>> round_edge(Fraction(5, 2)), round_edge(Fraction(1, 9))
    (3, 1)
    """
    return max(1, round_half_up(value))


def _scaled(source: Size, target: tuple[int | None, int | None], *, covers: bool, enlarge: bool) -> Size:
    """Scale the source until it just covers the box (`covers`) or just fits into it."""
    scales = [Fraction(edge, of) for edge, of in zip(target, source, strict=True) if edge is not None]
    scale = (max if covers else min)(scales, default=Fraction(1))
    if not enlarge:
        scale = min(scale, Fraction(1))
    return round_edge(source[0] * scale), round_edge(source[1] * scale)


def _limit(source: Size, box: Size, *, enlarge: bool) -> Size:
    """Reduce the box, keeping its ratio, until the source covers it."""
    if enlarge:
        return box
    scale = min(Fraction(1), Fraction(source[0], box[0]), Fraction(source[1], box[1]))
    return round_edge(box[0] * scale), round_edge(box[1] * scale)


def _cover_crop(source: Size, box: Size, position: Position) -> Box | None:
    """Return the largest part of the source that has the box's ratio; None when that is all of it."""
    scale = min(Fraction(source[0], box[0]), Fraction(source[1], box[1]))
    # At least one pixel each way: with an extreme box the crop would otherwise round to nothing.
    width, height = max(Fraction(1), box[0] * scale), max(Fraction(1), box[1] * scale)
    if width == source[0] and height == source[1]:
        return None
    left = (source[0] - width) * Fraction(position[0], 100)
    top = (source[1] - height) * Fraction(position[1], 100)
    edges = (left, top, left + width, top + height)
    return tuple(round(float(edge), 2) for edge in edges)  # type: ignore[return-value]  # four of them, by construction


def _cropped(area: Area, crop: Crop | None) -> Area:
    """Return the part of an area that a crop keeps."""
    if crop is None:
        return area
    left, top, right, bottom = area
    x0, x1 = _span(right - left, crop.left, crop.width, relative=crop.relative)
    y0, y1 = _span(bottom - top, crop.top, crop.height, relative=crop.relative)
    if x0 < x1 and y0 < y1:
        return left + x0, top + y0, left + x1, top + y1
    width, height = right - left, bottom - top
    nearest = (max(0, min(crop.left, width - crop.width)), max(0, min(crop.top, height - crop.height)))
    raise InvalidParam(
        f"crop must begin inside the picture, which is {width} pixels wide and {height} high there",
        param="crop",
        nearest=f"{nearest[0]},{nearest[1]},{min(crop.width, width)},{min(crop.height, height)}",
    )


def _span(length: int, start: int, extent: int, *, relative: bool) -> tuple[int, int]:
    """Return where a crop begins and ends on one edge. A relative crop is at least one pixel long."""
    if not relative:
        return start, min(start + extent, length)
    first = min(round_half_up(Fraction(start * length, 100)), length - 1)
    last = round_half_up(Fraction((start + extent) * length, 100))
    return first, min(max(last, first + 1), length)


def _shrunk(first: int, last: int, length: int, shorter: int) -> tuple[int, int]:
    """Scale a section of an edge to a shorter edge. The result is at least one pixel long."""
    begin = min(round_half_up(Fraction(first * shorter, length)), shorter - 1)
    return begin, max(round_half_up(Fraction(last * shorter, length)), begin + 1)


def _placed(size: Size, canvas: Size, position: Position) -> Area:
    """Place a picture on a canvas. An odd free pixel is left at the right or the bottom."""
    left = (canvas[0] - size[0]) * position[0] // 100
    top = (canvas[1] - size[1]) * position[1] // 100
    return left, top, left + size[0], top + size[1]
