"""
The README's tables, made from the code that they describe.

    python scripts/tables.py        rewrites them in README.md, between their marks
"""

from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from enum import Enum
from pathlib import Path
from typing import Any

from imgcdn.config import ROOMS
from imgcdn.core.request.parameters import PARAMETERS
from imgcdn.core.setting import Secret, byte_count, word_of
from imgcdn.errors import public_errors

README = Path(__file__).parent.parent / "README.md"


def parameters() -> str:
    """Return the table of query parameters."""
    rows = [
        (" or ".join(f"`{name}`" for name in (row.name, *row.aliases)), row.range.summary, row.default, row.meaning)
        for row in PARAMETERS
    ]
    return _table(("parameter", "values", "default", "meaning"), rows)


def settings() -> str:
    """Return the tables of settings, one for each room."""
    tables = []
    for room, kind in ROOMS.items():
        rows = [(f"`{each.name}`", _default(each), each.metadata["help"]) for each in fields(kind)]
        tables.append(f"{TITLES[room]}\n\n{_table(('setting', 'default', 'meaning'), rows)}")
    return "\n\n".join(tables)


def errors() -> str:
    """Return the table of errors."""
    return _table(
        ("status", "type", "title"), [(str(kind.status), f"`{kind.slug}`", kind.title) for kind in public_errors()]
    )


#: What README says above the settings of a room.
TITLES = {
    "web": "HTTP:",
    "origins": "Where originals come from:",
    "store": "What is kept on disk:",
    "request": "What a request may ask for:",
    "output": "What is made:",
    "renderers": "Rendering:",
    "service": "Waiting:",
}

TABLES = {"parameters": parameters, "settings": settings, "errors": errors}


def with_tables(text: str) -> str:
    """Return a text with the table between each pair of marks made anew."""
    for name, table in TABLES.items():
        mark = f"<!-- {name} -->"
        before, _, rest = text.partition(mark)
        _, _, after = rest.partition(mark)
        text = f"{before}{mark}\n{table()}\n{mark}{after}"
    return text


def _default(setting: Field[Any]) -> str:
    """Return a default as a file or a variable would give it."""
    value = setting.default
    if value is MISSING:
        return "the CPUs"
    if value in ((), "", Secret()):
        return "empty"
    if isinstance(value, Enum):
        return f"`{word_of(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if setting.metadata["parse"] is byte_count:
        return f"`{_size(value)}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{' '.join(map(str, value))}`" if isinstance(value, tuple) else f"`{value}`"


def _size(count: int) -> str:
    """Return a number of bytes with the largest unit that divides it."""
    units = {"GiB": 2**30, "GB": 10**9, "MiB": 2**20, "MB": 10**6}
    return next((f"{count // size}{unit}" for unit, size in units.items() if count % size == 0), str(count))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
