"""Query arguments -> frozen Params. Rejected at the edge, trusted inside."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from imgcdn.core.output.formats import FORMATS, OUTPUTS
from imgcdn.core.output.geometry import CENTER, UPRIGHT, Crop, Fit, Position, Smart, compose, round_half_up
from imgcdn.core.request.arguments import (
    RGB,
    RGBA,
    choice,
    closest,
    colour,
    crop,
    decimal,
    integer,
    integer_or,
    position,
)
from imgcdn.errors import InvalidParam

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

#: What `position` may be called here.
PLACES: dict[str, Position | Smart] = {**POSITIONS, Smart.SUBJECT.value: Smart.SUBJECT}

#: How a picture may meet the box.
FITS = {fit.value: fit for fit in (Fit.CONTAIN, Fit.COVER, Fit.FILL, Fit.PAD)}

#: What `fm` may be called. A picture first, then all that can be said of one as well.
PICTURES: dict[str, str | None] = {"auto": None, **{name: name for name in FORMATS}, "jpg": "jpeg"}
ANSWERS: dict[str, str | None] = {**PICTURES, **{name: name for name in OUTPUTS}}

#: Other spellings of a parameter, from Netlify's and other image CDNs' documentation.
ALIASES = {"width": "w", "height": "h", "quality": "q", "format": "fm"}

#: What belongs to a request and says nothing of the output; no preset has it.
OF_THE_REQUEST = ("url", "p", "v", "dl")

DEFAULT_Q = 75

#: SSIMULACRA2 that q=auto aims at. 70 is hard to tell from the original without comparing the two, 80 side by side
#: (https://github.com/cloudinary/ssimulacra2).
DEFAULT_TARGET = 75

AUTO = "auto"
WHITE: RGB = (255, 255, 255)

# Turns and reflections as the EXIF orientation that asks for the same.
_TURNS = {"90": 6, "180": 3, "270": 8}
_FLIPS = {"h": 2, "v": 4, "hv": 3}


@dataclass(frozen=True, slots=True)
class Params:
    """
    What a URL asks for.

    Args:
        width: Of the output in device pixels, `dpr` multiplied in; None when it follows from the height.
        height: Likewise.
        fit: How the picture meets the box.
        position: What a cover crop keeps, and where a padded picture lies: (x, y) in percent of the free room, or
            what only the pixels tell, which a cover crop alone asks them.
        format: A name in `core.output.formats.OUTPUTS`; None to negotiate it.
        q: 1 to 100 on the scale that all formats share; None for the least that reaches `target`.
        background: Colour beneath transparent pixels and around a padded picture; None for what is needed.
        enlarge: Whether pixels may be invented.
        still: Whether an animation is reduced to its first frame.
        turn: Rotation and reflection of the upright picture, as an EXIF orientation, 1 to 8.
        trim: Difference up to which a pixel belongs to the border that is cut away, 0 to 255; None to keep it.
        crop: The part that is kept of the turned and trimmed picture; None for all of it.
        blur: Sigma in output pixels; 0 for none.
        sharpen: 0 for none; 10 is far too much for most pictures.
        target: SSIMULACRA2 wanted where there is no `q`.
    """

    width: int | None = None
    height: int | None = None
    fit: Fit = Fit.CONTAIN
    position: Position | Smart = CENTER
    format: str | None = None
    q: int | None = DEFAULT_Q
    background: RGB | RGBA | None = None
    enlarge: bool = False
    still: bool = False
    turn: int = UPRIGHT
    trim: int | None = None
    crop: Crop | None = None
    blur: float = 0.0
    sharpen: float = 0.0
    target: int = DEFAULT_TARGET


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the parameter table that README shows."""

    name: str
    values: str
    default: str
    meaning: str


