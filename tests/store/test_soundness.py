"""Records with a right checksum and wrong values, as another version or a failing memory might write them."""

import json
import zlib
from typing import Any

import pytest

from imgcdn.core.values import Facts, OriginState, Previous, SourceRecord, Visit
from imgcdn.store.files import pack_record, unpack_record
from tests.support.stored import RECORD

REMOTE = SourceRecord(
    "0" * 64,
    RECORD.stamp,
    RECORD.facts,
    None,
    OriginState(
        (Visit("https://a.example/b.jpg", "192.0.2.1"),), (("etag", '"1"'),), 1.0, 2.0, storable=True, seen=("1",)
    ),
    previous=Previous("1" * 64, Facts("png", (4, 3), 1, alpha=True), 1.0),
)


def changed(path: str, value: Any) -> bytes:
    """Return a packed record with another value at a path such as `facts.size`."""
    head, _, text = pack_record(REMOTE).partition(b"\n")
    whole = json.loads(text)
    *folders, name = path.split(".")
    at = whole
    for folder in folders:
        at = at[folder]
    at[name] = value
    text = json.dumps(whole).encode()
    return b"%s %08x\n%s" % (head.rpartition(b" ")[0], zlib.crc32(text), text)


def test_a_record_is_read_as_it_was_written() -> None:
    assert unpack_record(pack_record(REMOTE)) == REMOTE
    assert unpack_record(changed("facts.frames", 7)) is not None, "this is how the others are made"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", None),
        ("version", 5),
        ("version", "\ud800"),
        ("origin.fresh_until", float("nan")),
        ("origin.fresh_until", float("inf")),
        ("stamp.size", "5"),
        ("stamp.inode", 1.5),
        ("facts.size", [3]),
        ("facts.size", [3, "4"]),
        ("facts.size", [0, 4]),
        ("facts.size", [-3, 4]),
        ("facts.format", "tiff"),
        ("facts.format", None),
        ("facts.frames", True),
        ("facts.frames", 0),
        ("facts.alpha", "yes"),
        ("facts", [1]),
        ("negative", {"slug": 1, "detail": "x", "until": 1.0, "limit": 0, "unit": ""}),
        ("origin.url", None),
        ("origin.fresh_until", "soon"),
        ("origin.storable", 1),
        ("origin.seen", [1]),
        ("previous", [1]),
        ("previous", {"version": "x", "until": 1.0}),
        ("previous.version", None),
        ("previous.version", 5),
        ("previous.version", "\ud800"),
        ("previous.facts", None),
        ("previous.facts.size", [3]),
        ("previous.facts.size", [3, "4"]),
        ("previous.facts.size", [0, 4]),
        ("previous.facts.format", "tiff"),
        ("previous.facts.frames", 0),
        ("previous.facts.frames", True),
        ("previous.facts.all_frames", -1),
        ("previous.facts.alpha", 1),
        ("previous.until", None),
        ("previous.until", "soon"),
        ("previous.until", float("nan")),
        ("previous.until", float("inf")),
        ("failed", [{"key": 1, "negative": {"slug": "x", "detail": "x", "until": 1.0, "limit": 0, "unit": ""}}]),
    ],
)
def test_a_record_with_a_wrong_value_counts_as_missing(path: str, value: Any) -> None:
    assert unpack_record(changed(path, value)) is None
