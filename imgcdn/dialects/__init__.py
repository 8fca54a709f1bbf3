"""URL grammars of image CDNs. Each is a pure function from a raw target to an `ImageRequest`."""

from imgcdn.core.request.rules import Rules
from imgcdn.dialects import astro, native, netlify
from imgcdn.dialects.base import Dialect, ImageRequest, Target
from imgcdn.errors import ImgcdnError

#: Every dialect. No two match one target.
DIALECTS: tuple[Dialect, ...] = (native, netlify, astro)


def find(target: Target) -> Dialect | None:
    """Return the dialect that a target belongs to; None when the target is not the URL of an image."""
    for dialect in DIALECTS:
        if dialect.matches(target):
            return dialect
    return None


def parse(target: Target, rules: Rules) -> ImageRequest:
    """
    Read a target that belongs to a dialect.

    Raises:
        RequestError: The target is not valid. The error carries the status that its dialect gives.
    """
    dialect = find(target)
    assert dialect is not None
    try:
        return dialect.parse(target, rules)
    except ImgcdnError as error:
        error.dialect_status = dialect.status_of(error)
        raise
