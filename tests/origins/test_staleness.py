"""What may be done with a record: it is used, it is used while it is validated, or it is validated first."""

from dataclasses import replace

import pytest

from imgcdn.core.values import Facts, FileStamp, NegativeEntry, OriginState, SourceRecord
from imgcdn.errors import CorruptImage, Forbidden, OriginError, SourceNotFound
from imgcdn.origins.base import Freshness
from imgcdn.origins.freshness import permissions
from imgcdn.origins.staleness import NO_STALE_USE, StaleUse, judge

NOW, YEAR = 1_767_225_600, 31_536_000
STALE_USE = StaleUse(100, 1_000)

STAMP, OTHER_STAMP = FileStamp(1, 2, 3, 4), FileStamp(1, 2, 3, 5)
FILE = SourceRecord("ab" * 32, STAMP, Facts("jpeg", (3, 2), 1, alpha=False))
FETCHED = replace(FILE, origin=OriginState((), (), NOW - 100, NOW + 60, storable=True, seen=("1", "2")))
FAILING = NegativeEntry(OriginError.slug, "", NOW + 1)
ENDED = replace(FAILING, until=NOW)


def judged(
    record: SourceRecord,
    *,
    stamp: FileStamp | None = None,
    v: str | None = None,
    later_s: float = 0,
    stale_use: StaleUse = STALE_USE,
) -> Freshness:
    return judge(record, stamp=stamp, v=v, now=NOW + later_s, max_ttl_s=YEAR, stale_use=lambda _: stale_use)


def validated(seconds_ago: float) -> SourceRecord:
    """Return a record whose origin was asked some seconds ago."""
    assert FETCHED.origin is not None
    return replace(FETCHED, origin=replace(FETCHED.origin, validated_at=NOW - seconds_ago))


@pytest.mark.parametrize(
    ("record", "stamp", "fresh"),
    [
        pytest.param(FILE, STAMP, True, id="the same file"),
        pytest.param(FILE, OTHER_STAMP, False, id="a changed file"),
        pytest.param(replace(FILE, facts=None, negative=FAILING), STAMP, True, id="a refused file"),
        pytest.param(replace(FILE, facts=None, negative=FAILING), OTHER_STAMP, False, id="a refused file that changed"),
        pytest.param(replace(FILE, facts=None, negative=ENDED), STAMP, False, id="a file to be tried again"),
        pytest.param(replace(FILE, facts=None), STAMP, False, id="a file that was never read"),
    ],
)
def test_a_file_is_fresh_while_it_is_known_and_unchanged(record: SourceRecord, stamp: FileStamp, fresh: bool) -> None:
    for v in (None, "unseen"):
        assert judged(record, stamp=stamp, v=v) is (Freshness.FRESH if fresh else Freshness.STALE)


@pytest.mark.parametrize(
    ("record", "v", "later_s", "fresh"),
    [
        pytest.param(FETCHED, None, 0, True, id="within its lifetime"),
        pytest.param(FETCHED, None, 59, True, id="a second before its end"),
        pytest.param(FETCHED, None, 60, False, id="at its end"),
        pytest.param(FETCHED, "2", 0, True, id="a version that was seen"),
        pytest.param(FETCHED, "3", 0, False, id="an unseen version"),
        pytest.param(validated(10), "3", 0, True, id="an unseen version, 10 s after a validation"),
        pytest.param(validated(11), "3", 0, False, id="an unseen version, 11 s after a validation"),
        pytest.param(replace(FETCHED, negative=ENDED), None, 0, True, id="a failure that is over"),
        pytest.param(replace(FETCHED, facts=None), None, 0, False, id="an original that was never read"),
        pytest.param(FILE, None, 0, False, id="an origin that was never asked"),
    ],
)
def test_a_response_is_fresh_for_its_lifetime(record: SourceRecord, v: str | None, later_s: float, fresh: bool) -> None:
    found = judged(record, v=v, later_s=later_s, stale_use=NO_STALE_USE)

    assert found is (Freshness.FRESH if fresh else Freshness.STALE)


