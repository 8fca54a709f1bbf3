"""
Values of settings, as a file or a variable has them, -> values as the service uses them.

Each parser takes what TOML or the environment gave and raises ValueError with what it must be, as the end of a sentence
that begins with the setting's name.
"""

import re
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any

from imgcdn.core.request.routes import Mount
from imgcdn.core.request.rules import Preset, parse_preset
from imgcdn.core.request.url import parse_remote
from imgcdn.errors import Forbidden, InvalidParam

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def text(raw: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(raw, str) or not raw:
        raise ValueError("must be text")
    return raw


def folder(raw: object) -> Path:
    """Read a path; `~` is a home folder."""
    given = text(raw)
    if "\0" in given:
        raise ValueError("must be a path")
    try:
        return Path(given).expanduser()
    except RuntimeError as error:  # pathlib's word for a ~user that does not exist
        raise ValueError("must be a path whose ~ has a home folder") from error


def address(raw: object) -> str:
    """Read an address to listen on."""
    given = text(raw)
    if re.fullmatch(r"unix:/.+", given):
        return given
    match = re.fullmatch(r"(?:[^\s:\[\]]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", given)
    if match and int(match[1]) < 65_536:
        return given
    raise ValueError("must be HOST:PORT, [IPV6]:PORT or unix:/PATH")


def switch(raw: object) -> bool:
    """Read yes or no."""
    value = {"true": True, "false": False}.get(raw.lower()) if isinstance(raw, str) else raw
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def integer(low: int, high: int) -> Callable[[object], int]:
    """Return a parser of integers in a range, ends included."""

    def parse(raw: object) -> int:
        if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,18}", raw):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool) or not low <= raw <= high:
            raise ValueError(f"must be an integer from {low} to {high}")
        return raw

    return parse


def seconds(low: float, high: float) -> Callable[[object], float]:
    """Return a parser of seconds in a range, ends included."""

    def parse(raw: object) -> float:
        if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", raw):
            raw = float(raw)
        if not isinstance(raw, int | float) or isinstance(raw, bool) or not low <= raw <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return float(raw)

    return parse


def byte_count(raw: object) -> int:
    """Read a number of bytes, with or without a unit."""
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    match = re.fullmatch(r"([0-9]{1,18}) ?([A-Za-z]{0,3})", raw) if isinstance(raw, str) else None
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError("must be a number of bytes, such as 500000, 512MB or 2GiB")
    return int(match[1]) * _UNITS[match[2].lower()]


def choice(*choices: str) -> Callable[[object], str]:
    """Return a parser of one word out of some."""

    def parse(raw: object) -> str:
        if raw not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(raw)

    return parse


def names(*choices: str) -> Callable[[object], tuple[str, ...]]:
    """Return a parser of a list of words out of some, each at most once."""

    def parse(raw: object) -> tuple[str, ...]:
        items = raw.split() if isinstance(raw, str) else raw
        # Counted, not put into sets: TOML may nest lists, which do not hash.
        if not isinstance(items, list | tuple) or any(x not in choices or items.count(x) > 1 for x in items):
            raise ValueError(f"must list some of {', '.join(choices)}, each once")
        return tuple(items)

    return parse


def optional_text(raw: object) -> str:
    """Read a text that may be empty."""
    return "" if raw == "" else text(raw)


def _list(raw: object) -> list[str]:
    items = raw.split() if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of texts")
    return list(items)


def each(check: Callable[[str], object]) -> Callable[[object], tuple[str, ...]]:
    """Parse a list each of whose items must please `check`, which raises ValueError otherwise."""

    def parse(raw: object) -> tuple[str, ...]:
        items = _list(raw)
        for item in items:
            check(item)
        return tuple(items)

    return parse


def mounts(raw: object) -> tuple[Mount, ...]:
    """Read a table, or a list of `PATH=BASE`, of paths that are fetched from base URLs."""
    items = [f"{prefix}={base}" for prefix, base in raw.items()] if isinstance(raw, dict) else _list(raw)
    return tuple(_mount(item) for item in items)


def _mount(text: str) -> Mount:
    prefix, _, base = text.partition("=")
    if not re.fullmatch(r"(/[^/.][^/]*)+/?", prefix):
        raise ValueError(f"must map paths such as /cms to base URLs; {prefix!r} is no path")
    try:
        return Mount(prefix.strip("/"), parse_remote(base))
    except (InvalidParam, Forbidden) as error:
        raise ValueError(f"must map {prefix} to a base URL: {error.log or error.detail}") from error


def presets(raw: object) -> tuple[Preset, ...]:
    """Read a table, or a list of `NAME=QUERY`, of names for sets of parameters."""
    items = [f"{name}={query}" for name, query in raw.items()] if isinstance(raw, dict) else _list(raw)
    presets, problems = [], []
    for name, _, query in (item.partition("=") for item in items):
        try:
            presets.append(parse_preset(name, query))
        except InvalidParam as error:
            problems.append(f"in {name!r} {error.detail}")
    if len({preset.name for preset in presets}) < len(presets):
        problems.append("a name is there twice")
    if problems:
        raise ValueError(f"must map names to parameters such as w=200&fit=cover: {'; '.join(problems)}")
    return tuple(presets)


def widths(raw: object) -> tuple[int, ...]:
    """Read a list of widths; they come out ascending, each once."""
    items = raw.split() if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple) or not items:
        raise ValueError("must list widths in pixels, such as 320 640 1280")
    parse = integer(1, 16_383)
    return tuple(sorted({parse(item) for item in items}))


def setting(default: Any, parse: Callable[[object], Any], help: str) -> Any:
    """Declare one field of `Config`."""
    metadata = {"parse": parse, "help": help}
    return (
        field(default_factory=default, metadata=metadata)
        if callable(default)
        else field(default=default, metadata=metadata)
    )
