"""The failed variants that a record remembers: bounded in number, each for a minute."""

import zlib

import pytest

from imgcdn.core.values import FailedVariant, FileStamp, NegativeEntry, SourceRecord
from imgcdn.errors import CorruptImage, RenderFailed, RenderTimeout
from imgcdn.origins.negative import raise_failed, raise_remembered, with_failed
from imgcdn.store.files import pack_record, unpack_record

NOW = 1_700_000_000.0
RECORD = SourceRecord("ab" * 32, FileStamp(1, 2, 3, 4), None)


def _failed_keys(record: SourceRecord) -> list[str]:
    return [each.key for each in record.failed]


def test_a_failure_is_raised_for_its_own_variant_alone() -> None:
    record = with_failed(RECORD, "slow", RenderTimeout("It took too long."), now=NOW)
    with pytest.raises(RenderTimeout, match="too long"):
        raise_failed(record, "slow", now=NOW + 59)
    raise_failed(record, "quick", now=NOW)
    raise_remembered(record, now=NOW)


def test_a_failure_ends_after_a_minute() -> None:
    raise_failed(with_failed(RECORD, "slow", RenderTimeout("No."), now=NOW), "slow", now=NOW + 60)


def test_a_record_remembers_the_last_sixteen_failures() -> None:
    record = RECORD
    for number in range(20):
        record = with_failed(record, str(number), RenderFailed("No."), now=NOW)
    assert _failed_keys(record) == [str(number) for number in range(4, 20)]


def test_failures_that_have_ended_are_dropped() -> None:
    record = with_failed(RECORD, "first", RenderFailed("No."), now=NOW)
    assert _failed_keys(with_failed(record, "second", RenderFailed("No."), now=NOW + 61)) == ["second"]


def test_a_variant_that_fails_again_has_one_entry_with_the_last_error() -> None:
    record = with_failed(RECORD, "key", RenderFailed("No."), now=NOW)
    record = with_failed(record, "key", CorruptImage("A frame is damaged."), now=NOW + 30)
    assert [(each.key, each.negative.slug) for each in record.failed] == [("key", CorruptImage.slug)]


def test_a_failure_of_another_release_is_ignored() -> None:
    unknown = FailedVariant("key", NegativeEntry("too-ugly", "It is.", NOW + 100))
    raise_failed(SourceRecord("", FileStamp(1, 2, 3, 4), None, failed=(unknown,)), "key", now=NOW)


def test_the_failures_of_a_record_are_on_disk_for_all_processes() -> None:
    record = with_failed(RECORD, "slow", RenderTimeout("No."), now=NOW)
    assert unpack_record(pack_record(record)) == record


def test_a_record_of_a_release_that_remembered_no_failed_variants_is_read() -> None:
    data = pack_record(RECORD).partition(b"\n")[2].replace(b',"failed":[]', b"")
    assert unpack_record(b"imgcdn-record 1 %08x\n%s" % (zlib.crc32(data), data)) == RECORD
