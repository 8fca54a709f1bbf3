"""The words that parameters accept, and the meaning of each. A dialect has its own words."""

from imgcdn.core.output.formats import FORMATS, OUTPUTS
from imgcdn.core.output.geometry import CENTER, Fit, Position, Smart

_EDGES = {"center": CENTER, "top": (50, 0), "bottom": (50, 100), "left": (0, 50), "right": (100, 50)}

#: The part of the source that a cover crop keeps: (x, y) in percent. Pairs are written as in CSS, in either order.
POSITIONS: dict[str, Position] = {
    **_EDGES,
    **{
        pair: (_EDGES[x][0], _EDGES[y][1])
        for x in ("left", "center", "right")
        for y in ("top", "center", "bottom")
        for gap in (" ", ",")
        for pair in (f"{x}{gap}{y}", f"{y}{gap}{x}")
    },
}

#: The words for `position`.
PLACES: dict[str, Position | Smart] = {**POSITIONS, Smart.SUBJECT.value: Smart.SUBJECT}

#: The words for `fit`.
FITS = {fit.value: fit for fit in (Fit.CONTAIN, Fit.COVER, Fit.FILL, Fit.PAD)}

#: The words for `fm`: the picture formats alone, and with them the texts about a picture.
PICTURE_FORMAT_WORDS: dict[str, str | None] = {"auto": None, **{name: name for name in FORMATS}, "jpg": "jpeg"}
FORMAT_WORDS: dict[str, str | None] = {**PICTURE_FORMAT_WORDS, **{name: name for name in OUTPUTS}}

#: Rotations clockwise and reflections, as the equivalent EXIF orientations.
TURNS = {"90": 6, "180": 3, "270": 8}
FLIPS = {"h": 2, "v": 4, "hv": 3}
