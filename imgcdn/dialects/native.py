"""
The service's own URLs: `/img?url=SOURCE&w=...` and `/img/SOURCE?w=...`, two spellings of one request.

A target is percent-decoded once, here. An escape that is still there afterwards is part of a name. In the path, a
question mark can only have come from `%3F`, so it is part of a name, too (RFC 3986, section 2.2). In `url`, it begins a
query, which a mount sends on and a file ignores.
"""

from imgcdn.core.request.params import collect, parse_download, parse_version
from imgcdn.core.request.rules import Rules
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.dialects.reading import decode, parse_source
from imgcdn.errors import ImgcdnError, InvalidParam

PREFIX = "/img"


def matches(target: Target) -> bool:
    """Tell whether a target belongs to this dialect."""
    return target.path == PREFIX or target.path.startswith(PREFIX + "/")


def status_of(error: ImgcdnError) -> int:
    """Return the error's own status."""
    return error.status


def parse(target: Target, rules: Rules) -> ImageRequest:
    """
    Read a target.

    Raises:
        InvalidParam: A parameter is not valid. The error names it.
        Forbidden: The source is of a kind that is not served.
    """
    pairs = [_decode_pair(pair) for pair in target.query.split("&") if pair]
    in_path = target.path[len(PREFIX) + 1 :]
    if in_path:
        pairs.append(("url", decode(in_path, param="url")))
    arguments = collect(pairs)
    for name in ("exp", "kid"):
        if name in arguments and "s" not in arguments:
            raise InvalidParam(
                f"{name} belongs to a signed URL, and this one has no s; `imgcdn sign` makes it", param=name
            )
    if "url" not in arguments:
        raise InvalidParam("url is required: /img?url=/photo.jpg, or /img/photo.jpg", param="url")
    return ImageRequest(
        source=parse_source(arguments["url"], has_query=not in_path),
        params=rules.params(arguments),
        v=parse_version(arguments),
        download=parse_download(arguments),
    )


def _decode_pair(pair: str) -> tuple[str, str]:
    written, _, value = pair.replace("+", " ").partition("=")
    name = decode(written, param="")
    return name, decode(value, param=name[:64])
