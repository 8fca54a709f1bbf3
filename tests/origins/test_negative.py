from dataclasses import replace

import pytest

from imgcdn.core.values import FileStamp, NegativeEntry, SourceRecord
from imgcdn.errors import (
    CorruptImage,
    Forbidden,
    ImageTooLarge,
    ImgcdnError,
    OriginBusy,
    OriginError,
    OriginTimeout,
    RenderTimeout,
    SourceNotFound,
    SourceWithheld,
    UnsupportedImage,
)
from imgcdn.origins.negative import blames_origin, has_live_entry, negative_entry, raise_remembered

NOW = 1_700_000_000.0
RECORD = SourceRecord("ab" * 32, FileStamp(1, 2, 3, 4), None)
TOO_LARGE = ImageTooLarge("It has too many pixels.", limit=64, unit="pixels")


def remembered(error: ImgcdnError) -> SourceRecord:
    """Return a record that remembers an error from `NOW` on."""
    return replace(RECORD, negative=negative_entry(error, now=NOW))


def entry_of(record: SourceRecord) -> NegativeEntry:
    assert record.negative is not None
    return record.negative


@pytest.mark.parametrize(
    ("error", "lasting_s", "of_origin"),
    [
        pytest.param(SourceNotFound("gone"), 10, True, id="not found"),
        pytest.param(OriginError("broken"), 2, True, id="an origin's error"),
        pytest.param(OriginError("busy", origin_retry_after_s=30), 30, True, id="an origin's error with Retry-After"),
        pytest.param(OriginTimeout("slow"), 2, True, id="an origin's timeout"),
        pytest.param(OriginBusy("busy"), 2, True, id="a busy origin"),
        pytest.param(OriginBusy("busy", origin_retry_after_s=30), 30, True, id="a busy origin with Retry-After"),
        pytest.param(Forbidden("an address"), 2, True, id="forbidden"),
        pytest.param(TOO_LARGE, 60, False, id="too large"),
        pytest.param(UnsupportedImage("no picture"), 60, False, id="unsupported"),
        pytest.param(CorruptImage("broken"), 60, False, id="corrupt"),
        pytest.param(RenderTimeout("slow"), 60, False, id="a render's timeout"),
    ],
)
def test_a_failure_is_raised_again_until_its_entry_ends(error: ImgcdnError, lasting_s: float, of_origin: bool) -> None:
    record = remembered(error)
    ends = NOW + lasting_s
    with pytest.raises(ImgcdnError) as caught:
        raise_remembered(record, now=ends - 0.5)
    raise_remembered(record, now=ends)

    assert type(caught.value) is type(error)
    assert (caught.value.detail, caught.value.log) == (error.detail, error.log)
    assert [has_live_entry(record, now=now) for now in (ends - 0.5, ends)] == [True, False]
    assert blames_origin(record) is of_origin


def test_a_record_without_a_failure_raises_nothing() -> None:
    raise_remembered(RECORD, now=NOW)

    assert not has_live_entry(RECORD, now=NOW)
    assert not blames_origin(RECORD)


def test_the_limit_of_a_large_original_is_remembered() -> None:
    with pytest.raises(ImageTooLarge) as caught:
        raise_remembered(remembered(TOO_LARGE), now=NOW)

    assert caught.value.members == {"limit": 64, "unit": "pixels"}
    assert (entry_of(remembered(CorruptImage("broken"))).limit, entry_of(remembered(CorruptImage("x"))).unit) == (0, "")


@pytest.mark.parametrize(
    ("later_s", "left_s"),
    [pytest.param(0, 30, id="at once"), pytest.param(20, 10, id="later"), pytest.param(29.9, 1, id="at least 1")],
)
@pytest.mark.parametrize("kind", [OriginError, OriginBusy])
def test_an_origins_error_names_the_seconds_that_are_left(kind: type[OriginError], later_s: float, left_s: int) -> None:
    with pytest.raises(kind) as caught:
        raise_remembered(remembered(kind("busy", origin_retry_after_s=30)), now=NOW + later_s)

    assert caught.value.retry_after_s == left_s


def test_an_original_that_is_withheld_is_remembered_as_one_that_is_not_there() -> None:
    with pytest.raises(SourceNotFound) as caught:
        raise_remembered(remembered(SourceWithheld("none here")), now=NOW + 9.5)
    raise_remembered(remembered(SourceWithheld("none here")), now=NOW + 10)

    assert type(caught.value) is SourceNotFound


def test_an_entry_of_another_version_is_ignored() -> None:
    record = replace(RECORD, negative=NegativeEntry("an-error-of-tomorrow", "", NOW + 60))
    raise_remembered(record, now=NOW)

    assert not has_live_entry(record, now=NOW)
    assert not blames_origin(record)
