"""URL grammars. Each is a pure function: raw target -> what is asked for."""

from typing import Protocol

from imgcdn.core.request.rules import Rules
from imgcdn.dialects import native, netlify
from imgcdn.dialects.grammar import ImageRequest


class Grammar(Protocol):
    """A module that reads the URLs of one image CDN."""

    def matches(self, path: str) -> bool:
        """Tell whether a raw path belongs to this grammar."""

    def parse(self, target: str, rules: Rules) -> ImageRequest:
        """Read a raw request target whose path belongs to this grammar."""


GRAMMARS: tuple[Grammar, ...] = (native, netlify)


def find(path: str) -> Grammar | None:
    """Return the grammar that a raw path belongs to; None for a path that asks for no picture."""
    for grammar in GRAMMARS:
        if grammar.matches(path):
            return grammar
    return None
