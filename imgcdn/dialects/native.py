"""
The service's own URLs: `/img?url=SOURCE&w=...` and `/img/SOURCE?w=...`, two spellings of one request.

A target is decoded once, here. What stays percent-encoded after that is part of a name.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from imgcdn.core.params import Params, collect, parse_params, parse_version
from imgcdn.core.values import Source
from imgcdn.errors import Forbidden, InvalidParam

PREFIX = "/img"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REMOTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//")


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """
    What one URL asks for.

    Args:
        source: The original.
        params: The output.
        v: The caller's version of the source; None when not given.
    """

    source: Source
    params: Params
    v: str | None


def matches(path: str) -> bool:
    """Tell whether a raw path belongs to this grammar."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def parse(target: str, *, max_dimension: int) -> ImageRequest:
    """
    Read a raw request target.

    Args:
        target: As it came over the wire, still percent-encoded, each byte one character (latin-1, as WSGI has it).
        max_dimension: Largest output edge in pixels.

    Raises:
        InvalidParam: Something in it is not valid; the error names the parameter.
        Forbidden: The source is of a kind that is not served.
    """
    path, _, query = target.partition("?")
    pairs = [_decoded_pair(pair) for pair in query.split("&") if pair]
    in_path = path[len(PREFIX) + 1 :]
    if in_path:
        pairs.append(("url", _text(in_path, param="url")))
    arguments = collect(pairs)
    if "url" not in arguments:
        raise InvalidParam("url is required: /img?url=/photo.jpg, or /img/photo.jpg", param="url")
    return ImageRequest(
        source=_source(arguments["url"]),
        params=parse_params(arguments, max_dimension=max_dimension),
        v=parse_version(arguments),
    )


def _decoded_pair(pair: str) -> tuple[str, str]:
    written, _, value = pair.replace("+", " ").partition("=")
    name = _text(written, param="")
    return name, _text(value, param=name[:64])


def _text(raw: str, *, param: str) -> str:
    try:
        return unquote_to_bytes(raw.encode("latin-1")).decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        param = param if param.isalnum() else ""
        raise InvalidParam(f"{param or 'the query'} is not UTF-8 once percent-decoded", param=param) from error


def _source(url: str) -> Source:
    if _CONTROL.search(url):
        raise InvalidParam("url must not contain control characters", param="url")
    if _REMOTE.match(url):
        raise Forbidden("remote sources are not configured")
    # A file has no query: what follows `?` tells a browser's cache apart, not originals.
    location = url.partition("?")[0].removeprefix("/")
    if not location:
        raise InvalidParam("url must name an image: /photo.jpg", param="url")
    return Source("local", location)
