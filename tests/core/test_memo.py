import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from imgcdn.core.memo import Memo


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_the_entry_that_was_put_first_goes_first() -> None:
    memo: Memo[str, int] = Memo(2)
    for value, key in enumerate("abc"):
        memo.put(key, value)

    assert (memo.get("a"), memo.get("b"), memo.get("c")) == (None, 1, 2)


def test_an_entry_that_is_put_again_drives_none_out() -> None:
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


@pytest.mark.usefixtures("hasty_threads")
def test_threads_that_put_at_the_same_time_do_not_disturb_each_other() -> None:
    memo: Memo[tuple[int, int], int] = Memo(50)

    def put_many(thread: int) -> None:
        for count in range(20_000):
            memo.put((thread, count), count)

    with ThreadPoolExecutor(4) as pool:
        for put in [pool.submit(put_many, thread) for thread in range(4)]:
            put.result()
