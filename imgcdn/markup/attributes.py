"""The attributes of an `<img>` that do not depend on its candidates: how it loads, and what is shown until then."""

import re
from collections.abc import Mapping

from imgcdn.markup.tags import check_text

_HEX_COLOUR = re.compile(r"#([0-9A-Fa-f]{3}){1,2}")

# No character of this alphabet ends a CSS url() or its declaration.
_DATA_URI = re.compile(r"data:image/(avif|gif|jpeg|png|webp);base64,[A-Za-z0-9+/]+={0,2}")

#: Attributes that have an argument of their own.
_OWN = frozenset(["src", "srcset", "sizes", "width", "height", "alt"])


def other_attributes(*, priority: bool, placeholder: str | None, attributes: Mapping[str, str]) -> dict[str, str]:
    """
    Return the attributes of an `<img>` that do not depend on its candidates.

    Args:
        priority: Whether to load the picture at once.
        placeholder: What to show until then: a colour, or a data URI.
        attributes: Further ones, which override those for loading.

    Raises:
        ValueError: An attribute has an argument of its own, or a value is not valid.
    """
    _check_attributes(attributes)
    given = {name.lower(): value for name, value in attributes.items()}
    if own := _OWN & given.keys():
        raise ValueError(f"attributes must not have {', '.join(sorted(own))}: give the argument of that name")
    loading = {"loading": "eager", "decoding": "sync", "fetchpriority": "high"}
    if not priority:
        loading = {"loading": "lazy", "decoding": "async"}
    if placeholder is not None:
        given["style"] = "; ".join(filter(None, [_style(placeholder), given.get("style")]))
    return loading | given


def _check_attributes(attributes: object) -> None:
    if not isinstance(attributes, Mapping) or not all(isinstance(name, str) for name in attributes):
        raise ValueError(f"attributes must be a dict of names and values, not {attributes!r}")


def _style(placeholder: str) -> str:
    check_text("placeholder", placeholder)
    if _HEX_COLOUR.fullmatch(placeholder):
        return f"background-color: {placeholder}"
    if _DATA_URI.fullmatch(placeholder):
        return f"background: url({placeholder}) center/cover no-repeat"
    raise ValueError(
        f"placeholder must be a colour such as '#d4c4a8' or the data URI of fm=lqip, not {placeholder[:80]!r}"
    )
