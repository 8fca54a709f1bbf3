"""Query arguments -> frozen Params. Values are checked here and trusted afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from imgcdn.core.output.geometry import CENTER, UPRIGHT, Crop, Fit, Position, Smart, compose, round_edge
from imgcdn.core.request.arguments import RGB, RGBA, Choices, Positions, Range
from imgcdn.core.request.nearest import closest
from imgcdn.core.request.parameters import (
    ALIASES,
    BY_NAME,
    DEFAULT_Q,
    DOWNLOAD,
    DPR,
    EDGE,
    FIELDS,
    FOREIGN,
    OF_THE_REQUEST,
    VERSION,
)
from imgcdn.core.request.words import FITS, FORMAT_WORDS, PLACES
from imgcdn.errors import InvalidParam

#: SSIMULACRA2 that q=auto aims at. At 70 a picture is hard to tell from the original unless one compares the two; at
#: 80 even side by side (https://github.com/cloudinary/ssimulacra2).
DEFAULT_TARGET = 75

#: The lowest target that the setting `auto_target` allows and that Save-Data leads to.
LEAST_TARGET = 40

WHITE: RGB = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Params:
    """
    What a URL asks for.

    Args:
        width: Width of the output in device pixels, after multiplication by `dpr`; None if it follows from the
            height or the source.
        height: Height of the output in device pixels, after multiplication by `dpr`; None if it follows from the
            width or the source.
        fit: How the picture fits the box.
        position: What a cover crop keeps, and where a padded picture lies: (x, y) in percent of the free space, or
            `Smart.SUBJECT`, which the engine resolves and which only affects cover crops.
        format: A name in `core.output.formats.OUTPUTS`; None to negotiate it.
        q: 1 to 100 on the scale that all formats share; None for the lowest one that reaches `target`.
        background: Colour beneath transparent pixels and around a padded picture; None for white where a colour is
            needed.
        enlarge: Whether the output may be larger than the source.
        still: Whether an animation is reduced to its first frame.
        turn: Rotation and reflection of the upright picture, as an EXIF orientation, 1 to 8.
        trim: Remove a border whose pixels differ by at most this much, 0 to 255; None to keep the border.
        crop: The part that is kept of the turned and trimmed picture; None for all of it.
        brightness, contrast, saturation: Factors, 0 to 4, as those of the CSS filters; 1 changes nothing.
        grayscale: Whether the picture loses its colour.
        blur: Sigma in output pixels; 0 for none.
        sharpen: 0 for none; 10 is far too much for most pictures.
        target: SSIMULACRA2 to reach when `q` is None. It comes from the setting `auto_target`, not from a parameter.
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
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    grayscale: bool = False
    blur: float = 0.0
    sharpen: float = 0.0
    target: int = DEFAULT_TARGET


def collect(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Return decoded query pairs as a dict, by the canonical names of the parameters.

    Raises:
        InvalidParam: A name is unknown, given twice (aliases count), or has no value.
    """
    arguments: dict[str, str] = {}
    for written, value in pairs:
        name = ALIASES.get(written, written)
        if name not in BY_NAME:
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
    formats: Mapping[str, str | None] = FORMAT_WORDS,
) -> Params:
    """
    Read the parameters of the output. Those in `OF_THE_REQUEST` are skipped; the caller reads them.

    Args:
        arguments: From `collect`.
        max_dimension: Largest output edge in pixels.
        fits, positions, formats: The words for `fit`, `position` and `fm`; a dialect has its own.

    Raises:
        InvalidParam: A value is out of range. The detail says what is accepted.

    >>> parse_params({"w": "400", "dpr": "1.5"}, max_dimension=8192).width
    600
    """
    edge = EDGE.up_to(max_dimension)
    ranges: dict[str, Range[object]] = {
        "w": edge,
        "h": edge,
        "fit": Choices(fits),
        "position": Positions(positions),
        "fm": Choices(formats),
    }
    read: dict[str, Any] = {
        name: (ranges.get(name) or BY_NAME[name].range).parse(text, name)
        for name, text in arguments.items()
        if name not in OF_THE_REQUEST
    }
    return Params(
        width=_multiplied(read, "w", max_dimension),
        height=_multiplied(read, "h", max_dimension),
        turn=compose(read.get("rotate", UPRIGHT), read.get("flip", UPRIGHT)),
        **{FIELDS[name]: value for name, value in read.items() if name in FIELDS},
    )


def parse_dpr(arguments: Mapping[str, str]) -> Decimal:
    """
    Read `dpr`, by which `parse_params` has multiplied both edges.

    Raises:
        InvalidParam: It is out of range.
    """
    return DPR.parse(arguments["dpr"], "dpr") if "dpr" in arguments else Decimal(1)


def parse_version(arguments: Mapping[str, str]) -> str | None:
    """
    Read `v`, the caller's version of the source. It is in no key.

    Raises:
        InvalidParam: It has other characters, or more than 64.
    """
    return VERSION.parse(arguments["v"], "v") if "v" in arguments else None


def parse_download(arguments: Mapping[str, str]) -> str | None:
    """
    Read `dl`, the name to save the picture under, without an extension.

    Raises:
        InvalidParam: It contains no character that a name can have.
    """
    return DOWNLOAD.parse(arguments["dl"], "dl") if "dl" in arguments else None


def _unknown(written: str) -> InvalidParam:
    # The name appears in the response and the log, so it is cut, and line breaks and invisible characters are replaced.
    shown = "".join(char if char.isprintable() else "?" for char in written[:64])
    found = closest(shown, [*BY_NAME, *ALIASES, *FOREIGN])
    nearest = FOREIGN.get(found, found)
    hint = f"did you mean {nearest}?" if nearest else f"the parameters are {', '.join(BY_NAME)}"
    return InvalidParam(f"{shown or 'an empty name'} is not a parameter; {hint}", param=shown, nearest=nearest)


def _multiplied(read: Mapping[str, Any], name: str, max_dimension: int) -> int | None:
    """Multiply an edge by `dpr`."""
    edge: int | None = read.get(name)
    if edge is None or "dpr" not in read:
        return edge
    product = Fraction(read["dpr"]) * edge
    if product > max_dimension:
        nearest = str(int(max_dimension / read["dpr"]))
        raise InvalidParam(f"{name} times dpr must be at most {max_dimension}", param=name, nearest=nearest)
    return round_edge(product)
