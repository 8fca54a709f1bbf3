"""Attributes -> tags, escaped."""

import html
import re
from collections.abc import Mapping

# A part of what HTML allows in an attribute's name; enough for every attribute in use: https://html.spec.whatwg.org/#attributes-2
_NAME = re.compile(r"[A-Za-z_:@][A-Za-z0-9_.:@-]*")


class Html(str):
    """Markup that is escaped already: Jinja, Django and MarkupSafe see `__html__` and leave it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def tag(name: str, attributes: Mapping[str, str]) -> str:
    """
    Write a start tag.

    Raises:
        ValueError: A name is not valid for an attribute, or a value is not text.

    >>> tag("img", {"src": "/a?w=1&q=2", "alt": 'a "b"'})
    '<img src="/a?w=1&amp;q=2" alt="a &quot;b&quot;">'
    """
    return f"<{name}{''.join(_attribute(*pair) for pair in attributes.items())}>"


def check_text(name: str, value: object) -> None:
    """Raise ValueError unless the value of an argument is text."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, not {value!r}")


def _attribute(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an attribute")
    check_text(f"the attribute {name}", value)
    return f' {name}="{html.escape(value)}"'