def failing(slug: str, *, until: float = NOW + 10_000) -> SourceRecord:
    """Return a known record that remembers a failure."""
    return replace(FETCHED, negative=NegativeEntry(slug, "", until))


@pytest.mark.parametrize(
    ("record", "v", "later_s", "expected"),
    [
        pytest.param(FETCHED, None, 61, Freshness.STALE_OK, id="just after its lifetime"),
        pytest.param(FETCHED, None, 159, Freshness.STALE_OK, id="a second before the end of stale use"),
        pytest.param(FETCHED, None, 160, Freshness.STALE, id="at the end of stale use"),
        pytest.param(FETCHED, "2", 61, Freshness.STALE_OK, id="a version that was seen"),
        pytest.param(FETCHED, "3", 61, Freshness.STALE, id="an unseen version is asked for"),
        pytest.param(failing(OriginError.slug), None, 0, Freshness.FAILING, id="the origin fails, within its lifetime"),
        pytest.param(failing(OriginError.slug), None, 1_059, Freshness.FAILING, id="the origin fails, long after it"),
        pytest.param(failing(OriginError.slug), None, 1_061, Freshness.FRESH, id="the origin fails for too long"),
        pytest.param(failing(OriginError.slug), "3", 61, Freshness.FAILING, id="the origin fails for a new version"),
        pytest.param(failing(SourceNotFound.slug), None, 61, Freshness.FAILING, id="the origin withholds it"),
        pytest.param(failing(Forbidden.slug), None, 61, Freshness.FRESH, id="it is not allowed any more"),
        pytest.param(failing(CorruptImage.slug), None, 61, Freshness.FRESH, id="its bytes cannot be rendered"),
        pytest.param(failing(OriginError.slug, until=NOW), None, 500, Freshness.STALE_OK, id="after a failure"),
        pytest.param(failing(OriginError.slug, until=NOW), None, 1_061, Freshness.STALE, id="long after a failure"),
        pytest.param(failing(CorruptImage.slug, until=NOW), None, 500, Freshness.STALE, id="after bytes were refused"),
        pytest.param(FETCHED, None, 60 - YEAR, Freshness.FRESH, id="fresh for the longest lifetime"),
        pytest.param(FETCHED, None, 59 - YEAR, Freshness.STALE_OK, id="the clock was set back"),
    ],
)
def test_a_picture_is_shown_while_its_origin_is_asked_or_fails(
    record: SourceRecord, v: str | None, later_s: float, expected: Freshness
) -> None:
    assert judged(record, v=v, later_s=later_s) is expected


@pytest.mark.parametrize(
    ("value", "always", "permitted"),
    [
        pytest.param("max-age=600", False, (100, 1_000), id="where it states nothing, the settings count"),
        pytest.param("", False, (100, 1_000), id="no header"),
        pytest.param("stale-while-revalidate=30, stale-if-error=40", False, (30, 40), id="less than the settings"),
        pytest.param("stale-while-revalidate=999, stale-if-error=9999", False, (100, 1_000), id="more"),
        pytest.param("stale-while-revalidate=x, stale-if-error=x", False, (0, 0), id="not valid"),
        pytest.param("max-age=0", False, (0, 1_000), id="no lifetime: it is validated while the client waits"),
        pytest.param("max-age=0, stale-while-revalidate=30", False, (30, 1_000), id="no lifetime, but stale use"),
        pytest.param("max-age=600, must-revalidate, stale-if-error=40", False, (0, 0), id="must-revalidate"),
        pytest.param("s-maxage=600", False, (0, 0), id="s-maxage"),
        pytest.param("no-cache", False, (0, 0), id="no-cache"),
        pytest.param("no-cache, stale-if-error=0", True, (100, 1_000), id="the operator says always"),
    ],
)
def test_the_origin_permits_stale_use(value: str, always: bool, permitted: tuple[float, float]) -> None:
    origin = permissions((("cache-control", value),) if value else (), NOW)

    assert STALE_USE.permitted_by(origin, always=always) == StaleUse(*permitted)
