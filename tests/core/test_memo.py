import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from imgcdn.core.memo import SLOT_BYTES, Memo, memoised


def memo_of(entries: int) -> Memo[str, int]:
    """Return a memo for this many entries of 100 bytes."""
    return Memo(entries * (100 + SLOT_BYTES), lambda key, value: 100)


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Make the interpreter switch between threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_the_oldest_entry_is_evicted_first() -> None:
    memo = memo_of(2)
    for value, key in enumerate("abc"):
        memo.put(key, value)

    assert (memo.get("a"), memo.get("b"), memo.get("c")) == (None, 1, 2)


def test_replacing_an_entry_evicts_no_other() -> None:
    memo = memo_of(2)
    for value, key in enumerate("abb"):
        memo.put(key, value)

    assert (memo.get("a"), memo.get("b")) == (0, 2)


def test_an_entry_can_be_forgotten_more_than_once() -> None:
    memo = memo_of(2)
    memo.put("a", 1)
    memo.forget("a")
    memo.forget("a")

    assert memo.get("a") is None


def test_a_large_entry_evicts_several_small_ones() -> None:
    memo: Memo[str, int] = Memo(4 * SLOT_BYTES, lambda key, value: value)
    for key in "abcd":
        memo.put(key, 0)
    memo.put("e", 2 * SLOT_BYTES)

    assert [memo.get(key) for key in "abcde"] == [None, None, None, 0, 2 * SLOT_BYTES]


def test_an_entry_that_is_too_large_alone_is_not_kept_and_evicts_no_other() -> None:
    memo: Memo[str, int] = Memo(4 * SLOT_BYTES, lambda key, value: value)
    memo.put("a", 1)
    memo.put("b", 1)
    memo.put("b", 4 * SLOT_BYTES)

    assert (memo.get("a"), memo.get("b")) == (1, None)


def test_what_was_replaced_or_forgotten_takes_no_place() -> None:
    memo = memo_of(2)
    for _ in range(5):
        memo.put("a", 1)
        memo.put("b", 2)
        memo.forget("b")
    memo.put("c", 3)

    assert (memo.get("a"), memo.get("b"), memo.get("c")) == (1, None, 3)


def test_a_memoised_function_is_called_once_for_equal_arguments() -> None:
    calls: list[tuple[str, int]] = []

    @memoised(10_000, lambda result, text, count: 100)
    def repeat(text: str, count: int) -> str:
        calls.append((text, count))
        return text * count

    assert [repeat("a", 2), repeat("a", 2), repeat("a", 3)] == ["aa", "aa", "aaa"]
    assert calls == [("a", 2), ("a", 3)]


@pytest.mark.usefixtures("frequent_switches")
def test_threads_can_put_entries_at_the_same_time() -> None:
    memo: Memo[tuple[int, int], int] = Memo(50 * (100 + SLOT_BYTES), lambda key, value: 100)

    def put_many(thread: int) -> None:
        for count in range(20_000):
            memo.put((thread, count), count)

    with ThreadPoolExecutor(4) as pool:
        for put in [pool.submit(put_many, thread) for thread in range(4)]:
            put.result()

    kept = [(thread, count) for thread in range(4) for count in range(20_000) if memo.get((thread, count)) is not None]
    assert len(kept) == 50
