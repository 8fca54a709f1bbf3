"""Query arguments -> frozen Params. Rejected at the edge, trusted inside."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from imgcdn.core.formats import FORMATS
from imgcdn.core.geometry import Fit, round_half_up
from imgcdn.errors import InvalidParam

RGB = tuple[int, int, int]

#: The part of the source that a cover crop keeps: (x, y) in percent.
POSITIONS = {"center": (50, 50), "top": (50, 0), "bottom": (50, 100), "left": (0, 50), "right": (100, 50)}

#: How a picture may meet the box.
FITS = {fit.value: fit for fit in (Fit.CONTAIN, Fit.COVER, Fit.FILL)}

#: Other spellings of a parameter, from Netlify's and other image CDNs' documentation.
ALIASES = {"width": "w", "height": "h", "quality": "q", "format": "fm"}

DEFAULT_Q = 75
WHITE: RGB = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Params:
    """
    What a URL asks for.

    Args:
        width: Of the output in device pixels, `dpr` multiplied in; None when it follows from the height.
        height: Likewise.
        fit: How the picture meets the box.
        position: What a cover crop keeps, (x, y) in percent.
        format: A name in `core.formats.FORMATS`; None to negotiate it.
        q: 1 to 100 on the scale that all formats share.
        background: Colour beneath transparent pixels; None to keep them where the format can.
        enlarge: Whether pixels may be invented.
        still: Whether an animation is reduced to its first frame.
    """

    width: int | None = None
    height: int | None = None
    fit: Fit = Fit.CONTAIN
    position: tuple[int, int] = (50, 50)
    format: str | None = None
    q: int = DEFAULT_Q
    background: RGB | None = None
    enlarge: bool = False
    still: bool = False


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
    Parameter("fit", "contain, cover, fill", "contain", "How the picture meets the box, as CSS object-fit."),
    Parameter("position", "center, top, bottom, left, right", "center", "The part that survives a cover crop."),
    Parameter("fm", "auto, avif, webp, jpg, jpeg, png, gif", "auto", "Output format; `auto` negotiates it."),
    Parameter("q", "1 to 100", "75", "Quality on one scale: the same `q` looks alike in every format."),
    Parameter("bg", "RGB or RRGGBB in hex", "none", "Colour beneath transparent pixels; white where one is needed."),
    Parameter("enlarge", "0, 1", "0", "Whether the output may be larger than the source."),
    Parameter("still", "0, 1", "0", "First frame only of an animation."),
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
    positions: Mapping[str, tuple[int, int]] = POSITIONS,
) -> Params:
    """
    Read the parameters that shape the output; `url` and `v` are the caller's.

    Args:
        arguments: From `collect`.
        max_dimension: Largest output edge in pixels.
        fits: What `fit` may be called; a dialect has names of its own.
        positions: What `position` may be called, likewise.

    Raises:
        InvalidParam: A value is out of range; the detail says what it may be.

    >>> parse_params({"w": "400", "dpr": "1.5"}, max_dimension=8192).width
    600
    """
    dpr = _dpr(arguments.get("dpr", "1"))
    width, height = (_edge(arguments, name, dpr=dpr, max_dimension=max_dimension) for name in ("w", "h"))
    return Params(
        width=width,
        height=height,
        fit=fits[_choice(arguments, "fit", fits) or "contain"],
        position=positions[_choice(arguments, "position", positions) or "center"],
        format=_FORMAT_NAMES[_choice(arguments, "fm", _FORMAT_NAMES) or "auto"],
        q=_integer(arguments, "q", low=1, high=100) or DEFAULT_Q,
        background=_colour(arguments),
        enlarge=_choice(arguments, "enlarge", ("0", "1")) == "1",
        still=_choice(arguments, "still", ("0", "1")) == "1",
    )


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


_HEX_COLOUR = re.compile(r"([0-9A-Fa-f]{3}){1,2}")
_FORMAT_NAMES: dict[str, str | None] = {"auto": None, **{name: name for name in FORMATS}, "jpg": "jpeg"}


def _unknown(written: str) -> InvalidParam:
    # The name goes into the answer and the log: short, and without line breaks or invisible characters.
    shown = "".join(char if char.isprintable() else "?" for char in written[:64])
    nearest = _closest(shown, [*_NAMES, *ALIASES])
    hint = f"did you mean {nearest}?" if nearest else f"known are {', '.join(_NAMES)}"
    return InvalidParam(f"{shown or 'an empty name'} is not a parameter; {hint}", param=shown, nearest=nearest)


def _closest(text: str, allowed: Iterable[str]) -> str:
    return "".join(difflib.get_close_matches(text[:64].lower(), allowed, n=1, cutoff=0.5))


def _integer(arguments: Mapping[str, str], name: str, *, low: int, high: int) -> int | None:
    text = arguments.get(name)
    if text is None:
        return None
    # The pattern, not int(), is the gate: int() also takes " 5", "1_000" and
    # other scripts' digits, and raises on more than 4300 of them.
    if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
        return int(text)
    number = _number(text)
    nearest = "" if number is None else str(min(max(round_half_up(Fraction(number)), low), high))
    raise InvalidParam(f"{name} must be an integer from {low} to {high}", param=name, nearest=nearest)


def _dpr(text: str) -> Decimal:
    if re.fullmatch(r"[0-9](\.[0-9]{1,2})?", text) and Decimal("0.5") <= Decimal(text) <= 4:
        return Decimal(text)
    number = _number(text)
    nearest = "" if number is None else f"{min(max(number, Decimal('0.5')), Decimal(4)):.2f}".rstrip("0").rstrip(".")
    raise InvalidParam("dpr must be a number from 0.5 to 4 with at most two decimals", param="dpr", nearest=nearest)


def _number(text: str) -> Decimal | None:
    """Read what was meant by a refused number, to name the nearest one allowed."""
    match = re.fullmatch(r" *([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)) *(?:px|x|%)? *", text[:64])
    return Decimal(match[1]) if match else None


def _edge(arguments: Mapping[str, str], name: str, *, dpr: Decimal, max_dimension: int) -> int | None:
    edge = _integer(arguments, name, low=1, high=max_dimension)
    if edge is None:
        return None
    product = Fraction(dpr) * edge
    if product > max_dimension:
        nearest = str(int(max_dimension / dpr))
        raise InvalidParam(f"{name} times dpr must be at most {max_dimension}", param=name, nearest=nearest)
    return round_half_up(product)


def _choice(arguments: Mapping[str, str], name: str, choices: Iterable[str]) -> str | None:
    text = arguments.get(name)
    allowed = list(choices)
    if text is None or text in allowed:
        return text
    nearest = _closest(text, allowed)
    hint = f"; did you mean {nearest}?" if nearest else ""
    raise InvalidParam(f"{name} must be one of {', '.join(allowed)}{hint}", param=name, nearest=nearest)


def _colour(arguments: Mapping[str, str]) -> RGB | None:
    text = arguments.get("bg")
    if text is None:
        return None
    if not _HEX_COLOUR.fullmatch(text):
        nearest = text[1:] if text[0] == "#" and _HEX_COLOUR.fullmatch(text[1:]) else ""
        raise InvalidParam("bg must be RGB or RRGGBB in hexadecimal digits, without #", param="bg", nearest=nearest)
    digits = text if len(text) == 6 else "".join(digit * 2 for digit in text)
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue
