"""The parsers of settings that are tables: in imgcdn.toml a table, in a variable or a flag `NAME=VALUE` or JSON."""

import json
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from imgcdn.core.setting import Mistake, read_each

T = TypeVar("T")

# A text that tries to be JSON must not be taken for a list of words: a message about one of them would show it, and it
# may hold the value of a header.
_JSON_LIST = re.compile(r'\s*\[\s*["\]]')


def table_of(parse_item: Callable[[str, object], T], *, example: str) -> Callable[[object], tuple[T, ...]]:
    """
    Return a parser of a table, or of a list of `NAME=VALUE`. Each mistake names its entry.

    Args:
        parse_item: Reads a name and its value, which is text unless a file or JSON has another type.
        example: An entry of such a list.
    """

    def read(entry: tuple[str, object] | Mistake) -> T:
        if isinstance(entry, Mistake):
            raise entry
        return parse_item(*entry)

    def parse(raw: object) -> tuple[T, ...]:
        return read_each(table_entries(from_json(raw), example), read)

    return parse


def table_entries(raw: object, example: str) -> Iterable[tuple[str, tuple[str, object] | Mistake]]:
    """Yield, for each entry, its part of the setting and either its (name, value) or the Mistake in it."""
    if isinstance(raw, dict):
        yield from ((key_part(name), (name, value)) for name, value in raw.items())
        return
    items = raw.split() if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple):
        raise Mistake(f"must be a table, or a list such as {example}", raw)
    names: set[str] = set()
    for index, item in enumerate(items):
        name, equals, value = item.partition("=") if isinstance(item, str) else ("", "", "")
        if not equals:
            yield f"[{index}]", Mistake(f"must be NAME=VALUE, such as {example}", item)
        elif name in names:
            yield f"[{index}]", Mistake(f"repeats {name}; list each once")
        else:
            yield key_part(name), (name, value)
        names.add(name)


def key_part(name: str) -> str:
    """Write a key of a table as TOML does, with quotes where a bare key could not be written."""
    return f".{name}" if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f".{json.dumps(name, ensure_ascii=False)}"


def from_json(raw: object) -> object:
    """
    Return the table or list that a text is, if it has braces, or brackets around a list; otherwise the value itself.

    Raises:
        Mistake: The text is not JSON.
    """
    if not isinstance(raw, str) or not ("{" in raw or _JSON_LIST.match(raw)):
        return raw
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        text = "must be valid JSON, because it has braces or brackets; write all entries as one JSON array or object"
        raise Mistake(f"{text}: {error}") from error
    except RecursionError as error:
        raise Mistake("is nested too deeply") from error
