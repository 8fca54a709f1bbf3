"""
Our values as JSON, and back: what messages consist of.

A message may come from a process that an original has taken over. So it names no class to build: a value is built only
where the type of its place says so, and each text and number in it is checked. Nothing in a message is hashed or
referred to, so it takes time and memory in proportion to its length.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from imgcdn import errors
from imgcdn.errors import ImgcdnError

#: Longest text in an error. Every detail is shorter, and so is every text for the log.
MOST_TEXT_LENGTH = errors.MAX_LOG_LENGTH

#: No number of ours has more bits: an inode number has 64.
_MOST = 2**64

_ERRORS = {
    kind.slug: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ImgcdnError) and "slug" in vars(kind)
}

_NUMBERS: frozenset[type] = frozenset({int, float})
_PLAIN: frozenset[type] = frozenset({str, bool, int, float, NoneType})

_File = bytes | bytearray

#: Builds a value from what JSON gave, and from the bytes that a message has beside its JSON.
Reader = Callable[[Any, _File], Any]


class WrongShape(ValueError):
    """A message is not made as its kind demands."""


def write(value: object) -> tuple[bytes, _File]:
    """Return a value as JSON, and the bytes that are in it, which the JSON leaves out. They may be in one place."""
    files: list[_File] = []
    text = json.dumps(value, default=functools.partial(_plain, files), separators=(",", ":"))
    return text.encode("ascii"), files[0] if files else b""


def read(text: bytes, file: _File, kind: Any) -> Any:
    """
    Build a value.

    Args:
        text, file: As from `write`.
        kind: Its type: a dataclass, an `Enum`, an error, a tuple type, a simple type, or a union of such.

    Raises:
        WrongShape: The JSON has something else.
    """
    try:
        found = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise WrongShape(f"no JSON: {type(error).__name__}") from error
    return _reader(kind)(found, file)


def _plain(files: list[_File], value: object) -> object:
    """Return what stands for a value that JSON does not know."""
    if isinstance(value, bytes | bytearray):
        files.append(value)
        return len(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, ImgcdnError):
        members = (getattr(value, name) for name in _members(value.slug))
        return [value.slug, *(_written_text(each) if isinstance(each, str) else each for each in members)]
    kind: Any = type(value)
    return [kind.__name__, *[getattr(value, name) for name in _names(kind)]]


def _written_text(text: str) -> str:
    """Return a text as it may be in an error: a path may have bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[:MOST_TEXT_LENGTH]


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


@functools.cache
def _members(slug: str) -> dict[str, Any]:
    """Return the arguments of an error with their types. Each is an attribute of that name, too."""
    hints = get_type_hints(_ERRORS[slug].__init__)
    del hints["return"]
    return hints


@functools.cache
def _reader(kind: Any) -> Reader:
    if isinstance(kind, UnionType):
        return _union(get_args(kind))
    if get_origin(kind) is tuple:
        return _tuple(*get_args(kind))
    if is_dataclass(kind):
        return _dataclass(kind)
    if issubclass(kind, Enum):
        return functools.partial(_enum, kind)
    return _error if kind is ImgcdnError else _SIMPLE[kind]


def _dataclass(kind: Any) -> Reader:
    hints, title = get_type_hints(kind), kind.__name__
    parts = [(name, _plain_types(hints[name]), _reader(hints[name])) for name in _names(kind)]
    length = len(parts) + 1

    def built(value: Any, file: _File) -> Any:
        if type(value) is not list or len(value) != length or value[0] != title:
            raise WrongShape(f"no {title}")
        found = {}
        for (name, plain_types, part), each in zip(parts, value[1:], strict=True):
            # No call for most parts: with one for each, a job takes a third longer.
            is_plain = type(each) in plain_types and (type(each) not in _NUMBERS or -_MOST < each < _MOST)
            found[name] = each if is_plain else part(each, file)
        return kind(**found)

    return built


def _plain_types(kind: Any) -> frozenset[type]:
    """Return the types whose values stand for themselves where a kind is expected."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return frozenset(each for each in _PLAIN if each in kinds)


def _tuple(*kinds: Any) -> Reader:
    is_any_length = kinds[-1] is Ellipsis
    readers = [_reader(each) for each in kinds if each is not Ellipsis]

    def built(value: Any, file: _File) -> Any:
        if type(value) is not list or (len(value) != len(readers) and not is_any_length):
            raise WrongShape("no tuple of that length")
        parts = readers * len(value) if is_any_length else readers
        return tuple([part(each, file) for part, each in zip(parts, value, strict=True)])

    return built


def _union(kinds: tuple[Any, ...]) -> Reader:
    classes: list[Any] = [each for each in kinds if is_dataclass(each)]
    named = {each.__name__: _reader(each) for each in classes}
    others = [_reader(each) for each in kinds if each not in classes]

    def built(value: Any, file: _File) -> Any:
        title = value[0] if type(value) is list and value else None
        if type(title) is str and title in named:
            return named[title](value, file)
        for part in others:
            try:
                return part(value, file)
            except WrongShape:
                continue
        raise WrongShape("none of several kinds")

    return built


def _enum(kind: type[Enum], value: Any, _: _File) -> Enum:
    member = kind.__members__.get(value) if type(value) is str else None
    if member is None:
        raise WrongShape(f"no {kind.__name__}")
    return member


def _error(value: Any, file: _File) -> ImgcdnError:
    slug = value[0] if type(value) is list and value else None
    kind = _ERRORS.get(slug) if type(slug) is str else None
    if kind is None:
        raise WrongShape("no error")
    members = _members(slug)
    if len(value) != len(members) + 1:
        raise WrongShape(f"no {slug}")
    readers = (_error_text if each is str else _reader(each) for each in members.values())
    return kind(**{name: part(each, file) for name, part, each in zip(members, readers, value[1:], strict=True)})


def _error_text(value: Any, _: _File) -> str:
    if type(value) is not str or len(value) > MOST_TEXT_LENGTH or any("\ud800" <= each <= "\udfff" for each in value):
        raise WrongShape("no text for an error")
    return value


def _text(value: Any, _: _File) -> str:
    if type(value) is not str:
        raise WrongShape("no text")
    return value


def _truth(value: Any, _: _File) -> bool:
    if type(value) is not bool:
        raise WrongShape("neither true nor false")
    return value


def _integer(value: Any, _: _File) -> int:
    if type(value) is not int or not -_MOST < value < _MOST:
        raise WrongShape("no integer of at most 64 bits")
    return value


def _number(value: Any, file: _File) -> float:
    if type(value) is not float:
        return float(_integer(value, file))  # a setting may be 10 where its type is a float
    if not -_MOST < value < _MOST:
        raise WrongShape("no number, or a huge one")
    return value


def _nothing(value: Any, _: _File) -> None:
    if value is not None:
        raise WrongShape("not null")


def _file(value: Any, file: _File) -> _File:
    if type(value) is not int or value != len(file):
        raise WrongShape("not the length of the file")
    return file


_SIMPLE: dict[type, Reader] = {
    str: _text,
    bool: _truth,
    int: _integer,
    float: _number,
    NoneType: _nothing,
    bytes: _file,
}
