"""Options of an allowlist entry or a mount: request headers, whether the query counts, and stale use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

#: The headers that an operator may set, by their names in lower case. Those that frame a message, name its host or
#: concern the connection stay ours.
_NAMED = {name.lower(): name for name in ("Authorization", "Referer", "User-Agent")}
_EXTENSION = re.compile(r"[Xx]-[A-Za-z0-9-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,8000}[\x21-\x7e])?")

#: What `imgcdn check` shows in place of a value.
HIDDEN = "(not shown)"


@dataclass(frozen=True, slots=True)
class OriginHeader:
    """
    A header of requests to an origin. Its value is a secret: it is in no log, no error and no `repr`.

    Args:
        name: From `header_name`.
        value: Passes `is_header_value`.
        reference: Where the settings take the value from, as ("env", name) or ("file", path); None if they contain the
            value itself.
    """

    name: str
    value: str = field(repr=False)
    reference: tuple[str, str] | None = None

    @property
    def written(self) -> object:
        """The value as imgcdn.toml has it, for `imgcdn check`."""
        return HIDDEN if self.reference is None else dict([self.reference])


@dataclass(frozen=True, slots=True)
class OriginOptions:
    """
    The options of one pattern of the allowlist, or of one mount.

    Args:
        headers: Sent with each request to a URL that this pattern matches, or that is beneath this mount's base.
        keeps_query: Whether the query of a URL belongs to the source.
        ignores_stale_rules: Whether an original may be used when it is stale, even if its origin forbids that.
    """

    headers: tuple[OriginHeader, ...] = ()
    keeps_query: bool = True
    ignores_stale_rules: bool = False

    @property
    def written(self) -> Mapping[str, object]:
        """The options as imgcdn.toml has them, without those that have their default."""
        query = {} if self.keeps_query else {"query": "drop"}
        stale = {"stale": "always"} if self.ignores_stale_rules else {}
        headers = {each.name: each.written for each in self.headers}
        return {**query, **stale, **({"headers": headers} if headers else {})}


NO_OPTIONS = OriginOptions()


def header_name(text: str) -> str | None:
    """
    Return the name of a header that an operator may set, in its usual spelling; None for other headers.

    >>> header_name("authorization"), header_name("X-Api-Key"), header_name("Host")
    ('Authorization', 'X-Api-Key', None)
    """
    return _NAMED.get(text.lower()) or (text if _EXTENSION.fullmatch(text) else None)


def is_header_value(text: str) -> bool:
    """Tell whether a text can be the value of a header (RFC 9110, section 5.5): visible ASCII characters and spaces."""
    return _VALUE.fullmatch(text) is not None
