import json
import struct
import zlib
from dataclasses import replace

import pytest

from imgcdn.core.output.formats import OUTPUTS
from imgcdn.core.values import Effort, EncodedImage, Facts, OriginState, Previous, SourceRecord, Visit
from imgcdn.store.files import (
    HEADER_BYTES,
    MAX_RECORD_BYTES,
    VARIANT_NAME,
    pack_record,
    pack_variant,
    unpack_header,
    unpack_record,
    unpack_variant,
    variant_name,
)
from tests.support.stored import NOW, RECORD, key, variant_file

ORIGIN = OriginState(
    (Visit("https://a.example/a", "2001:db8::1"), Visit("https://a.example/b.jpg", "192.0.2.1")),
    (("etag", '"1"'), ("vary", "accept")),
    1.5,
    2.5,
    storable=True,
    seen=("1", "2"),
)

PREVIOUS = Previous("34" * 32, Facts("gif", (3, 2), 5, alpha=True, all_frames=9), 1_700_000_000.5)


def _reseal(data: bytes) -> bytes:
    """Give a changed header a correct checksum."""
    fields = data[: HEADER_BYTES - 4]
    return fields + struct.pack(">I", zlib.crc32(fields)) + data[HEADER_BYTES:]


def _reads(data: bytes) -> bool:
    return unpack_variant(data, len(data), key=key(1)) is not None


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("body", [b"", b"x", bytes(100_000)], ids=["empty", "one byte", "large"])
def test_a_variant_reads_back_as_it_was_packed(name: str, body: bytes) -> None:
    data = pack_variant(EncodedImage(body, name, (16_383, 1), 1, Effort.FAST), key=key(1), made_at=NOW)
    assert unpack_header(data[:HEADER_BYTES], len(data), key=key(1))
    variant = unpack_variant(data, len(data), key=key(1))

    assert variant
    assert (variant.body, variant.format, variant.size) == (body, name, (16_383, 1))
    assert (variant.length, variant.made_at, variant.effort) == (len(body), NOW, Effort.FAST)


def test_a_variant_says_whether_its_original_ends_early() -> None:
    for partial in (False, True):
        data = pack_variant(EncodedImage(b"x", "webp", (9, 9), 1, Effort.FAST, partial), key=key(1), made_at=NOW)
        variant = unpack_variant(data, len(data), key=key(1))
        assert variant
        assert variant.partial is partial


def test_every_flipped_bit_is_noticed() -> None:
    data = variant_file()
    unnoticed = []
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            if _reads(bytes(damaged)):
                unnoticed.append((place, bit))

    assert unnoticed == []


def test_every_truncation_is_noticed() -> None:
    data = variant_file()
    assert [length for length in range(len(data)) if _reads(data[:length])] == []


@pytest.mark.parametrize("tail", [b"\0", b"x" * 5000], ids=["one byte", "many"])
def test_trailing_bytes_are_noticed(tail: bytes) -> None:
    assert not _reads(variant_file() + tail)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        pytest.param(7, b"\x02", id="the last layout"),
        pytest.param(8, b"jxl\x00\x00\x00\x00\x00", id="an unknown format"),
        pytest.param(48, b"\x09", id="an unknown effort"),
    ],
)
def test_a_header_of_another_version_is_a_miss_even_with_a_correct_checksum(offset: int, value: bytes) -> None:
    data = variant_file()
    assert _reads(_reseal(data))
    assert not _reads(_reseal(data[:offset] + value + data[offset + len(value) :]))


def test_a_file_of_another_variant_is_a_miss() -> None:
    data = variant_file(number=2)

    assert unpack_variant(data, len(data), key=key(2))
    assert not unpack_variant(data, len(data), key=key(1))
    assert not unpack_header(data[:HEADER_BYTES], len(data), key=key(1))


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_sweep_recognises_a_variant_by_its_name(name: str) -> None:
    assert VARIANT_NAME.fullmatch(variant_name(key(1), name))


@pytest.mark.parametrize(
    "name", ["record", "photo.webp", f"{key(1)}.log", f"{key(1)}", f"{key(1)}.webp.bak", f"x{key(1)}.webp"]
)
def test_the_sweep_recognises_no_other_name_as_a_variant(name: str) -> None:
    assert not VARIANT_NAME.fullmatch(name)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(RECORD, id="facts and a negative"),
        pytest.param(replace(RECORD, negative=None), id="facts alone"),
        pytest.param(replace(RECORD, facts=None), id="a negative alone"),
        pytest.param(replace(RECORD, origin=ORIGIN), id="what the origin said"),
        pytest.param(replace(RECORD, origin=ORIGIN, previous=PREVIOUS), id="the version before"),
    ],
)
def test_a_record_reads_back_as_it_was_packed(record: SourceRecord) -> None:
    assert unpack_record(pack_record(record)) == record


def test_every_damaged_or_truncated_record_is_noticed() -> None:
    data = pack_record(replace(RECORD, previous=PREVIOUS))
    damaged = [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in range(len(data))]
    shorter = [data[:length] for length in range(len(data))]

    assert [record for record in map(unpack_record, damaged + shorter) if record is not None] == []


def test_a_record_from_before_reduced_animations_were_counted_is_read() -> None:
    fields = json.loads(pack_record(RECORD).partition(b"\n")[2])
    del fields["facts"]["all_frames"]
    assert unpack_record(sealed(json.dumps(fields).encode())) == RECORD


def test_a_record_from_before_the_previous_version_was_kept_is_read() -> None:
    fields = json.loads(pack_record(RECORD).partition(b"\n")[2])
    del fields["previous"]
    assert unpack_record(sealed(json.dumps(fields).encode())) == RECORD


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"version": "x"}, id="fields are missing"),
        pytest.param({"version": "x", "stamp": {"new": 1}, "facts": None, "negative": None}, id="other fields"),
        pytest.param({"version": "x", "stamp": None, "facts": None, "negative": None}, id="a null"),
        pytest.param([], id="not an object"),
    ],
)
def test_a_complete_record_of_another_layout_is_a_miss(fields: object) -> None:
    assert unpack_record(sealed(json.dumps(fields).encode())) is None


def sealed(text: bytes) -> bytes:
    return b"imgcdn-record 1 %08x\n%s" % (zlib.crc32(text), text)


def test_a_record_is_read_up_to_a_length() -> None:
    _, _, text = pack_record(RECORD).partition(b"\n")
    head = len(sealed(text)) - len(text)

    assert unpack_record(sealed(text.ljust(MAX_RECORD_BYTES - head))) == RECORD
    assert unpack_record(sealed(text.ljust(MAX_RECORD_BYTES - head + 1))) is None


def test_a_record_that_is_nested_deeply_is_a_miss() -> None:
    assert unpack_record(sealed(b"[" * 100_000)) is None


@pytest.mark.parametrize("data", [b"", b"\n", b"imgcdn-record 1 00000000\n", b"\xff" * 100], ids=repr)
def test_garbage_is_not_a_record(data: bytes) -> None:
    assert unpack_record(data) is None
