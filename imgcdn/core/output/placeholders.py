"""Which parameters affect a placeholder, which is made from a small copy of the picture."""

from dataclasses import replace
from math import ceil, gcd

from imgcdn.core.output.geometry import Fit
from imgcdn.core.request.parameters import DEFAULT_Q
from imgcdn.core.request.params import Params

#: Longest edge of the copy in pixels: twice the size that hashes and data URIs are made from. The dominant colour needs
#: that many: in a smaller copy it is mixed with its neighbours.
COPY_EDGE = 64


def drop_irrelevant(params: Params) -> Params:
    """
    Reset the parameters that do not affect a placeholder, so that equal placeholders share a plan.

    `blur`, `sharpen`, `q` and `still` have no effect. `w` and `h` affect only the shape, and only if `fit` makes the
    output as wide and as high as the box.

    >>> drop_irrelevant(Params(width=1920, height=1080, fit=Fit.COVER, q=20, format="lqip")).width
    64
    """
    params = replace(params, q=DEFAULT_Q, blur=0.0, sharpen=0.0, still=False)
    width, height = params.width, params.height
    if width is None or height is None or params.fit not in (Fit.COVER, Fit.FILL, Fit.PAD):
        return replace(params, width=None, height=None, enlarge=False)
    if params.fit is Fit.PAD:
        # The share of the margin depends on whether the picture reaches the box, so the size of the box has an effect.
        return params
    # The smallest box of exactly this shape that is not smaller than the copy.
    common = gcd(width, height)
    factor = ceil(COPY_EDGE * common / max(width, height))
    return replace(params, width=width // common * factor, height=height // common * factor, enlarge=False)
