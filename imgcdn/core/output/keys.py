"""Names of stored things: source folders, variant keys, ETags."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum

from imgcdn.core.footprint import source_bytes
from imgcdn.core.memo import MIB, bytes_of, memoised
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import Source

#: Raise this by hand when the same plan must give other bytes, such as after a new curve or a fixed colour. The
#: versions of the package and of Pillow are not in a key, because most upgrades do not change the output.
OUTPUT_VERSION = 4


@memoised(6 * MIB, lambda key, source: bytes_of(key) + source_bytes(source))  # called twice in every hit
def source_key(source: Source) -> str:
    """Return the hex name of a source's folder."""
    return _digest(source.scheme, source.location, *([source.mount] if source.mount else []))


def variant_key(version: str, plan: Plan) -> str:
    """
    Return the key of a variant, in hex: its name within its source's folder.

    Args:
        version: SHA-256 of the original's bytes, hex.
        plan: What is made of the original.
    """
    return _digest(version, str(OUTPUT_VERSION), canonical(plan))


def canonical(value: object) -> str:
    """
    Return the canonical text of a value. Equal values have equal texts, in every release.

    The fields of a dataclass are written with their names, sorted by name. Fields with their default value are left
    out, so a new field changes no existing text. Enums are written as their values. 1 and 1.0 have different texts.

    Raises:
        TypeError: The type has no canonical text.

    >>> from imgcdn.core.output.geometry import Framing, Fit
    >>> canonical(Framing(target=(300, None), fit=Fit.COVER))
    '{"fit":"cover","target":[300,null]}'
    """
    if isinstance(value, Enum):
        return canonical(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return json.dumps(value)
    if isinstance(value, tuple):
        return f"[{','.join(map(canonical, value))}]"
    if is_dataclass(value) and not isinstance(value, type):
        return (
            "{"
            + ",".join(f"{json.dumps(name)}:{canonical(each)}" for name, each in sorted(_fields_not_default(value)))
            + "}"
        )
    raise TypeError(f"{type(value).__name__} has no canonical text")


def _fields_not_default(value: object) -> Iterator[tuple[str, object]]:
    """Yield the fields of a dataclass that do not have their default value."""
    for each in fields(value):  # type: ignore[arg-type]  # the caller has checked that it is an instance
        found = getattr(value, each.name)
        if canonical(found) != _default_text(each):
            yield each.name, found


def _default_text(declared: "Field[object]") -> str | None:
    if declared.default_factory is not MISSING:
        return canonical(declared.default_factory())
    return None if declared.default is MISSING else canonical(declared.default)


def etag(digest: bytes) -> str:
    """
    Return the strong entity tag of a body. It depends on the bytes alone, so it is the same on every server.

    Args:
        digest: SHA-256 of the body.
    """
    return f'"{digest[:16].hex()}"'


def _digest(*fields: str) -> str:
    """Hash fields, each after its length, so that ('ab', 'c') and ('a', 'bc') differ."""
    hasher = hashlib.sha256()
    for field in fields:
        data = field.encode("utf-8", "surrogateescape")
        hasher.update(len(data).to_bytes(8, "big") + data)
    return hasher.hexdigest()
