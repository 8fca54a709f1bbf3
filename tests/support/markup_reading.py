"""Read markup back as a browser would."""

from dataclasses import dataclass
from html.parser import HTMLParser

from imgcdn.core.request.params import Params
from imgcdn.dialects import native
from imgcdn.dialects.base import Target
from tests.support.planning import RULES


@dataclass(frozen=True, slots=True)
class Tag:
    name: str
    attributes: dict[str, str]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), "an attribute twice"
        self.tags.append(Tag(tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data


def tags(markup: str) -> list[Tag]:
    """Return the start tags; fail if the markup has anything but tags."""
    parser = _Parser()
    parser.feed(markup)
    parser.close()
    assert parser.text == ""
    return parser.tags


def img(markup: str) -> dict[str, str]:
    """Return the attributes of markup that must be a single `<img>`."""
    [tag] = tags(markup)
    assert tag.name == "img"
    return tag.attributes


def candidates(srcset: str) -> list[tuple[int, str]]:
    """Split a srcset into (width, URL) pairs as HTML does: at commas that follow a descriptor."""
    pairs = [candidate.split(" ") for candidate in srcset.split(", ")]
    return [(int(width.removesuffix("w")), url) for url, width in pairs]


def widths(srcset: str) -> list[int]:
    return [width for width, _ in candidates(srcset)]


def read_url(url: str) -> tuple[str, Params, str | None]:
    """Return what the service reads from a URL: the location of the source, the params and the version."""
    request = native.parse(Target.read(url), RULES)
    return request.source.location, request.params, request.v
