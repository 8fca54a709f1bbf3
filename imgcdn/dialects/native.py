"""
The service's own URLs: `/img?url=SOURCE&w=...` and `/img/SOURCE?w=...`, two spellings of one request.

A target is decoded once, here. What stays percent-encoded after that is part of a name.
"""

from imgcdn.core.request.params import collect, parse_download, parse_version
from imgcdn.core.request.rules import Rules
from imgcdn.dialects.grammar import ImageRequest, decode, parse_source
from imgcdn.errors import InvalidParam

PREFIX = "/img"


def matches(path: str) -> bool:
    """Tell whether a raw path belongs to this grammar."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def parse(target: str, rules: Rules) -> ImageRequest:
    """
    Read a raw request target.

    Args:
        target: As it came over the wire, still percent-encoded, each byte one character (latin-1, as WSGI has it).
        rules: What the service admits.

    Raises:
        InvalidParam: Something in it is not valid; the error names the parameter.
        Forbidden: The source is of a kind that is not served.
    """
    path, _, query = target.partition("?")
    pairs = [_decoded_pair(pair) for pair in query.split("&") if pair]
    in_path = path[len(PREFIX) + 1 :]
    if in_path:
        pairs.append(("url", decode(in_path, param="url")))
    arguments = collect(pairs)
    if "url" not in arguments:
        raise InvalidParam("url is required: /img?url=/photo.jpg, or /img/photo.jpg", param="url")
    return ImageRequest(
        source=parse_source(arguments["url"]),
        params=rules.params(arguments),
        v=parse_version(arguments),
        download=parse_download(arguments),
    )


def _decoded_pair(pair: str) -> tuple[str, str]:
    written, _, value = pair.replace("+", " ").partition("=")
    name = decode(written, param="")
    return name, decode(value, param=name[:64])
