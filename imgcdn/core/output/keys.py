"""Names of what is kept: source folders, variant keys, ETags."""

import hashlib
from dataclasses import astuple
from functools import lru_cache

from imgcdn.core.output.plan import Plan
from imgcdn.core.values import Source

#: Raised by hand when the same plan must give other bytes: a better curve, a mended colour. Never the package's
#: or Pillow's version, which change without the output changing.
OUTPUT_VERSION = 2


@lru_cache(maxsize=16_384)  # asked twice in every hit
def source_key(source: Source) -> str:
    """Return the hex name of a source's folder."""
    return _digest(source.scheme, source.location)


def variant_key(version: str, plan: Plan) -> str:
    """
    Return the hex name of a variant within its source's folder.

    Args:
        version: SHA-256 of the original's bytes, hex.
        plan: What is made of them.
    """
    return _digest(version, str(OUTPUT_VERSION), repr(astuple(plan)))


def etag(digest: bytes) -> str:
    """
    Return the strong entity tag of a body: equal exactly where the bytes are equal, on any node.

    Args:
        digest: SHA-256 of the body.
    """
    return f'"{digest[:16].hex()}"'


def _digest(*fields: str) -> str:
    """Hash fields with their lengths before them, so that no two lists of fields run together alike."""
    hasher = hashlib.sha256()
    for field in fields:
        data = field.encode("utf-8", "surrogateescape")
        hasher.update(len(data).to_bytes(8, "big") + data)
    return hasher.hexdigest()
