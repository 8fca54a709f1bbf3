"""What counts of a request for a placeholder, which is made from a small copy of the picture."""

from dataclasses import replace
from math import ceil, gcd

from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.parameters import DEFAULT_Q
from imgcdn.core.request.params import Params

#: Longest edge in pixels of the copy: twice what hashes and data URIs are made from. The dominant colour needs as many,
#: since a smaller copy has mixed it with its neighbours.
COPY_EDGE = 64


def drop_irrelevant(params: Params) -> Params:
    """
    Leave out what changes nothing of a placeholder, so that it does not tell two apart.

    Of `w` and `h` the shape counts, where they give one together with `fit`; of `blur`, `sharpen` and `q` nothing.

    >>> drop_irrelevant(Params(width=1920, height=1080, fit=Fit.COVER, q=20, format="lqip")).width
    64
    """
    params = replace(params, q=DEFAULT_Q, blur=0.0, sharpen=0.0, still=False)
    width, height = params.width, params.height
    if width is None or height is None or params.fit not in (Fit.COVER, Fit.FILL, Fit.PAD):
        return replace(params, width=None, height=None, enlarge=False)
    if params.fit is Fit.PAD:
        # How much of it is margin depends on whether the picture reaches the box, so the box's own pixels count.
        return params
    # The least box of exactly this shape that is not smaller than the copy.
    common = gcd(width, height)
    factor = ceil(COPY_EDGE * common / max(width, height))
    return replace(params, width=width // common * factor, height=height // common * factor, enlarge=False)
