"""
How a room declares its settings, and the parsers that several rooms use.

One field of a room's settings is one key of imgcdn.toml and one `IMGCDN_*` variable: its default, its parser and its
line in README's table stand in one place. A parser takes what TOML or the environment gave and raises `Mistake`.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

Parser = Callable[[object], Any]

#: (settings concerned, what is wrong with their combination)
Problem = tuple[tuple[str, ...], str]

E = TypeVar("E", bound=Enum)
T = TypeVar("T")
X = TypeVar("X")

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_MISSING = object()

# A message shows this many characters of a value.
_LONGEST_SHOWN = 300

# sun_path has 108 bytes, of which the last is NUL (unix(7)).
_MAX_SOCKET_PATH = 107

# The largest size of a file in POSIX (off_t). Without a limit, a number of any length would be accepted.
_MOST_BYTES = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that appears in no text about this object; empty for none."""

    text: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.text)


class Mistake(ValueError):
    """
    A value of a setting that cannot work.

    Args:
        text: What it must be, as the end of a sentence that begins with the setting's name ("must be an integer").
        found: The given value, shown at the end of the text. Leave it out if the text does not need it.
        part: The part of the setting that is wrong, such as `[2]` or `.thumb`; empty for all of it.
        complete: Whether the text is a sentence of its own; a colon then follows the setting's name.
    """

    def __init__(self, text: str, found: object = _MISSING, *, part: str = "", complete: bool = False) -> None:
        super().__init__(text)
        self.text = text if found is _MISSING else f"{text}, not {_shown(found)}"
        self.part = part
        self.complete = complete

    @property
    def all(self) -> "tuple[Mistake, ...]":
        """The mistakes that this one stands for: itself."""
        return (self,)


