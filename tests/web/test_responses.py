"""Rules for headers, tested without a server: the tests call the functions as `web.hits` does."""

from dataclasses import replace
from typing import Any

import pytest

from imgcdn.core.request.negotiation import MAX_ACCEPT_LENGTH
from imgcdn.core.request.params import Params
from imgcdn.core.values import Effort, Source, Variant
from imgcdn.dialects.base import ImageRequest
from imgcdn.errors import (
    Forbidden,
    ImgcdnError,
    InvalidParam,
    MethodNotAllowed,
    OriginBusy,
    OriginError,
    Overloaded,
    SourceNotFound,
    SourceWithheld,
)
from imgcdn.origins.freshness import UNSTATED
from imgcdn.service.delivery import CacheStatus, Delivery
from imgcdn.web.conditions import is_unchanged
from imgcdn.web.request import Request
from imgcdn.web.responses import Lifetimes, deliver, refuse

#: Sun, 06 Nov 1994 08:49:37 GMT
MADE_AT = 784_111_777
VARIANT = Variant(b"picture", "webp", (9, 9), 7, bytes(range(32)), MADE_AT, Effort.FAST)
TAG = '"000102030405060708090a0b0c0d0e0f"'
IMAGE = ImageRequest(Source("local", "photos/a.jpg"), Params(), None)
LIFETIMES = Lifetimes(3600, 86_400, "")


def request(method: str = "GET", **headers: str) -> Request:
    named = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
    return Request(method, "/img/photos/a.jpg", named)


def headers_of(delivery: Delivery, image: ImageRequest = IMAGE, **asked: str) -> dict[str, str]:
    response = deliver(delivery, image, request(**asked), LIFETIMES)
    return {name.decode(): value.decode() for name, value in response.headers}


def permitted(*, max_age_s: int | None = None, private: bool = False, **terms: Any) -> dict[str, Any]:
    """Return the fields of a delivery whose original is fresh for 600 s, with what its origin permits others."""
    return {
        "fresh_for_s": 600,
        "max_age_s": max_age_s,
        "private": private,
        "permissions": replace(UNSTATED, **terms),
    }


@pytest.mark.parametrize(
    ("changed", "v", "expected"),
    [
        pytest.param({}, None, "public, max-age=3600, stale-while-revalidate=86400", id="a file"),
        pytest.param(
            {"fresh_for_s": 90},
            None,
            "public, max-age=90, stale-while-revalidate=86400",
            id="a remote original with 90 s left",
        ),
        pytest.param(
            {"fresh_for_s": 0},
            None,
            "public, max-age=0, stale-while-revalidate=86400",
            id="a remote original with nothing left",
        ),
        pytest.param({"fresh_for_s": 10**6}, None, "public, max-age=3600, stale-while-revalidate=86400", id="more"),
        pytest.param({}, "1", "public, max-age=31536000, immutable", id="a version"),
        pytest.param(
            {"fresh_for_s": 4, "is_final": False},
            "2",
            "public, max-age=4, stale-while-revalidate=86400",
            id="a version that the origin was not asked for yet",
        ),
        pytest.param({"private": True}, None, "no-store", id="private"),
        pytest.param({"private": True}, "1", "no-store", id="private with a version"),
        pytest.param(permitted(must_validate=True), None, "no-cache", id="the origin says no-cache"),
        pytest.param(permitted(must_validate=True, private=True), None, "no-store", id="no-cache and private"),
        pytest.param(
            permitted(must_validate=True), "1", "public, max-age=31536000, immutable", id="no-cache with a version"
        ),
        pytest.param(
            permitted(revalidation="must-revalidate"),
            None,
            "public, max-age=600, must-revalidate",
            id="must-revalidate",
        ),
        pytest.param(
            permitted(revalidation="proxy-revalidate", stale_while_revalidate_s=9),
            None,
            "public, max-age=600, proxy-revalidate",
            id="stale use that the origin forbids at the same time",
        ),
        pytest.param(permitted(stale_while_revalidate_s=0), None, "public, max-age=600", id="no stale use"),
        pytest.param(
            permitted(stale_while_revalidate_s=30),
            None,
            "public, max-age=600, stale-while-revalidate=30",
            id="short stale use",
        ),
        pytest.param(
            permitted(stale_while_revalidate_s=10**6),
            None,
            "public, max-age=600, stale-while-revalidate=86400",
            id="longer stale use than ours",
        ),
        pytest.param(
            permitted(max_age_s=5), None, "public, max-age=5, stale-while-revalidate=86400", id="less than is left"
        ),
    ],
)
def test_cache_control(changed: dict[str, Any], v: str | None, expected: str) -> None:
    delivery = Delivery(VARIANT, CacheStatus.HIT, **changed)

    assert headers_of(delivery, replace(IMAGE, v=v))["cache-control"] == expected


