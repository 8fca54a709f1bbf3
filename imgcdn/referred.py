"""Secrets that the settings do not contain but refer to: `{ file = "PATH" }` or `{ env = "VARIABLE" }`."""

import os
from collections.abc import Callable, Mapping

from imgcdn.core.setting import Mistake, read_each
from imgcdn.core.setting_tables import from_json

#: How a value may be written, for messages.
FORMS = 'text, { env = "VARIABLE" } or { file = "PATH" }'

#: Longest file with a secret. A longer one must not be cut: its beginning may be a valid key.
_MAX_FILE_BYTES = 16_384


def reference_in(raw: object) -> tuple[str, str] | None:
    """Return a reference as ("env", name) or ("file", path); None if the value is none."""
    if not isinstance(raw, Mapping) or len(raw) != 1:
        return None
    kind, place = next(iter(raw.items()))
    return (kind, place) if kind in _READERS and isinstance(place, str) else None


def described(reference: tuple[str, str]) -> str:
    """
    Name the place of a secret, for a message.

    >>> described(("file", "/run/secrets/cms"))
    'the file /run/secrets/cms'
    """
    kind, place = reference
    return f"the {'variable' if kind == 'env' else kind} {place}"


def read(reference: tuple[str, str]) -> str:
    """
    Return the text that a reference leads to. Line ends at the end of a file are dropped.

    Raises:
        Mistake: There is none, or it cannot be read.
    """
    kind, place = reference
    return _READERS[kind](place)


def with_texts(raw: object) -> object:
    """
    Return a list with the texts that its references lead to; anything else as it is.

    Raises:
        Mistakes: Of all references, each with its part.
    """
    raw = from_json(raw)
    if not isinstance(raw, list):
        return raw
    return list(read_each(((f"[{index}]", item) for index, item in enumerate(raw)), _text))


def with_text(raw: object) -> object:
    """
    Return the text that a value leads to, if it is a reference; anything else as it is.

    Raises:
        Mistake: There is none, or it cannot be read.
    """
    return _text(from_json(raw) if isinstance(raw, str) and raw.startswith("{") else raw)


def _text(item: object) -> object:
    reference = reference_in(item)
    return item if reference is None else read(reference)


def _from_variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise Mistake(f"is in the variable {name}, which is not set")
    return value


def _from_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError for a NUL in the path
        why = error.strerror if isinstance(error, OSError) else error
        raise Mistake(f"is in the file {path}, which cannot be read: {why}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise Mistake(f"is in the file {path}, which has more than {_MAX_FILE_BYTES:,} bytes")
    return content.decode("latin-1").rstrip("\r\n")


_READERS: Mapping[str, Callable[[str], str]] = {"env": _from_variable, "file": _from_file}
