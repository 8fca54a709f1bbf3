"""
The seam for URL grammars: what a dialect sees, what it returns, and what it decides by itself.

A dialect is a module with the functions of `Dialect` and one line in `imgcdn.dialects.DIALECTS`.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from imgcdn.core.request.params import Params
from imgcdn.core.request.rules import Rules
from imgcdn.core.values import Source
from imgcdn.errors import ImgcdnError


class Target(NamedTuple):
    """
    What a dialect sees of a request: everything that its answer may depend on, so all of it is in the memo's key.

    Args:
        path: Raw, as it came over the wire: percent-encoded, each byte one character (latin-1).
        query: Likewise, without the question mark.
        host: The request's host, where the configuration gives that host to a dialect; otherwise empty.
    """

    path: str
    query: str
    host: str = ""

    @classmethod
    def read(cls, raw: str, host: str = "") -> "Target":
        """
        Split a raw request target.

        >>> Target.read("/img/a.jpg?w=9")
        Target(path='/img/a.jpg', query='w=9', host='')
        """
        path, _, query = raw.partition("?")
        return cls(path, query, host)


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """
    What one URL asks for.

    Args:
        source: The original.
        params: The output.
        v: The caller's version of the source; None when not given.
        download: The name to save the picture under, without an extension; None to show it.
    """

    source: Source
    params: Params
    v: str | None
    download: str | None = None


class Dialect(Protocol):
    """
    The URLs of one image CDN. It owns its defaults, its statuses and its rules for widths.

    Attributes:
        PREFIX: What the paths of its URLs begin with.
    """

    PREFIX: str

    def matches(self, target: Target) -> bool:
        """Tell whether a target belongs to this dialect."""

    def parse(self, target: Target, rules: Rules) -> ImageRequest:
        """
        Read a target that belongs to this dialect.

        Args:
            rules: What the service admits. A dialect with widths of its own replaces `rules.widths`.

        Raises:
            RequestError: It is not valid.
        """

    def status_of(self, error: ImgcdnError) -> int:
        """Return the status that this dialect answers an error with."""
