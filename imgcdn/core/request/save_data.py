"""
Save-Data -> less of everything, where the operator says so.

The header is the client's wish for fewer bytes (https://wicg.github.io/savedata/). It counts only with the setting
`save_data`, since every cache on the way has to keep another answer for it.
"""

from dataclasses import replace

from imgcdn.core.output.formats import LOSSY, OUTPUTS
from imgcdn.core.request.negotiation import VARY
from imgcdn.core.request.params import Params

SAVE_DATA = "Save-Data"

# Of a q that was asked for: 75 becomes 49, which costs photographs 13 points of SSIMULACRA2 and saves 35 to 39 % of
# their bytes (docs/quality-auto.md). Nobody who asked for q=30 wants it worse.
_SHARE_OF_Q = 0.65
_LEAST_Q = 30

# Of what q=auto aims at: 75 becomes 60, between medium quality (50) and high (70), and saves 39 to 46 %.
_POINTS = 15
_LEAST_TARGET = 40


def wants_less(header: str | None) -> bool:
    """
    Tell whether a client asks for fewer bytes.

    Args:
        header: The value of Save-Data; None when there is none.

    >>> wants_less("on"), wants_less("ON; mode=x"), wants_less("off"), wants_less(None)
    (True, True, False, False)
    """
    return header is not None and header.split(";")[0].split(",")[0].strip(" \t").lower() == "on"


def lower_quality(params: Params) -> Params:
    """
    Return what a client that asks for fewer bytes gets instead.

    >>> lower_quality(Params(q=75)).q, lower_quality(Params(q=30)).q, lower_quality(Params(q=None, target=75)).target
    (49, 30, 60)
    """
    q = params.q and min(params.q, max(_LEAST_Q, int(params.q * _SHARE_OF_Q + 0.5)))
    target = min(params.target, max(_LEAST_TARGET, params.target - _POINTS))
    return replace(params, q=q, target=target)


def vary(params: Params, *, save_data: bool) -> str:
    """
    Return which headers of a request count in the answer to it, as Vary has them; empty for none.

    Args:
        save_data: Whether the service obeys the header.
    """
    negotiated = VARY if params.format is None else ""
    if not save_data or (params.format is not None and OUTPUTS[params.format] not in LOSSY):
        return negotiated
    return f"{negotiated}, {SAVE_DATA}" if negotiated else SAVE_DATA
