import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from imgcdn.core.memo import Memo


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Make the interpreter switch between threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_the_oldest_entry_is_evicted_first() -> None:
    memo: Memo[str, int] = Memo(2)
    for value, key in enumerate("abc"):
        memo.put(key, value)

    assert (memo.get("a"), memo.get("b"), memo.get("c")) == (None, 1, 2)


def test_replacing_an_entry_evicts_no_other() -> None:
    memo: Memo[str, int] = Memo(2)
    for value, key in enumerate("abb"):
        memo.put(key, value)

    assert (memo.get("a"), memo.get("b")) == (0, 2)


def test_an_entry_can_be_forgotten_more_than_once() -> None:
    memo: Memo[str, int] = Memo(2)
    memo.put("a", 1)
    memo.forget("a")
    memo.forget("a")

    assert memo.get("a") is None


@pytest.mark.usefixtures("frequent_switches")
def test_threads_can_put_entries_at_the_same_time() -> None:
    memo: Memo[tuple[int, int], int] = Memo(50)

    def put_many(thread: int) -> None:
        for count in range(20_000):
            memo.put((thread, count), count)

    with ThreadPoolExecutor(4) as pool:
        for put in [pool.submit(put_many, thread) for thread in range(4)]:
            put.result()
