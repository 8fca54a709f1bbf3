"""
Accept -> one of five client classes.

avif and webp are sent only if the header names them: curl and every browser send `*/*`, which says nothing about
them. (RFC 9110, section 12.5.1, for the grammar and q-values; section 12.4.1 permits disregarding the header.)
"""

import re
from collections.abc import Mapping, Sequence

from imgcdn.core.output.formats import FORMATS, NEGOTIATED
from imgcdn.core.quoting import hide_quoted

#: The formats of NEGOTIATED that a client can show, in its order of preference.
ClientClass = tuple[str, ...]

VARY = "Accept"

#: A longer Accept is ignored. No browser's is nearly as long.
MAX_ACCEPT_LENGTH = 2_000

_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_ALWAYS_SHOWN = ("image/jpeg", "image/png")
# The ranges whose weights count. A header may list a thousand others.
_READ = frozenset([*(fmt.media_type for fmt in NEGOTIATED), *_ALWAYS_SHOWN, "image/*", "*/*"])
_ORDER = tuple(fmt.name for fmt in NEGOTIATED)


def client_class(accept: str | None, order: Sequence[str] = _ORDER) -> ClientClass:
    """
    Return which of avif and webp a client can show, in its order of preference.

    Args:
        accept: The header's value; None if it is absent.
        order: The formats that the server offers. Between equal weights, the earlier one comes first.

    >>> client_class("image/webp, */*;q=0.8")
    ('webp',)
    >>> client_class("image/webp, image/avif")
    ('avif', 'webp')
    """
    if not accept or len(accept) > MAX_ACCEPT_LENGTH:
        return ()
    weights = _parse(accept)
    # A format with a lower weight than jpeg and png is not sent: the client prefers those.
    floor = max(_weight_of(weights, name) for name in _ALWAYS_SHOWN)
    named = [(weights.get(FORMATS[name].media_type, 0.0), name) for name in order]
    named.sort(key=lambda pair: -pair[0])  # stable, so ties keep the server's order
    return tuple(name for weight, name in named if weight > 0 and weight >= floor)


def _weight_of(weights: Mapping[str, float], media_type: str) -> float:
    """Return the weight of a type: that of the most specific range that matches it (RFC 9110, section 12.5.1)."""
    return next((weights[name] for name in (media_type, "image/*", "*/*") if name in weights), 0.0)


def _parse(accept: str) -> dict[str, float]:
    # A quoted value may contain separators. Its content has no effect here.
    visible = hide_quoted(accept.lower())
    if '"' in visible:
        return {}
    weights: dict[str, float] = {}
    for part in visible.split(","):
        media_type, _, rest = part.partition(";")
        media_type = media_type.strip(" \t")
        if media_type not in _READ:
            continue
        parameters = [piece.strip(" \t") for piece in rest.split(";")]
        # If a type is listed twice, the lower weight counts, so that a refusal has an effect.
        weights[media_type] = min(_weight(parameters), weights.get(media_type, 1.0))
    return weights


def _weight(parameters: Sequence[str]) -> float:
    written = [_WEIGHT.fullmatch(text) for text in parameters if text.partition("=")[0].strip() == "q"]
    # A weight that does not parse counts as 0, because the client may have meant to refuse the format.
    return min((float(match[1]) if match else 0.0 for match in written), default=1.0)
