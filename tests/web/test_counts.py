"""Counts of responses: what is counted as what."""

import pytest

from imgcdn.service.delivery import CacheStatus
from imgcdn.web.counts import Counts


@pytest.mark.parametrize(
    ("cache", "name"),
    [
        (CacheStatus.HIT, "hit"),
        (CacheStatus.MISS, "miss"),
        (CacheStatus.COLLAPSED, "collapsed"),
        (CacheStatus.VALIDATED, "stale"),
        (CacheStatus.REFETCHED, "stale"),
    ],
)
def test_each_cache_status_has_a_count(cache: CacheStatus, name: str) -> None:
    counts = Counts()
    counts.add(200, cache)

    assert counts.summary() == f"answered 1 request: 1 2xx; 1 {name}"


def test_what_is_no_image_counts_by_its_status_alone() -> None:
    counts = Counts()
    counts.add(204, None)

    assert counts.summary() == "answered 1 request: 1 2xx"


def test_errors_count_by_their_status_and_as_errors() -> None:
    counts = Counts()
    for status in (404, 404, 503):
        counts.add_error(status)

    assert (counts.total, counts.summary()) == (3, "answered 3 requests: 2 4xx, 1 5xx; 3 error")


def test_large_numbers_are_grouped() -> None:
    counts = Counts()
    counts.by_class[2] = counts.hit = 12_345

    assert counts.summary() == "answered 12,345 requests: 12,345 2xx; 12,345 hit"


def test_clients_that_left_are_counted_apart() -> None:
    counts = Counts(left=2)
    assert counts.summary() == "answered 0 requests: 2 left before the answer"

    counts.add(200, CacheStatus.MISS)
    assert counts.summary() == "answered 1 request: 1 2xx; 1 miss; 2 left before the answer"
