"""
Astro's own image endpoint: `/_image?href=SOURCE&w=...`, as Astro sites write it, built for Node or as static pages.

The rules are those of Astro's base service and its sharp service (astro/dist/assets/services, version 7.3). It reads
href, w, h, q, f, fit, position and background, ignores every other parameter, and takes a word for q.

This dialect departs from Astro in four places. An invalid value is 400; Astro ignores it or answers 500. Without `f`
the format is negotiated; Astro sends webp. `f=svg` is refused, because no SVG is served. A box without `fit` contains
the whole picture. Astro 5 kept the ratio too; since version 6 sharp crops.

`href` is decoded once, like every parameter. The result is a URL reference, whose path may itself be encoded.
"""

from imgcdn.core.output.geometry import Fit, Position, Smart
from imgcdn.core.request.arguments import Colours, Integers
from imgcdn.core.request.parameters import Q
from imgcdn.core.request.params import Params
from imgcdn.core.request.rules import Rules
from imgcdn.core.request.words import PICTURE_FORMAT_WORDS
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.dialects.reading import SHARP_POSITIONS, as_written, read_query
from imgcdn.errors import ImgcdnError, InvalidParam

PREFIX = "/_image"

#: Our parameter -> Astro's name for it.
_SPELLINGS = {
    "url": ("href",),
    "w": ("w",),
    "h": ("h",),
    "q": ("q",),
    "fm": ("f",),
    "fit": ("fit",),
    "position": ("position",),
    "bg": ("background",),
}

#: Astro's fits -> what sharp does for them.
_FITS = {
    "fill": Fit.FILL,
    "contain": Fit.CONTAIN,
    "cover": Fit.COVER,
    "none": Fit.OUTSIDE,
    "scale-down": Fit.CONTAIN,
    "outside": Fit.OUTSIDE,
    "inside": Fit.CONTAIN,
}

#: `auto` is no word of Astro's.
_FORMATS = {word: name for word, name in PICTURE_FORMAT_WORDS.items() if name is not None}

_QUALITIES = {"low": "25", "mid": "50", "high": "80", "max": "100"}

#: sharp's strategies look for the subject, and so does `smart`.
_POSITIONS: dict[str, Position | Smart] = {
    **SHARP_POSITIONS,
    "entropy": Smart.SUBJECT,
    "attention": Smart.SUBJECT,
}

#: The basic colours of CSS (CSS Color Module Level 4, section 6.1). Others have to be written in hexadecimal digits.
_COLOURS = {
    "black": "000000",
    "silver": "c0c0c0",
    "gray": "808080",
    "white": "ffffff",
    "maroon": "800000",
    "red": "ff0000",
    "purple": "800080",
    "fuchsia": "ff00ff",
    "green": "008000",
    "lime": "00ff00",
    "olive": "808000",
    "yellow": "ffff00",
    "navy": "000080",
    "blue": "0000ff",
    "teal": "008080",
    "aqua": "00ffff",
    "transparent": "00000000",
}


def matches(target: Target) -> bool:
    """Tell whether a target belongs to this dialect."""
    return target.path in (PREFIX, PREFIX + "/")


def status_of(error: ImgcdnError) -> int:
    """Return the error's own status."""
    return error.status


def parse(target: Target, rules: Rules) -> ImageRequest:
    """
    Read a target.

    Raises:
        InvalidParam: There is no href, it does not parse, or a value is not valid.
        Forbidden: The source is of a kind that is not served.
    """
    try:
        source, arguments = read_query(target.query, _SPELLINGS, prefix=PREFIX)
        return ImageRequest(source, _params(arguments, rules), v=None)
    except InvalidParam as error:
        raise as_written(error, _SPELLINGS) from error


def _params(arguments: dict[str, str], rules: Rules) -> Params:
    if "q" in arguments:
        arguments["q"] = _quality(arguments["q"])
    if "bg" in arguments:
        arguments["bg"] = _colour(arguments["bg"])
    return rules.params(arguments, fits=_FITS, positions=_POSITIONS, formats=_FORMATS, has_presets=False)


def _quality(text: str) -> str:
    if text in _QUALITIES:
        return _QUALITIES[text]
    try:
        Integers(Q.low, Q.high).parse(text, "q")
    except InvalidParam as error:
        raise InvalidParam(f"{error.detail}, or {', '.join(_QUALITIES)}", param="q", nearest=error.nearest) from error
    return text


def _colour(text: str) -> str:
    digits = _COLOURS.get(text.lower(), text.removeprefix("#"))
    try:
        Colours().parse(digits, "bg")
    except InvalidParam as error:
        detail = "bg must be #RGB, #RRGGBB, #RRGGBBAA or a basic colour of CSS such as navy"
        raise InvalidParam(detail, param="bg") from error
    return digits