@pytest.mark.parametrize(
    ("changed", "v", "own", "expected"),
    [
        pytest.param({}, None, "", "public, max-age=60, stale-while-revalidate=0", id="a file"),
        pytest.param({}, "1", "", "public, max-age=60", id="a version"),
        pytest.param({"fresh_for_s": 5}, None, "", "public, max-age=5, stale-while-revalidate=55", id="5 s left"),
        pytest.param({"private": True}, None, "", "no-store", id="private"),
        pytest.param({}, None, "public, max-age=600, immutable", "public, max-age=60", id="the operator's own"),
        pytest.param({}, None, "no-cache", "no-cache, max-age=60", id="the operator's own, without a lifetime"),
    ],
)
def test_a_part_of_a_picture_is_kept_for_a_minute(
    changed: dict[str, Any], v: str | None, own: str, expected: str
) -> None:
    delivery = Delivery(replace(VARIANT, partial=True), CacheStatus.HIT, **changed)
    for asked in ({}, {"if_none_match": "*"}):
        response = deliver(delivery, replace(IMAGE, v=v), request(**asked), replace(LIFETIMES, cache_control=own))
        headers = dict(response.headers)
        assert headers[b"cache-control"].decode() == expected
        assert headers[b"cache-status"].endswith(b"; detail=partial")


@pytest.mark.parametrize(
    ("changed", "v", "expected"),
    [
        pytest.param({}, None, "public, max-age=0, must-revalidate", id="instead of ours"),
        pytest.param({}, "1", "public, max-age=0, must-revalidate", id="of a version too"),
        pytest.param({"private": True}, None, "no-store", id="never of what is private"),
    ],
)
def test_an_operators_own_cache_control(changed: dict[str, Any], v: str | None, expected: str) -> None:
    lifetimes = replace(LIFETIMES, cache_control="public, max-age=0, must-revalidate")
    response = deliver(Delivery(VARIANT, CacheStatus.HIT, **changed), replace(IMAGE, v=v), request(), lifetimes)

    assert dict(response.headers)[b"cache-control"].decode() == expected


@pytest.mark.parametrize(
    ("status", "changed", "expected"),
    [
        pytest.param(CacheStatus.HIT, {}, "imgcdn; hit; ttl=3600", id="hit"),
        pytest.param(CacheStatus.HIT, {"fresh_for_s": 5}, "imgcdn; hit; ttl=5", id="hit of a remote original"),
        pytest.param(CacheStatus.MISS, {}, "imgcdn; fwd=miss; stored", id="miss"),
        pytest.param(CacheStatus.MISS, {"stored": False}, "imgcdn; fwd=miss", id="miss that was not stored"),
        pytest.param(CacheStatus.COLLAPSED, {}, "imgcdn; fwd=miss; collapsed", id="follower"),
        pytest.param(CacheStatus.HIT, {"is_reduced": True}, "imgcdn; hit; ttl=3600; detail=still", id="hit, reduced"),
        pytest.param(CacheStatus.MISS, {"is_reduced": True}, "imgcdn; fwd=miss; stored; detail=still", id="reduced"),
        pytest.param(CacheStatus.VALIDATED, {}, "imgcdn; fwd=stale; fwd-status=304", id="validated"),
        pytest.param(CacheStatus.REFETCHED, {}, "imgcdn; fwd=stale; fwd-status=200", id="fetched again"),
    ],
)
def test_cache_status(status: CacheStatus, changed: dict[str, Any], expected: str) -> None:
    assert headers_of(Delivery(VARIANT, status, **changed))["cache-status"] == expected


@pytest.mark.parametrize(
    ("fmt", "save_data", "expected"),
    [
        pytest.param(None, False, "Accept", id="negotiated"),
        pytest.param("webp", False, None, id="fixed"),
        pytest.param(None, True, "Accept, Save-Data", id="negotiated, with save_data"),
        pytest.param("webp", True, "Save-Data", id="fixed and lossy, with save_data"),
        pytest.param("png", True, None, id="fixed and lossless, with save_data"),
    ],
)
@pytest.mark.parametrize("asked", [{}, {"if_none_match": TAG}], ids=["200", "304"])
def test_vary(fmt: str | None, save_data: bool, expected: str | None, asked: dict[str, str]) -> None:
    image = replace(IMAGE, params=Params(format=fmt))
    response = deliver(Delivery(VARIANT, CacheStatus.HIT), image, request(**asked), LIFETIMES, save_data=save_data)

    assert response.status == (304 if asked else 200)
    assert dict(response.headers).get(b"vary") == (expected and expected.encode())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, False, id="no condition"),
        pytest.param({"if_none_match": TAG}, True, id="the tag"),
        pytest.param({"if_none_match": f"W/{TAG}"}, True, id="the tag, weak"),
        pytest.param({"if_none_match": f'"x", {TAG}'}, True, id="in a list"),
        pytest.param({"if_none_match": "*"}, True, id="any"),
        pytest.param({"if_none_match": '"x"'}, False, id="another"),
        pytest.param({"if_none_match": TAG + ", " * 983}, True, id="in a list of the greatest length"),
        pytest.param({"if_none_match": TAG + ", " * 984}, False, id="in a longer list"),
        pytest.param(
            {"if_none_match": "x" * 2_001, "if_modified_since": "Tue, 01 Jan 2030 00:00:00 GMT"},
            False,
            id="a longer list takes precedence, too",
        ),
        pytest.param({"if_none_match": TAG[1:-1]}, False, id="without quotes"),
        pytest.param({"if_modified_since": "Sun, 06 Nov 1994 08:49:37 GMT"}, True, id="the date"),
        pytest.param({"if_modified_since": "Sunday, 06-Nov-94 08:49:37 GMT"}, True, id="the date as in RFC 850"),
        pytest.param({"if_modified_since": "Sun Nov  6 08:49:37 1994"}, True, id="the date as asctime writes it"),
        pytest.param({"if_modified_since": "Sun, 06 Nov 1994 08:49:36 GMT"}, False, id="a second earlier"),
        pytest.param({"if_modified_since": "Tue, 01 Jan 2030 00:00:00 GMT"}, True, id="later"),
        pytest.param({"if_modified_since": "yesterday"}, False, id="a date that cannot be read"),
        pytest.param({"if_modified_since": "784111777"}, False, id="a number"),
        pytest.param(
            {"if_none_match": '"x"', "if_modified_since": "Tue, 01 Jan 2030 00:00:00 GMT"},
            False,
            id="the tag takes precedence",
        ),
    ],
)
def test_a_condition_tells_whether_the_client_has_the_picture(asked: dict[str, str], expected: bool) -> None:
    assert is_unchanged(VARIANT, request(**asked)) is expected


