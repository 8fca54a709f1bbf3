"""Save-Data over HTTP, with the setting save_data on and off."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import serving
from tests.support.serving import CHROME, Service
from tests.web.conftest import Start

LESS = {"Save-Data": "on"}


@pytest.fixture(scope="module", params=["edge", "wsgi"])
def obedient(
    request: pytest.FixtureRequest, originals: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    start: Start = getattr(serving, request.param)
    with start(originals, tmp_path_factory.mktemp(f"obedient-{request.param}"), save_data="true") as running:
        yield running


@pytest.mark.parametrize(
    ("target", "same_as"),
    [
        pytest.param("/img/photo.jpg?w=300", "/img/photo.jpg?w=300&q=49", id="negotiated"),
        pytest.param("/img/photo.jpg?w=301&q=90", "/img/photo.jpg?w=301&q=59", id="requested q"),
        pytest.param("/img/photo.jpg?w=302&fm=jpg", "/img/photo.jpg?w=302&fm=jpg&q=49", id="jpeg"),
        pytest.param("/img/photo.jpg?w=303&fm=webp", "/img/photo.jpg?w=303&fm=webp&q=49", id="webp"),
        pytest.param("/img/photo.jpg?w=304&fm=avif", "/img/photo.jpg?w=304&fm=avif&q=49", id="avif"),
        pytest.param("/.netlify/images?url=/photo.jpg&w=305", "/img/photo.jpg?w=305&q=49", id="netlify's grammar"),
    ],
)
def test_a_client_with_save_data_gets_fewer_bytes(obedient: Service, target: str, same_as: str) -> None:
    usual = obedient.get(target, CHROME)
    missed = obedient.get(target, CHROME, headers=LESS)
    hit = obedient.get(target, CHROME, headers=LESS)
    assert (usual.status, missed.status, hit.status) == (200, 200, 200)
    assert len(missed.body) < 0.85 * len(usual.body)
    assert hit.headers["cache-status"].startswith("imgcdn; hit")
    assert hit.body == missed.body == obedient.get(same_as, CHROME).body
    assert obedient.get(target, CHROME).body == usual.body


def test_the_target_of_q_auto_is_lower(obedient: Service) -> None:
    usual, less = (obedient.get("/img/photo.jpg?w=310&q=auto", CHROME, headers=headers) for headers in ({}, LESS))
    assert len(less.body) < len(usual.body)
    assert less.headers["content-type"] == usual.headers["content-type"]


@pytest.mark.parametrize("headers", [pytest.param({}, id="without the header"), pytest.param(LESS, id="with it")])
@pytest.mark.parametrize(
    ("target", "vary"),
    [
        pytest.param("/img/photo.jpg?w=320", "Accept, Save-Data", id="negotiated"),
        pytest.param("/img/photo.jpg?w=320&q=auto", "Accept, Save-Data", id="negotiated, q=auto"),
        pytest.param("/img/photo.jpg?w=320&fm=jpg", "Save-Data", id="jpeg"),
        pytest.param("/img/photo.jpg?w=320&fm=webp&q=20", "Save-Data", id="webp"),
        pytest.param("/img/photo.jpg?w=320&fm=png", None, id="png"),
    ],
)
def test_vary_names_the_headers_that_matter(
    obedient: Service, target: str, vary: str | None, headers: dict[str, str]
) -> None:
    got = obedient.get(target, CHROME, headers=headers)
    head = obedient.get(target, CHROME, method="HEAD", headers=headers)
    unchanged = obedient.get(target, CHROME, headers={**headers, "If-None-Match": got.headers["etag"]})
    assert [response.status for response in (got, head, unchanged)] == [200, 200, 304]
    assert [response.headers.get("vary") for response in (got, head, unchanged)] == [vary] * 3


def test_the_tag_of_the_larger_picture_does_not_match(obedient: Service) -> None:
    target = "/img/photo.jpg?w=330"
    usual = obedient.get(target, CHROME)
    response = obedient.get(target, CHROME, headers={**LESS, "If-None-Match": usual.headers["etag"]})
    assert response.status == 200
    assert response.headers["etag"] != usual.headers["etag"]


def test_the_value_off_has_no_effect(obedient: Service) -> None:
    usual, off = (
        obedient.get("/img/photo.jpg?w=331", CHROME, headers=headers) for headers in ({}, {"Save-Data": "off"})
    )
    assert off.headers["etag"] == usual.headers["etag"]


def test_save_data_has_no_effect_without_the_setting(service: Service) -> None:
    usual, with_header = (service.get("/img/photo.jpg?w=332", CHROME, headers=headers) for headers in ({}, LESS))
    assert with_header.headers["etag"] == usual.headers["etag"]
    assert usual.headers["vary"] == with_header.headers["vary"] == "Accept"
    assert "vary" not in service.get("/img/photo.jpg?w=332&fm=jpg", headers=LESS).headers


def test_q_auto_is_a_separate_variant(service: Service) -> None:
    auto, again, fixed = (service.get(f"/img/photo.jpg?w=400{q}", CHROME) for q in ("&q=auto", "&quality=auto", ""))
    assert (auto.status, auto.headers["content-type"]) == (200, "image/avif")
    assert again.headers["etag"] == auto.headers["etag"]
    assert again.headers["cache-status"].startswith("imgcdn; hit")
    assert fixed.headers["cache-status"] == "imgcdn; fwd=miss; stored"


def test_an_invalid_q_is_refused_and_the_error_names_both_choices(service: Service) -> None:
    response = service.get("/img/photo.jpg?q=best")
    assert response.status == 400
    assert b"q must be an integer from 1 to 100 or auto" in response.body
