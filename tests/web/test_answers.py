"""A 200, a 304 and a HEAD: headers, bodies, conditions."""

import hashlib
import io
from email.utils import formatdate, parsedate_to_datetime

import pytest
from PIL import Image

from imgcdn.store.files import LARGE_BYTES
from tests.support.serving import CHROME, Service

PHOTO = "/img/photo.jpg?w=200"


def test_a_200_has_these_headers_and_a_matching_body(service: Service) -> None:
    response = service.get("/img/a%20folder/%C3%BCn%C3%AF%20c%C3%B6d%C3%A9.jpg?w=60", CHROME)
    headers = response.headers
    assert response.status == 200
    assert headers["content-type"] == "image/webp"
    assert int(headers["content-length"]) == len(response.body)
    assert headers["etag"] == f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    assert (
        parsedate_to_datetime(headers["last-modified"]).timestamp()
        <= parsedate_to_datetime(headers["date"]).timestamp()
    )
    assert headers["cache-control"] == "public, max-age=3600, stale-while-revalidate=86400"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["timing-allow-origin"] == "*"
    assert headers["content-disposition"] == (
        "inline; filename=\"_n_ c_d_.webp\"; filename*=UTF-8''%C3%BCn%C3%AF%20c%C3%B6d%C3%A9.webp"
    )
    assert headers["accept-ranges"] == "bytes"
    assert "set-cookie" not in headers


def test_the_second_response_comes_from_disk(service: Service) -> None:
    first = service.get("/img/photo.jpg?w=201")
    second = service.get("/img/photo.jpg?w=201")
    assert first.headers["cache-status"] == "imgcdn; fwd=miss; stored"
    assert second.headers["cache-status"] == "imgcdn; hit; ttl=3600"
    assert first.body == second.body
    changing = dict.fromkeys(("cache-status", "date", "x-request-id"), "")
    assert {**first.headers, **changing} == {**second.headers, **changing}


def test_v_makes_a_response_immutable_and_shares_the_variant(service: Service) -> None:
    plain = service.get(PHOTO)
    versioned = service.get(PHOTO + "&v=2026-11.a_b")
    assert versioned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert versioned.headers["etag"] == plain.headers["etag"]
    assert versioned.headers["cache-status"] == "imgcdn; hit; ttl=3600"


@pytest.mark.parametrize("query", ["?w=123", "?w=124&v=1"], ids=["", "a version"])
def test_a_part_of_a_picture_says_so_and_is_kept_for_a_minute(service: Service, query: str) -> None:
    statuses = []
    for method in ("GET", "GET", "HEAD"):
        response = service.get(f"/img/truncated.jpg{query}", method=method)
        assert response.status == 200
        assert response.headers["cache-control"].startswith("public, max-age=60")
        assert "immutable" not in response.headers["cache-control"]
        statuses.append(response.headers["cache-status"])
    hit = "imgcdn; hit; ttl=60; detail=partial"
    assert statuses == ["imgcdn; fwd=miss; stored; detail=partial", hit, hit]


def test_head_is_get_without_a_body(service: Service) -> None:
    target = "/img/photo.jpg?w=202"
    head = service.get(target, method="HEAD")
    got = service.get(target)
    assert head.body == b""
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))
    assert head.headers["etag"] == got.headers["etag"]


def test_head_of_an_error_has_no_body(service: Service) -> None:
    response = service.get("/img/missing.jpg", method="HEAD")
    assert (response.status, response.body) == (404, b"")