PARAMETERS = (
    Parameter(
        "url", "`/path`, `path` or an absolute URL", "required", "The original. In the path form it is the path."
    ),
    Parameter("w", "1 to 8192", "source", "Width of the output in pixels. Alone, it keeps the ratio."),
    Parameter("h", "1 to 8192", "source", "Height of the output in pixels. Alone, it keeps the ratio."),
    Parameter("dpr", "0.5 to 4, two decimals", "1", "Multiplies `w` and `h`."),
    Parameter(
        "fit", "contain, cover, fill, pad", "contain", "How the picture meets the box; `pad` fills it with `bg`."
    ),
    Parameter(
        "position",
        "center, top, bottom, left, right, pairs such as `top left`; `x,y` each 0 to 1; smart",
        "center",
        "The part that survives a cover crop, `smart` where the subject seems to be; where a padded picture lies.",
    ),
    Parameter(
        "fm",
        "auto, avif, webp, jpg, jpeg, png, gif; blurhash, thumbhash, lqip, json",
        "auto",
        "Output format; `auto` negotiates it. The last four are text about the picture.",
    ),
    Parameter(
        "q",
        "1 to 100, auto",
        "75",
        "Quality on one scale: the same `q` looks alike in every format. `auto` is the least that gives this picture "
        "the look of the setting `auto_target`.",
    ),
    Parameter(
        "bg",
        "RGB, RRGGBB or RRGGBBAA in hex",
        "none",
        "Colour beneath transparent pixels and around a padded picture; white where one is needed.",
    ),
    Parameter("rotate", "90, 180, 270", "none", "Turns the upright picture clockwise."),
    Parameter("flip", "h, v, hv", "none", "Then mirrors it: left to right, top to bottom, both."),
    Parameter("trim", "0 to 255", "none", "Then cuts away a border of one colour, within this difference."),
    Parameter(
        "crop",
        "x,y,w,h in pixels, or fractions when any has a point",
        "none",
        "Then keeps this part of it; `w`, `h` and `fit` come after.",
    ),
    Parameter("blur", "0.3 to 250, two decimals", "none", "Sigma in pixels of the output."),
    Parameter("sharpen", "0 to 10, two decimals", "0", "1 makes up for what resizing softens."),
    Parameter("enlarge", "0, 1", "0", "Whether the output may be larger than the source."),
    Parameter("still", "0, 1", "0", "First frame only of an animation."),
    Parameter("p", "a preset's name", "none", "Parameters from the setting `presets`; those in the URL win."),
    Parameter("dl", "a file name", "none", "The browser saves the picture under this name; the extension is ours."),
    Parameter(
        "v", "up to 64 of A-Z a-z 0-9 . _ -", "none", "Your version of the source; the answer becomes immutable."
    ),
)
_NAMES = tuple(parameter.name for parameter in PARAMETERS)


