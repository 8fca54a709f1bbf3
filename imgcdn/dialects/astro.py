"""
Astro's own image endpoint: `/_image?href=SOURCE&w=...`, as a site with a Node or a static build writes it.

The rules are those of Astro's base service (astro/dist/assets/services, version 7.3): it reads href, w, h, q, f, fit,
position and background, ignores every other parameter, and takes a word for q. This dialect departs from it in three
places. An invalid value is 400; Astro ignores it or answers 500. Without `f` the format is negotiated; Astro
sends webp. `f=svg` is refused, because no SVG is served.

`href` is decoded once, as every parameter. What comes out is a URL reference, so its path may be encoded itself.
"""

from imgcdn.core.output.geometry import Fit, Position, Smart
from imgcdn.core.request.params import Params
from imgcdn.core.request.rules import Rules
from imgcdn.core.request.words import PICTURES, POSITIONS
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.dialects.reading import decode, first_values, parse_source
from imgcdn.errors import ImgcdnError, InvalidParam

PREFIX = "/_image"

#: Our parameter -> Astro's name for it.
_NAMES = {
    "url": ("href",),
    "w": ("w",),
    "h": ("h",),
    "q": ("q",),
    "fm": ("f",),
    "fit": ("fit",),
    "position": ("position",),
    "bg": ("background",),
}

#: As Astro hands them to sharp.
_FITS = {
    "fill": Fit.FILL,
    "contain": Fit.CONTAIN,
    "cover": Fit.COVER,
    "none": Fit.OUTSIDE,
    "scale-down": Fit.CONTAIN,
    "outside": Fit.OUTSIDE,
    "inside": Fit.CONTAIN,
}

_QUALITIES = {"low": "25", "mid": "50", "high": "80", "max": "100"}

#: sharp's strategies look for the subject, and so does `smart`.
_POSITIONS: dict[str, Position | Smart] = {
    **{words: place for words, place in POSITIONS.items() if "," not in words},
    "centre": POSITIONS["center"],
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
    raw = first_values(target.query, _NAMES)
    href = raw.pop("url", None)
    if href is None:
        raise InvalidParam(f"href is required: {PREFIX}?href=/photo.jpg", param="href")
    source = parse_source(decode(href, param="href"), is_reference=True)
    arguments = {name: decode(value, param=name) for name, value in raw.items()}
    return ImageRequest(source, _params(arguments, rules), v=None)


def _params(arguments: dict[str, str], rules: Rules) -> Params:
    if "q" in arguments:
        arguments["q"] = _QUALITIES.get(arguments["q"], arguments["q"])
    if "bg" in arguments:
        arguments["bg"] = _COLOURS.get(arguments["bg"].lower(), arguments["bg"].removeprefix("#"))
    return rules.params(arguments, fits=_FITS, positions=_POSITIONS, formats=PICTURES)