@pytest.mark.parametrize(
    "tags", ["{etag}", "W/{etag}", '"other", {etag}', '"other",W/{etag} , "more"', "*"], ids=lambda tags: tags
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_matching_tag_is_304(service: Service, tags: str, method: str) -> None:
    full = service.get(PHOTO, CHROME)
    response = service.get(
        PHOTO, CHROME, method=method, headers={"If-None-Match": tags.format(etag=full.headers["etag"])}
    )
    assert (response.status, response.body) == (304, b"")
    for name in ("etag", "cache-control", "vary", "last-modified"):
        assert response.headers[name] == full.headers[name]
    assert "date" in response.headers
    assert "content-type" not in response.headers


@pytest.mark.parametrize("tags", ['"other"', 'W/"other"', "garbage", '"', ""], ids=repr)
def test_another_tag_is_200(service: Service, tags: str) -> None:
    service.get(PHOTO)
    response = service.get(PHOTO, headers={"If-None-Match": tags})
    assert response.status == 200
    assert len(response.body) == int(response.headers["content-length"])


@pytest.mark.parametrize(
    ("since", "status"),
    [
        pytest.param(formatdate(4_000_000_000, usegmt=True), 304, id="later"),
        pytest.param("Thu, 01 Jan 1970 00:00:00 GMT", 200, id="earlier"),
        pytest.param("yesterday", 200, id="no date"),
        pytest.param("Thu, 99 Foo 99999 99:99:99 GMT", 200, id="an impossible date"),
        pytest.param("Sun, 06 Nov 0000 08:49:37 GMT", 200, id="a date that has no timestamp"),
        pytest.param("Sun Nov  6 08:49:37 0000", 200, id="the same, asctime"),
    ],
)
def test_if_modified_since(service: Service, since: str, status: int) -> None:
    service.get(PHOTO)
    assert service.get(PHOTO, headers={"If-Modified-Since": since}).status == status


def test_the_last_modified_date_of_a_variant_is_304(service: Service) -> None:
    date = service.get(PHOTO).headers["last-modified"]
    assert service.get(PHOTO, headers={"If-Modified-Since": date}).status == 304


def test_a_tag_takes_precedence_over_a_date(service: Service) -> None:
    service.get(PHOTO)
    headers = {"If-None-Match": '"other"', "If-Modified-Since": formatdate(4_000_000_000, usegmt=True)}
    assert service.get(PHOTO, headers=headers).status == 200


def test_a_conditional_request_for_a_new_variant_renders_it_first(service: Service) -> None:
    response = service.get("/img/photo.jpg?w=203", headers={"If-None-Match": "*"})
    assert response.status == 304
    assert response.headers["cache-status"] == "imgcdn; fwd=miss; stored"


@pytest.mark.parametrize(
    ("query", "size"),
    [
        pytest.param("w=300", (300, 200), id="only a width"),
        pytest.param("h=100", (150, 100), id="only a height"),
        pytest.param("w=150&dpr=2", (300, 200), id="dpr"),
        pytest.param("w=200&h=200", (200, 133), id="contain"),
        pytest.param("w=200&h=200&fit=cover", (200, 200), id="cover"),
        pytest.param("w=200&h=200&fit=fill", (200, 200), id="fill"),
        pytest.param("w=1200&h=1200&fit=cover", (400, 400), id="a cover box beyond the source keeps its ratio"),
        pytest.param("w=5000", (600, 400), id="not enlarged by default"),
        pytest.param("w=900&enlarge=1", (900, 600), id="enlarged with enlarge"),
        pytest.param("width=300&quality=50&format=webp", (300, 200), id="aliases"),
    ],
)
def test_params_decide_the_size(service: Service, query: str, size: tuple[int, int]) -> None:
    response = service.get(f"/img/photo.jpg?{query}")
    assert Image.open(io.BytesIO(response.body)).size == size


def test_orientation_is_applied_before_sizing(service: Service) -> None:
    image = Image.open(io.BytesIO(service.get("/img/upright.jpg?w=300").body)).convert("RGB")
    assert image.size == (300, 200)
    assert image.getpixel((20, 20))[0] > 180  # type: ignore[index]  # the red quarter is at the top left


def test_position_chooses_the_part_that_is_kept(service: Service) -> None:
    query = "/img/upright.jpg?w=60&h=200&fit=cover&fm=png&position="
    left, right = (Image.open(io.BytesIO(service.get(query + side).body)).convert("RGB") for side in ("left", "right"))
    assert left.getpixel((30, 40))[0] > 180  # type: ignore[index]  # red
    assert right.getpixel((30, 40))[1] > 150  # type: ignore[index]  # green


def test_background_replaces_transparency(service: Service) -> None:
    response = service.get("/img/alpha.png?w=60&bg=0f0&fm=png")
    image = Image.open(io.BytesIO(response.body)).convert("RGBA")
    assert image.getpixel((55, 20)) == (0, 255, 0, 255)


def test_still_keeps_the_first_frame(service: Service) -> None:
    moving = Image.open(io.BytesIO(service.get("/img/animation.gif").body))
    still = Image.open(io.BytesIO(service.get("/img/animation.gif?still=1&fm=gif").body))
    assert (moving.n_frames, getattr(still, "n_frames", 1)) == (3, 1)  # type: ignore[attr-defined]  # a GIF has frames


def test_health(service: Service) -> None:
    assert service.get("/-/healthz").status == 200
    ready = service.get("/-/readyz")
    assert (ready.status, ready.body) == (200, b'{"status": "ready", "degraded": []}\n')


def test_a_picture_sent_in_slices_arrives_complete(service: Service) -> None:
    target = "/img/noise.png?fm=png&w=500"
    responses = [service.get(target) for _ in range(3)]
    assert len(responses[0].body) > LARGE_BYTES
    assert {hashlib.sha256(response.body).hexdigest()[:32] for response in responses} == {
        responses[0].headers["etag"].strip('"')
    }
    assert service.get(target, method="HEAD").headers["content-length"] == str(len(responses[0].body))
