"""
Netlify Image CDN's URLs: `/.netlify/images?url=SOURCE&w=...`.

The rules are those of https://docs.netlify.com/build/image-cdn/overview/ and, where that is silent, of Netlify's own
local server, the package @netlify/images: an unknown parameter is ignored, of a repeated one the first counts, of a
name and its alias the name, an empty one is absent, and upper and lower case differ. A transformation that is not
valid is 404, a missing url 400. Nothing is enlarged, which is where we depart from Netlify.

`url` is decoded once, as every parameter. What comes out is a URL reference, and its path may be encoded itself:
`hero%2520x.jpg` and `hero%20x.jpg` in the query both name the file `hero x.jpg`, and a `%` in a file's name is written
`%2525`. There is no third decoding, and whether the name may be served is judged afterwards.
"""

from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.arguments import Integers
from imgcdn.core.request.parameters import ALIASES
from imgcdn.core.request.params import Params
from imgcdn.core.request.rules import Rules
from imgcdn.core.request.words import FITS, PICTURES, POSITIONS
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.dialects.reading import decode, first_values, parse_source
from imgcdn.errors import ImgcdnError, InvalidParam

PREFIX = "/.netlify/images"

_SPELLINGS = {
    name: (name, *(alias for alias, of in ALIASES.items() if of == name))
    for name in ("url", "w", "h", "fit", "position", "fm", "q")
}

#: With the names of sharp, which Netlify's local server and clients written for it pass through.
_FITS = {
    **{name: FITS[name] for name in ("contain", "cover", "fill")},
    "inside": Fit.CONTAIN,
    "outside": Fit.OUTSIDE,
}

#: With sharp's spelling of the center.
_POSITIONS = {**{words: place for words, place in POSITIONS.items() if "," not in words}, "centre": POSITIONS["center"]}


def matches(target: Target) -> bool:
    """Tell whether a target belongs to this dialect."""
    return target.path in (PREFIX, PREFIX + "/")


def status_of(error: ImgcdnError) -> int:
    """Return 404 for a transformation that is not valid, as Netlify does; otherwise the error's own status."""
    return 404 if isinstance(error, InvalidParam) and error.param != "url" else error.status


def parse(target: Target, rules: Rules) -> ImageRequest:
    """
    Read a target.

    Raises:
        InvalidParam: There is no url, it does not parse, or a transformation is not valid.
        Forbidden: The source is of a kind that is not served.
    """
    raw = first_values(target.query, _SPELLINGS)
    url = raw.pop("url", None)
    if url is None:
        raise InvalidParam(f"url is required: {PREFIX}?url=/photo.jpg", param="url")
    source = parse_source(decode(url, param="url"), is_reference=True)
    return ImageRequest(source, _params(raw, rules), v=None)


def _params(raw: dict[str, str], rules: Rules) -> Params:
    arguments = {name: decode(value, param=name) for name, value in raw.items()}
    if "position" in arguments:
        arguments["position"] = " ".join(arguments["position"].replace(",", " ").split())
    if "q" in arguments:
        Integers(1, 100).parse(arguments["q"], "q")  # Netlify does not know auto
    return rules.params(arguments, fits=_FITS, positions=_POSITIONS, formats=PICTURES)
