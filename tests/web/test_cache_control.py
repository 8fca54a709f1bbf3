"""Cache-Control of a URL that expires."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, Source, Variant
from imgcdn.dialects.base import ImageRequest
from imgcdn.service.delivery import CacheStatus, Delivery
from imgcdn.web.cache_control import limit_lifetimes
from imgcdn.web.request import Request
from imgcdn.web.responses import Lifetimes, deliver

VARIANT = Variant(b"picture", "webp", (9, 9), 7, bytes(range(32)), 784_111_777, Effort.FAST)
IMAGE = ImageRequest(Source("local", "photos/a.jpg"), Params(), None)
LIFETIMES = Lifetimes(3600, 86_400, "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("public, max-age=3600", "public, max-age=600", id="longer"),
        pytest.param("public, max-age=60", "public, max-age=60", id="shorter"),
        pytest.param("max-age=31536000, immutable", "max-age=600, immutable", id="immutable until then"),
        pytest.param(
            "public, max-age=500, stale-while-revalidate=86400, stale-if-error=50",
            "public, max-age=500, stale-while-revalidate=100, stale-if-error=50",
            id="stale use ends, too",
        ),
        pytest.param(
            "max-age=0, s-maxage=9999, stale-while-revalidate=7",
            "max-age=0, s-maxage=600, stale-while-revalidate=0",
            id="shared caches",
        ),
        pytest.param("s-maxage=60", "s-maxage=60, max-age=600", id="no lifetime for browsers"),
        pytest.param("public", "public, max-age=600", id="no lifetime at all"),
        pytest.param("no-cache", "no-cache, max-age=600", id="always validated"),
        pytest.param("no-store", "no-store", id="never stored"),
        pytest.param('Public, Max-Age = "3600"', "Public, Max-Age=600", id="another spelling"),
        pytest.param("x-max-age=9999, max-age=9", "x-max-age=9999, max-age=9", id="another directive"),
    ],
)
def test_no_cache_uses_a_response_after_its_url_has_expired(value: str, expected: str) -> None:
    assert limit_lifetimes(value, 600) == expected


_SECONDS = st.integers(0, 10**6)


@given(
    given_s=st.dictionaries(
        st.sampled_from(["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"]), _SECONDS
    ),
    left_s=_SECONDS,
)
def test_freshness_and_stale_use_together_end_with_the_url(given_s: dict[str, int], left_s: int) -> None:
    value = limit_lifetimes(", ".join(f"{name}={number}" for name, number in given_s.items()) or "public", left_s)

    found = {name: int(number) for name, number in re.findall(r"([a-z-]+)=([0-9]+)", value)}
    fresh = max(found["max-age"], found.get("s-maxage", 0))
    stale = max(found.get("stale-while-revalidate", 0), found.get("stale-if-error", 0))
    assert fresh + stale <= left_s
    assert all(found[name] <= number for name, number in given_s.items())


@pytest.mark.parametrize("asked", [{}, {b"if-none-match": b"*"}], ids=["200", "304"])
@pytest.mark.parametrize(
    ("v", "own", "expected"),
    [
        pytest.param(None, "", "public, max-age=30, stale-while-revalidate=0", id="ours"),
        pytest.param("1", "", "public, max-age=30, immutable", id="of a version"),
        pytest.param(None, "public, max-age=99", "public, max-age=30", id="the operator's"),
    ],
)
def test_a_response_says_when_its_url_expires(
    v: str | None, own: str, expected: str, asked: dict[bytes, bytes]
) -> None:
    request = Request("GET", "/img/photos/a.jpg", asked)
    lifetimes = replace(LIFETIMES, cache_control=own)
    image = replace(IMAGE, v=v)

    response = deliver(Delivery(VARIANT, CacheStatus.HIT), image, request, lifetimes, left_s=30)

    headers = dict(response.headers)
    assert response.status == (304 if asked else 200)
    assert headers[b"cache-control"].decode() == expected
    assert headers[b"cache-status"] == b"imgcdn; hit; ttl=30"


def test_what_is_private_stays_out_of_caches() -> None:
    delivery = Delivery(VARIANT, CacheStatus.HIT, private=True, fresh_for_s=5)
    response = deliver(delivery, IMAGE, Request("GET", "/img/photos/a.jpg", {}), LIFETIMES, left_s=30)

    assert dict(response.headers)[b"cache-control"] == b"no-store"
    assert dict(response.headers)[b"cache-status"] == b"imgcdn; hit; ttl=5"