def _shown(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return "a table" if isinstance(value, dict) else "a list"  # something in it may be a secret
    try:
        text = repr(value)
    except ValueError:  # of an integer that was written in another base, such as 0xfff...
        return "a value with too many digits"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


class Mistakes(Mistake):
    """
    Several mistakes in one setting.

    Args:
        mistakes: At least one.
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self._all = tuple(mistakes)
        super().__init__("; ".join(f"{each.part} {each.text}" for each in self._all))

    @property
    def all(self) -> tuple[Mistake, ...]:
        """Every one of them."""
        return self._all


def setting(default: Any, parse: Parser, help: str) -> Any:
    """
    Declare one field of a room's settings.

    Args:
        default: A value, or a function that returns it.
        parse: Reads a value, and raises `Mistake`.
        help: A sentence or two for README's table, with the unit where the name does not say it.
    """
    metadata = {"parse": parse, "help": help}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def text(raw: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(raw, str) or not raw:
        raise Mistake("must be text", raw)
    return raw


def optional_text(raw: object) -> str:
    """Read a text that may be empty."""
    return "" if raw == "" else text(raw)


def folder(raw: object) -> Path:
    """Read a path; `~` is a home folder."""
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise Mistake("must be a path", raw)
    try:
        return Path(raw).expanduser()
    except RuntimeError as error:  # pathlib's word for a ~user that does not exist
        raise Mistake("must be a path whose ~ has a home folder", raw) from error


def address(raw: object) -> str:
    """Read an address to listen on."""
    if isinstance(raw, str):
        longest = len("unix:") + _MAX_SOCKET_PATH
        if raw.startswith("unix:/") and len(raw.encode("utf-8", "surrogateescape")) > longest:
            raise Mistake(f"must be the path of a socket in at most {_MAX_SOCKET_PATH} bytes", raw)
        match = re.fullmatch(r"(?:[^\s:\[\]]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", raw)
        if re.fullmatch(r"unix:/.+", raw) or (match and int(match[1]) < 65_536):
            return raw
    raise Mistake("must be HOST:PORT, [IPV6]:PORT or unix:/PATH", raw)


def header_value(raw: object) -> str:
    """Read the value of an HTTP header (RFC 9110, section 5.5), which may be empty."""
    if not isinstance(raw, str) or not re.fullmatch(r"([\x21-\x7e]([\x20-\x7e]{0,998}[\x21-\x7e])?)?", raw):
        raise Mistake("must be the value of an HTTP header, in visible ASCII characters and spaces", raw)
    return raw


def network(text: str) -> None:
    """
    Check that a text names a network, for `checked`.

    Raises:
        ValueError: It does not.
    """
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} {_why_no_network(text)}") from error


def _why_no_network(text: str) -> str:
    try:
        return f"is an address within a network; write {ipaddress.ip_network(text, strict=False)}"
    except ValueError:
        return "is not a network such as 10.0.0.0/8"


def switch(raw: object) -> bool:
    """Read true or false."""
    value = {"true": True, "false": False}.get(raw.lower()) if isinstance(raw, str) else raw
    if not isinstance(value, bool):
        raise Mistake("must be true or false", raw)
    return value


def integer(low: int, high: int) -> Callable[[object], int]:
    """Return a parser of integers in a range, ends included."""

    def parse(raw: object) -> int:
        value = int(raw) if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,18}", raw) else raw
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Mistake(f"must be an integer from {low} to {high}", raw)
        return value

    return parse


def seconds(low: float, high: float) -> Callable[[object], float]:
    """Return a parser of seconds in a range, ends included."""

    def parse(raw: object) -> float:
        value = float(raw) if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", raw) else raw
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise Mistake(f"must be a number of seconds from {low:g} to {high:g}", raw)
        return float(value)

    return parse


def byte_count(raw: object) -> int:
    """Read a number of bytes, with or without a unit."""
    match = re.fullmatch(r"([0-9]{1,18}) ?([A-Za-z]{0,3})", raw) if isinstance(raw, str) else None
    value = int(match[1]) * _UNITS.get(match[2].lower(), -1) if match else raw
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Mistake("must be a number of bytes, such as 500000, 512MB or 2GiB", raw)
    if value > _MOST_BYTES:
        raise Mistake(f"must be at most {_MOST_BYTES} bytes", raw)
    return value


def word_of(member: Enum) -> str:
    """Return the word by which a setting names a member of an enum."""
    return member.name.lower()


def choice(kind: type[E]) -> Callable[[object], E]:
    """Return a parser of one member of an enum, named by its name in lower case."""
    words = {word_of(member): member for member in kind}

    def parse(raw: object) -> E:
        if isinstance(raw, str) and raw in words:
            return words[raw]
        raise Mistake(f"must be one of {', '.join(words)}", raw)

    return parse


def names(*choices: str) -> Callable[[object], tuple[str, ...]]:
    """Return a parser of a list of words from `choices`, each at most once."""

    def parse_item(raw: object) -> str:
        if isinstance(raw, str) and raw in choices:
            return raw
        hint = "; an empty list is [] in a file, and an empty variable" if raw == "none" else ""
        raise Mistake(f"must be one of {', '.join(choices)}{hint}", *([] if hint else [raw]))

    def parse(raw: object) -> tuple[str, ...]:
        found = list_of(parse_item)(raw)
        twice = next((index for index, item in enumerate(found) if item in found[:index]), None)
        if twice is not None:
            raise Mistake(f"repeats {found[twice]}; list each once", part=f"[{twice}]")
        return found

    return parse


def list_of(parse_item: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    """Return a parser of a list, or of a text with spaces between the items. Each mistake names its item."""

    def parse(raw: object) -> tuple[T, ...]:
        items = raw.split() if isinstance(raw, str) else raw
        if not isinstance(items, list | tuple):
            raise Mistake("must be a list", raw)
        return read_each(((f"[{index}]", item) for index, item in enumerate(items)), parse_item)

    return parse


def checked(check: Callable[[str], object]) -> Callable[[object], tuple[str, ...]]:
    """
    Return a parser of a list of texts.

    Args:
        check: Raises ValueError, with a sentence, for a text that it does not accept.
    """

    def parse_item(raw: object) -> str:
        item = text(raw)
        try:
            check(item)
        except ValueError as error:
            raise Mistake(str(error), complete=True) from error
        return item

    return list_of(parse_item)


def read_each(items: Iterable[tuple[str, X]], read: Callable[[X], T]) -> tuple[T, ...]:
    """
    Read every item of a setting.

    Args:
        items: Each with its part of the setting.
        read: Reads one.

    Raises:
        Mistakes: Of all items, each with its part.
    """
    found: list[T] = []
    mistakes: list[Mistake] = []
    for part, item in items:
        try:
            found.append(read(item))
        except Mistake as mistake:
            for each in mistake.all:
                each.part = f"{part}{each.part}"
                mistakes.append(each)
    if mistakes:
        raise Mistakes(mistakes)
    return tuple(found)
