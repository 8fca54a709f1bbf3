"""
Netlify Image CDN's URLs: `/.netlify/images?url=SOURCE&w=...`.

The rules are those of https://docs.netlify.com/build/image-cdn/overview/. Where that document is silent, they are those
of Netlify's own local server, the package @netlify/images:

* An unknown parameter is ignored, and an empty one counts as absent.
* The first of a repeated parameter counts. A name counts before its alias.
* Upper and lower case differ.
* The status is 404 for a transformation that is not valid, and 400 for a missing url.

This dialect departs from Netlify in one rule: it never enlarges.

`url` is decoded once, like every parameter. The result is a URL reference, whose path may itself be encoded and is then
decoded a second time: `hero%2520x.jpg` and `hero%20x.jpg` in the query both name the file `hero x.jpg`, and a `%` in a
file's name is written `%2525`. Nothing is decoded a third time. Whether the name may be served is checked afterwards.
"""

from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.arguments import Integers
from imgcdn.core.request.parameters import ALIASES, Q
from imgcdn.core.request.params import Params
from imgcdn.core.request.rules import Rules
from imgcdn.core.request.words import FITS, PICTURE_FORMAT_WORDS
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.dialects.reading import SHARP_POSITIONS, read_query
from imgcdn.errors import ImgcdnError, InvalidParam

PREFIX = "/.netlify/images"

_SPELLINGS = {
    name: (name, *(alias for alias, of in ALIASES.items() if of == name))
    for name in ("url", "w", "h", "fit", "position", "fm", "q")
}

#: Includes sharp's names, which Netlify's local server and the clients written for it pass through.
_FITS = {
    **{name: FITS[name] for name in ("contain", "cover", "fill")},
    "inside": Fit.CONTAIN,
    "outside": Fit.OUTSIDE,
}


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
    source, arguments = read_query(target.query, _SPELLINGS, prefix=PREFIX)
    return ImageRequest(source, _params(arguments, rules), v=None)


def _params(arguments: dict[str, str], rules: Rules) -> Params:
    if "position" in arguments:
        arguments["position"] = " ".join(arguments["position"].replace(",", " ").split())
    if "q" in arguments:
        Integers(Q.low, Q.high).parse(arguments["q"], "q")  # Netlify has no q=auto
    return rules.params(
        arguments, fits=_FITS, positions=SHARP_POSITIONS, formats=PICTURE_FORMAT_WORDS, has_presets=False
    )
