"""
How the entries of `allow` and `mounts` are written: as a text, or as a table with options.

The value of a header is never part of a message.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from imgcdn.core.request.allowlist import Pattern, parse_pattern
from imgcdn.core.request.origin_options import (
    HIDDEN,
    NO_OPTIONS,
    OriginHeader,
    OriginOptions,
    header_name,
    is_header_value,
)
from imgcdn.core.request.routes import Mount
from imgcdn.core.request.url import RemoteUrl, parse_remote
from imgcdn.core.setting import Mistake, list_of, read_each, text
from imgcdn.core.setting_tables import from_json, key_part, table_entries
from imgcdn.errors import Forbidden, InvalidParam
from imgcdn.referred import FORMS, described, read, reference_in

T = TypeVar("T")

_MOUNT_EXAMPLE = "/cms=https://cms.internal/media"

_MISSING = object()


def patterns(raw: object) -> tuple[Pattern, ...]:
    """Read the setting `allow`."""
    return list_of(_pattern)(from_json(raw))


def mounts(raw: object) -> tuple[Mount, ...]:
    """Read the setting `mounts`."""
    return read_each(table_entries(from_json(raw), _MOUNT_EXAMPLE), _mount)


def _pattern(raw: object) -> Pattern:
    raw = from_json(raw)
    if not isinstance(raw, dict):
        return _pattern_alone(raw)
    pattern, options = _with_options(raw, "pattern", _pattern_alone)
    if pattern.query is not None and not options.keeps_query:
        raise Mistake("must be keep, because the pattern has a query", part=".query")
    return replace(pattern, options=options)


def _pattern_alone(raw: object) -> Pattern:
    written = text(raw)
    try:
        return parse_pattern(written)
    except ValueError as error:
        raise Mistake(_without_password(str(error)), complete=True) from error


def _mount(entry: tuple[str, object] | Mistake) -> Mount:
    if isinstance(entry, Mistake):
        raise entry
    prefix, raw = entry
    segments = prefix.strip("/").split("/")
    if not prefix.startswith("/") or not all(segment and not segment.startswith(".") for segment in segments):
        raise Mistake("must be a path such as /cms")
    if isinstance(raw, dict):
        base, options = _with_options(raw, "base", _base)
    else:
        base, options = _base(raw), NO_OPTIONS
    return Mount(prefix.strip("/"), base, options)


def _base(raw: object) -> RemoteUrl:
    if not isinstance(raw, str):
        raise Mistake("must be text such as https://cms.internal/media", raw)
    wanted = "must lead to a base URL such as https://cms.internal/media"
    if not raw.lower().startswith(("https://", "http://")):
        raise Mistake(wanted, _without_password(raw))
    if "?" in raw:
        raise Mistake(f"{wanted}; this one has a query")
    try:
        return parse_remote(raw)
    except InvalidParam as error:
        raise Mistake(f"{wanted}; this one {error.detail.removeprefix('url ')}") from error
    except Forbidden as error:
        raise Mistake(f"{wanted}; this one has {error.log}") from error


def _with_options(raw: Mapping[str, object], name: str, parse: Callable[[object], T]) -> tuple[T, OriginOptions]:
    """
    Read an entry that is a table.

    Args:
        name: The key of what the entry is about.
        parse: Reads its value.
    """
    readers: dict[str, Callable[[object], Any]] = {
        name: parse,
        "query": _one_of("drop", "keep"),
        "stale": _one_of("permitted", "always"),
        "headers": _headers,
    }

    def read(item: tuple[str, object]) -> tuple[str, Any]:
        key, value = item
        if key not in readers:
            raise Mistake(f"is not an option; there are {', '.join(readers)}")
        if value is _MISSING:
            raise Mistake("is missing")
        return key, readers[key](value)

    items = {name: _MISSING, **raw}
    found = dict(read_each(((key_part(key), (key, value)) for key, value in items.items()), read))
    return found[name], OriginOptions(found.get("headers", ()), found.get("query", True), found.get("stale", False))


def _one_of(no: str, yes: str) -> Callable[[object], bool]:
    """Return the reader of an option that is one of two words; it tells whether it is the second one."""

    def read(raw: object) -> bool:
        if raw not in (no, yes):
            raise Mistake(f"must be one of {yes}, {no}", raw)
        return raw == yes

    return read


def _headers(raw: object) -> tuple[OriginHeader, ...]:
    if not isinstance(raw, dict):
        raise Mistake('must be a table such as { Authorization = { env = "CMS_AUTHORIZATION" } }')
    headers = read_each(((key_part(name), (name, value)) for name, value in raw.items()), _header)
    names = [header.name.lower() for header in headers]
    twice = next((header.name for header in headers if names.count(header.name.lower()) > 1), None)
    if twice is not None:
        raise Mistake(f"has {twice} twice; the case of letters makes no difference")
    return headers


def _header(item: tuple[str, object]) -> OriginHeader:
    written, raw = item
    name = header_name(written)
    if name is None:
        raise Mistake("cannot be set; Authorization, Referer, User-Agent and names that begin with X- can")
    if raw == HIDDEN:
        raise Mistake("is what `imgcdn check` shows in place of a value; write the value")
    if isinstance(raw, str):
        return OriginHeader(name, _checked_value(raw, "must be"))
    reference = reference_in(raw)
    if reference is None:
        raise Mistake(f"must be {FORMS}")
    return OriginHeader(
        name, _checked_value(read(reference), f"is in {described(reference)}, which must hold"), reference
    )


def _checked_value(value: str, must: str) -> str:
    if not is_header_value(value):
        raise Mistake(f"{must} the value of an HTTP header, in visible ASCII characters and spaces")
    return value


def _without_password(message: str) -> str:
    """Hide what an operator may have tried to write into a URL."""
    return re.sub(r":[^/@:]*@", ":...@", message)