def collect(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Gather decoded query pairs under their canonical names.

    Raises:
        InvalidParam: A name is unknown, given twice (aliases count), or has no value.
    """
    arguments: dict[str, str] = {}
    for written, value in pairs:
        name = ALIASES.get(written, written)
        if name not in _NAMES:
            raise _unknown(written)
        if name in arguments:
            raise InvalidParam(f"{written} is given twice; give {name} once", param=written)
        if not value:
            raise InvalidParam(f"{written} is empty; give it a value or leave it out", param=written)
        arguments[name] = value
    return arguments


def parse_params(
    arguments: Mapping[str, str],
    *,
    max_dimension: int,
    fits: Mapping[str, Fit] = FITS,
    positions: Mapping[str, Position | Smart] = PLACES,
    formats: Mapping[str, str | None] = ANSWERS,
) -> Params:
    """
    Read the parameters that shape the output; those in `OF_THE_REQUEST` are the caller's.

    Args:
        arguments: From `collect`.
        max_dimension: Largest output edge in pixels.
        fits: What `fit` may be called; a dialect has names of its own.
        positions: What `position` may be called, likewise.
        formats: What `fm` may be called, likewise.

    Raises:
        InvalidParam: A value is out of range; the detail says what it may be.

    >>> parse_params({"w": "400", "dpr": "1.5"}, max_dimension=8192).width
    600
    """
    width, height = (_edge(arguments, name, max_dimension=max_dimension) for name in ("w", "h"))
    return Params(
        width=width,
        height=height,
        fit=fits[choice(arguments, "fit", fits) or "contain"],
        position=position(arguments, "position", positions) or CENTER,
        format=formats[choice(arguments, "fm", formats) or "auto"],
        q=_q(arguments),
        background=colour(arguments, "bg"),
        enlarge=choice(arguments, "enlarge", ("0", "1")) == "1",
        still=choice(arguments, "still", ("0", "1")) == "1",
        turn=_turn(arguments),
        trim=integer(arguments, "trim", low=0, high=255),
        crop=crop(arguments, "crop"),
        blur=float(decimal(arguments, "blur", low=Decimal("0.3"), high=Decimal(250)) or 0),
        sharpen=float(decimal(arguments, "sharpen", low=Decimal(0), high=Decimal(10)) or 0),
    )


def parse_dpr(arguments: Mapping[str, str]) -> Decimal:
    """
    Read `dpr`, which `parse_params` has multiplied into both edges.

    Raises:
        InvalidParam: It is out of range.
    """
    return decimal(arguments, "dpr", low=Decimal("0.5"), high=Decimal(4)) or Decimal(1)


def parse_version(arguments: Mapping[str, str]) -> str | None:
    """
    Read `v`, the caller's version of the source. It never enters a key.

    Raises:
        InvalidParam: It has other characters, or more than 64.
    """
    text = arguments.get("v")
    if text is None or re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        return text
    raise InvalidParam("v must be up to 64 letters, digits, dots, underscores or hyphens", param="v")


def parse_download(arguments: Mapping[str, str]) -> str | None:
    """
    Read `dl`, the name to save the picture under, without an extension.

    What a file system or a shell may take for more than a name becomes an underscore: separators, control and
    direction characters, a leading dot or hyphen.

    Raises:
        InvalidParam: Nothing of a name is left.

    >>> parse_download({"dl": "../Summer 2026.jpeg"})
    '_Summer 2026'
    """
    text = arguments.get("dl")
    if text is None:
        return None
    name = _EXTENSION.sub("", text.strip(" ."))
    name = "".join(char if char.isprintable() and char not in _NOT_IN_NAMES else "_" for char in name).strip(" .")
    name = re.sub(r"^-", "_", name)
    if name.strip("_"):
        return name
    raise InvalidParam("dl must be a file name such as photo.jpg", param="dl")


_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
_NOT_IN_NAMES = frozenset('/\\:*?"<>|')


def _unknown(written: str) -> InvalidParam:
    # The name goes into the answer and the log: short, and without line breaks or invisible characters.
    shown = "".join(char if char.isprintable() else "?" for char in written[:64])
    nearest = closest(shown, [*_NAMES, *ALIASES])
    hint = f"did you mean {nearest}?" if nearest else f"known are {', '.join(_NAMES)}"
    return InvalidParam(f"{shown or 'an empty name'} is not a parameter; {hint}", param=shown, nearest=nearest)


def _edge(arguments: Mapping[str, str], name: str, *, max_dimension: int) -> int | None:
    dpr = parse_dpr(arguments)
    edge = integer(arguments, name, low=1, high=max_dimension)
    if edge is None:
        return None
    product = Fraction(dpr) * edge
    if product > max_dimension:
        nearest = str(int(max_dimension / dpr))
        raise InvalidParam(f"{name} times dpr must be at most {max_dimension}", param=name, nearest=nearest)
    return round_half_up(product)


def _q(arguments: Mapping[str, str]) -> int | None:
    q = integer_or(arguments, "q", low=1, high=100, word=AUTO)
    return None if isinstance(q, str) else q or DEFAULT_Q


def _turn(arguments: Mapping[str, str]) -> int:
    turned = _TURNS.get(choice(arguments, "rotate", _TURNS) or "", UPRIGHT)
    return compose(turned, _FLIPS.get(choice(arguments, "flip", _FLIPS) or "", UPRIGHT))
