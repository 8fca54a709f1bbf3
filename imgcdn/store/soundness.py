"""Whether values that were read from a file have the types that their classes state."""

import math
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin


def is_sound(value: object, kind: Any) -> bool:
    """
    Tell whether a value is of a type, and each of its parts too. Texts must be Unicode, and numbers finite.

    Args:
        kind: A class; a dataclass, whose fields are looked at; a tuple type; or a union of such.

    >>> is_sound((1, 2), tuple[int, int]), is_sound((1, "2"), tuple[int, int]), is_sound(True, int)
    (True, False, False)
    """
    if isinstance(kind, UnionType):
        return any(is_sound(value, each) for each in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and _are_sound(value, get_args(kind))
    if isinstance(value, bool) and kind is not bool:
        return False
    if isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value):
        return False  # half of a pair, which cannot be written
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if not isinstance(value, int | float if kind is float else kind):  # JSON may write 1.0 as 1
        return False
    return not is_dataclass(kind) or all(is_sound(getattr(value, each.name), each.type) for each in fields(kind))


def _are_sound(values: tuple[object, ...], kinds: tuple[Any, ...]) -> bool:
    if kinds[-1] is Ellipsis:
        return all(is_sound(each, kinds[0]) for each in values)
    return len(values) == len(kinds) and all(map(is_sound, values, kinds))
