"""The one walk over the chunks of a PNG."""

import io
import time

import pytest

from imgcdn.engine.png_chunks import SIGNATURE, packed, walk


def _names(data: bytes) -> list[bytes]:
    return [chunk.name for chunk in walk(io.BytesIO(data))]


def test_a_walk_yields_what_was_packed() -> None:
    file = io.BytesIO(SIGNATURE + packed(b"aaAa", b"first") + packed(b"bbBb", b"") + packed(b"IEND", b""))
    assert [(chunk.name, chunk.data(5), chunk.is_cut) for chunk in walk(file)] == [
        (b"aaAa", b"first", False),
        (b"bbBb", b"", False),
        (b"IEND", b"", False),
    ]


def test_a_chunk_that_is_too_long_or_has_a_wrong_checksum_has_no_data() -> None:
    chunk = packed(b"aaAa", b"first")
    assert next(walk(io.BytesIO(SIGNATURE + chunk))).data(4) is None
    assert next(walk(io.BytesIO(SIGNATURE + chunk[:-1] + b"\0"))).data(5) is None


@pytest.mark.parametrize("missing", [1, 4, 9])
def test_the_last_chunk_may_be_cut(missing: int) -> None:
    data = SIGNATURE + packed(b"aaAa", b"") + packed(b"bbBb", b"12345")
    assert [(chunk.name, chunk.is_cut) for chunk in walk(io.BytesIO(data[:-missing]))] == [
        (b"aaAa", False),
        (b"bbBb", True),
    ]


@pytest.mark.parametrize("data", [SIGNATURE, SIGNATURE + b"\0\0\0\0IDA", SIGNATURE[:3]])
def test_a_file_without_a_chunk_has_none(data: bytes) -> None:
    assert _names(data) == []


def test_a_walk_over_a_flood_of_chunks_ends() -> None:
    start = time.monotonic()
    assert len(_names(SIGNATURE + packed(b"aaAa", b"") * 1_000_000)) < 1_000_000
    assert time.monotonic() - start < 5
