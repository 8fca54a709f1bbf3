"""Purging: the endpoint that removes stored pictures, or marks them as stale."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from imgcdn.core.values import Source
from imgcdn.dialects.reading import as_written, parse_source
from imgcdn.errors import InvalidParam
from imgcdn.store.purging import Purged
from imgcdn.web.admin import check_token
from imgcdn.web.endpoints.base import Context
from imgcdn.web.limits import MAX_TARGET_LENGTH
from imgcdn.web.request import Request
from imgcdn.web.responses import Response, document

PATH = "/-/purge"

_MEMBERS = ("source", "all", "soft")
_HINT = 'send {"source": "/photo.jpg"} or {"all": true}, and perhaps "soft": true'


@dataclass(frozen=True, slots=True)
class Order:
    """
    What a client wants purged.

    Args:
        source: The source; None for all sources.
        soft: Whether it is marked as stale, and not removed.
    """

    source: Source | None
    soft: bool


async def purge(context: Context, request: Request) -> Response:
    """
    Purge what the body of a request names.

    Raises:
        Unauthorized: The request has not this token.
        InvalidParam: The body is not valid.
        Forbidden: No pattern of the allowlist matches the source.
        Overloaded: The cache folder cannot be written, or too much is being purged.
    """
    check_token(request, context.admin_token)
    order = read_order(request.body)
    source = None if order.source is None else context.parts.routes.route(order.source)
    return report(await context.parts.purging.purge(source, soft=order.soft))


def report(purged: Purged) -> Response:
    """Return the response that counts what was purged."""
    return document(200, {"sources": purged.sources, "variants": purged.variants, "bytes": purged.bytes})


def read_order(body: bytes) -> Order:
    """
    Read the body of a request.

    Raises:
        InvalidParam: It is not JSON, or names not exactly one target, or has other members.
        Forbidden: The source is of a kind that is never served.
    """
    try:
        fields = json.loads(body, object_pairs_hook=_once)
    except InvalidParam:
        raise
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise InvalidParam(f"The body is not JSON; {_HINT}.") from error
    if not isinstance(fields, dict):
        raise InvalidParam(f"The body is not a JSON object; {_HINT}.")
    unknown = next((name for name in fields if name not in _MEMBERS), None)
    if unknown is not None:
        raise InvalidParam(f"The body may have the members {', '.join(_MEMBERS)}; {_HINT}.", param=unknown[:64])
    for name in ("all", "soft"):
        if not isinstance(fields.get(name, False), bool):
            raise InvalidParam(f"{name} must be true or false", param=name)
    if ("source" in fields) is fields.get("all", False):
        raise InvalidParam(f"Name either source or all; {_HINT}.")
    source = _source(fields["source"]) if "source" in fields else None
    return Order(source, fields.get("soft", False))


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Make a dict of the members of an object, each of which may occur once."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise InvalidParam("The body has a member twice; give each once.")
    return fields


def _source(written: object) -> Source:
    if not isinstance(written, str) or not 0 < len(written) <= MAX_TARGET_LENGTH:
        text = f"source must be a path or a URL of at most {MAX_TARGET_LENGTH} characters: /photo.jpg"
        raise InvalidParam(text, param="source")
    try:
        written.encode()
        return parse_source(written)
    except UnicodeEncodeError as error:
        raise InvalidParam("source must be text, without halves of characters", param="source") from error
    except InvalidParam as error:
        raise as_written(error, {"url": ("source",)}) from error
