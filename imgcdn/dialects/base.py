"""
The seam for URL grammars: what a dialect sees, what it returns and what it decides itself.

A dialect is a module with the functions of `Dialect` and one line in `imgcdn.dialects.DIALECTS`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from imgcdn.core.footprint import source_bytes
from imgcdn.core.memo import bytes_of
from imgcdn.core.request.params import Params
from imgcdn.core.request.rules import Rules
from imgcdn.core.values import Source
from imgcdn.errors import ImgcdnError

# An ImageRequest and its params, without texts.
_REQUEST_BYTES = 420


class Target(NamedTuple):
    """
    The part of a request that a dialect sees. A parse may depend on all of it, so all of it is in the memo's key.

    Args:
        path: The raw path, as it came over the wire: percent-encoded, one character for each byte (latin-1).
        query: The raw query in the same form, without the question mark.
        host: For a dialect that owns a whole host. No setting names one yet, so it is always empty.
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
        source: The original that the URL names.
        params: The parameters of the output.
        v: The version of the source that the URL names; None when it names none.
        download: The name under which a browser saves the picture, without an extension; None when it shows it.
        expires: Unix time from which the URL is refused; None when it does not expire. It is not compared, because two
            URLs that differ in it ask for the same picture.
    """

    source: Source
    params: Params
    v: str | None
    download: str | None = None
    expires: int | None = field(default=None, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Once, because every hit looks a plan up by its request. To hash all parameters takes 2 microseconds.
        object.__setattr__(self, "_hash", hash((self.source, self.params, self.v, self.download)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def memory_bytes(self) -> int:
        """Its size in memory, for memos."""
        return _REQUEST_BYTES + source_bytes(self.source) + bytes_of(self.v, self.download)


class Dialect(Protocol):
    """
    The URLs of one image CDN. A dialect decides the words that its parameters accept, and the statuses of its errors.

    A path and a parameter are read from their bytes after one percent-decoding, and a name that is given twice may be
    read in any way: signatures rely on both (`core.request.signing`).

    Attributes:
        PREFIX: What the paths of its URLs begin with: for messages and README. `matches` decides.
    """

    PREFIX: str

    def matches(self, target: Target) -> bool:
        """Tell whether a target belongs to this dialect."""

    def parse(self, target: Target, rules: Rules) -> ImageRequest:
        """
        Read a target that belongs to this dialect.

        Args:
            rules: The parameters that the service accepts. A dialect with its own widths replaces `rules.widths`.

        Raises:
            RequestError: The target is not valid.
        """

    def status_of(self, error: ImgcdnError) -> int:
        """Return this dialect's status for an error."""