@pytest.mark.parametrize(
    ("location", "download", "expected"),
    [
        pytest.param("a.jpg", None, "inline; filename=\"a.webp\"; filename*=UTF-8''a.webp", id="plain"),
        pytest.param(
            "x/ü b.jpg", None, "inline; filename=\"_ b.webp\"; filename*=UTF-8''%C3%BC%20b.webp", id="not ASCII"
        ),
        pytest.param(
            'a"b.jpg', None, "inline; filename=\"a_b.webp\"; filename*=UTF-8''a%22b.webp", id="a quotation mark"
        ),
        pytest.param("a.jpg", "me", "attachment; filename=\"me.webp\"; filename*=UTF-8''me.webp", id="download"),
        pytest.param(
            "a.jpg",
            "ü" * 100,
            f"attachment; filename=\"{'_' * 100}.webp\"; filename*=UTF-8''{'%C3%BC' * 100}.webp",
            id="a download is not cut",
        ),
        pytest.param(
            "ü" * 80 + ".jpg",
            None,
            f"inline; filename=\"{'_' * 50}.webp\"; filename*=UTF-8''{'%C3%BC' * 50}.webp",
            id="at most 100 bytes, and no half character",
        ),
    ],
)
def test_content_disposition(location: str, download: str | None, expected: str) -> None:
    image = ImageRequest(Source("local", location), Params(), None, download)

    assert headers_of(Delivery(VARIANT, CacheStatus.HIT), image)["content-disposition"] == expected


def test_a_page_is_sent_to_a_client_that_accepts_html() -> None:
    def is_page(accept: str) -> bool:
        return refuse(Forbidden(), request(accept=accept)).body[:9] == b"<!doctype"

    assert is_page("text/html")
    assert is_page("text/html".rjust(MAX_ACCEPT_LENGTH, ","))
    assert not is_page("text/html".rjust(MAX_ACCEPT_LENGTH + 1, ","))
    assert not is_page("image/webp")


def test_last_modified_and_etag_are_those_of_the_variant() -> None:
    found = headers_of(Delivery(VARIANT, CacheStatus.HIT))

    assert (found["etag"], found["last-modified"]) == (TAG, "Sun, 06 Nov 1994 08:49:37 GMT")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(InvalidParam("x", param="w"), (400, "no-store", None, None), id="bad request"),
        pytest.param(Forbidden("secret"), (403, "no-store", None, None), id="forbidden"),
        pytest.param(SourceNotFound("x"), (404, "public, max-age=10", None, None), id="not found"),
        pytest.param(MethodNotAllowed("x"), (405, "no-store", None, "GET, HEAD, OPTIONS"), id="method"),
        pytest.param(
            MethodNotAllowed("x", allowed=("POST",)), (405, "no-store", None, "POST"), id="method of an endpoint"
        ),
        pytest.param(OriginError("x", origin_retry_after_s=7), (502, "no-store", "7", None), id="origin, in 7 s"),
        pytest.param(OriginError("x"), (502, "no-store", None, None), id="origin"),
        pytest.param(OriginBusy("x"), (503, "no-store", "2", None), id="busy origin"),
        pytest.param(SourceWithheld("x"), (404, "public, max-age=10", None, None), id="withheld"),
        pytest.param(Overloaded("x"), (503, "no-store", "1", None), id="overloaded"),
    ],
)
def test_an_error_says_how_long_it_may_be_kept(
    error: ImgcdnError, expected: tuple[int, str, str | None, str | None]
) -> None:
    response = refuse(error, request())
    found = {name.decode(): value.decode() for name, value in response.headers}

    assert (response.status, found["cache-control"], found.get("retry-after"), found.get("allow")) == expected
    assert found["vary"] == "Accept"
    assert b"secret" not in response.body[:]
