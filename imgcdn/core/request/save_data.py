"""
Lower quality for clients that send Save-Data.

With this header a client asks for fewer bytes (https://wicg.github.io/savedata/). It has an effect only if the setting
`save_data` is on, because every cache on the way then keeps a second response.
"""

from dataclasses import replace

from imgcdn.core.output.formats import LOSSY, OUTPUTS
from imgcdn.core.request.negotiation import VARY
from imgcdn.core.request.params import LEAST_TARGET, Params

SAVE_DATA = "Save-Data"

#: A longer Save-Data counts as absent. Its one token is `on`.
MAX_SAVE_DATA_LENGTH = 100

# Factor for q: 75 becomes 49, which costs photographs 13 points of SSIMULACRA2 and saves 35 to 39 % of their bytes
# (docs/quality-auto.md). A q of 30 or less is not lowered.
_SHARE_OF_Q = 0.65
_LEAST_Q = 30

# The target of q=auto is lowered by this much: from 75 to 60, which lies between medium (50) and high (70) quality and
# saves 39 to 46 % of the bytes.
_POINTS = 15


def wants_less(header: str | None) -> bool:
    """
    Tell whether a client asks for fewer bytes.

    Args:
        header: The value of Save-Data; None if the header is absent.

    >>> wants_less("on"), wants_less("ON; mode=x"), wants_less("off"), wants_less(None)
    (True, True, False, False)
    """
    if header is None or len(header) > MAX_SAVE_DATA_LENGTH:
        return False
    return header.partition(";")[0].partition(",")[0].strip(" \t").lower() == "on"


def lower_quality(params: Params) -> Params:
    """
    Return the params for a client that asks for fewer bytes.

    >>> lower_quality(Params(q=75)).q, lower_quality(Params(q=30)).q, lower_quality(Params(q=None, target=75)).target
    (49, 30, 60)
    """
    q = params.q and min(params.q, max(_LEAST_Q, int(params.q * _SHARE_OF_Q + 0.5)))
    target = min(params.target, max(LEAST_TARGET, params.target - _POINTS))
    return replace(params, q=q, target=target)


def vary(params: Params, *, save_data: bool) -> str:
    """
    Return the value of Vary: the request headers that the response depends on; empty if there are none.

    Args:
        save_data: The setting `save_data`.
    """
    negotiated = VARY if params.format is None else ""
    if not save_data or (params.format is not None and OUTPUTS[params.format] not in LOSSY):
        return negotiated
    return f"{negotiated}, {SAVE_DATA}" if negotiated else SAVE_DATA
