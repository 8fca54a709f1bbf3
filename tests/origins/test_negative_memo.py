"""Failures of sources of which nothing else is known: bounded in bytes, and for each host."""

import tracemalloc

import pytest

from imgcdn.core.values import FileStamp, NegativeEntry, OriginState, SourceRecord, Visit
from imgcdn.errors import CorruptImage, SourceNotFound
from imgcdn.origins.negative import negative_entry
from imgcdn.origins.negative_memo import NegativeMemo

NOW = 1_700_000_000.0
_LIMIT = 100_000


class _Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def _failed(until: float = NOW + 10, detail: str = "gone") -> SourceRecord:
    return SourceRecord("", FileStamp(0, 0, 0, 0), None, NegativeEntry(SourceNotFound.slug, detail, until))


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def memo(clock: _Clock) -> NegativeMemo:
    return NegativeMemo(_LIMIT, clock=clock)


def _kept(memo: NegativeMemo, keys: list[str]) -> list[str]:
    return [key for key in keys if memo.get(key) is not None]


def test_a_failure_is_remembered_until_it_is_forgotten(memo: NegativeMemo) -> None:
    memo.put("a", "host", _failed())
    memo.put("b", "host", other := _failed(detail="other"))
    memo.forget("a")
    memo.forget("nothing")

    assert memo.get("a") is None
    assert memo.get("b") is other


def test_a_source_that_fails_again_has_its_last_failure(memo: NegativeMemo) -> None:
    memo.put("a", "host", _failed())
    size = memo.size
    memo.put("a", "another host", last := _failed(detail="gone"))

    assert memo.get("a") is last
    assert (len(memo), memo.size - size) == (1, len("another host") - len("host"))


def test_one_host_takes_a_quarter_at_most_and_loses_its_own_oldest(memo: NegativeMemo) -> None:
    memo.put("good", "other", _failed())
    keys = [f"key {number}" for number in range(1_000)]
    for key in keys:
        memo.put(key, "host", _failed())
    kept = _kept(memo, keys)

    assert memo.size <= _LIMIT // 4 + 1_000
    assert len(kept) > 20
    assert kept == keys[-len(kept) :]
    assert memo.get("good") is not None


def test_many_hosts_together_stay_below_the_limit(memo: NegativeMemo) -> None:
    keys = [f"key {number}" for number in range(1_000)]
    for key in keys:
        memo.put(key, f"host of {key}", _failed())
    kept = _kept(memo, keys)

    assert memo.size <= _LIMIT
    assert kept == keys[-len(kept) :]
    assert len(kept) > 80


def test_a_long_text_counts(memo: NegativeMemo) -> None:
    memo.put("a", "host", _failed())
    memo.put("b", "host", _failed(detail="é" * 20_000))

    assert memo.get("b") is None, "alone, it is more than a quarter"
    assert (len(memo), memo.size) == (0, 0)


def test_entries_that_have_ended_make_way(memo: NegativeMemo, clock: _Clock) -> None:
    for number in range(10):
        memo.put(str(number), "host", _failed(NOW + 10))
    clock.now += 11
    memo.put("new", "host", _failed(NOW + 30))

    assert len(memo) == 1


@pytest.mark.parametrize("hosts", [1, 10_000])
def test_it_takes_about_as_much_memory_as_it_counts(hosts: int, clock: _Clock) -> None:
    memo = NegativeMemo(clock=clock)
    tracemalloc.start()
    try:
        for number in range(10_000):
            record = SourceRecord("", FileStamp(0, 0, 0, 0), None, negative_entry(SourceNotFound("no"), now=NOW))
            memo.put(f"{number:064x}", f"{number % hosts}.example", record)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert memo.size * 0.5 < taken < memo.size * 1.5
    assert memo.size <= 4 * 2**20


def test_what_an_origin_said_counts(clock: _Clock) -> None:
    memo = NegativeMemo(clock=clock)
    way = tuple(Visit("https://a.test/" + "u" * 8_000, "192.0.2.1") for _ in range(6))
    negative = negative_entry(CorruptImage("no"), now=NOW)
    record = SourceRecord("", FileStamp(0, 0, 0, 0), None, negative, OriginState(way, (), NOW, NOW, storable=True))
    for number in range(1_000):
        memo.put(f"{number:064x}", "a.test", record)

    assert 0 < len(memo) < 25
