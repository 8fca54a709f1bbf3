"""Save-Data over HTTP, where the operator obeys it and where not."""

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
        pytest.param("/img/photo.jpg?w=301&q=90", "/img/photo.jpg?w=301&q=59", id="a q that was requested"),
        pytest.param("/img/photo.jpg?w=302&fm=jpg", "/img/photo.jpg?w=302&fm=jpg&q=49", id="jpeg"),
        pytest.param("/img/photo.jpg?w=303&fm=webp", "/img/photo.jpg?w=303&fm=webp&q=49", id="webp"),
        pytest.param("/img/photo.jpg?w=304&fm=avif", "/img/photo.jpg?w=304&fm=avif&q=49", id="avif"),
        pytest.param("/.netlify/images?url=/photo.jpg&w=305", "/img/photo.jpg?w=305&q=49", id="netlify's grammar"),
    ],
)
def test_who_saves_data_gets_fewer_bytes(obedient: Service, target: str, same_as: str) -> None:
    usual = obedient.get(target, CHROME)
    missed = obedient.get(target, CHROME, headers=LESS)
    hit = obedient.get(target, CHROME, headers=LESS)
    assert (usual.status, missed.status, hit.status) == (200, 200, 200)
    assert len(missed.body) < 0.85 * len(usual.body)
    assert hit.headers["cache-status"].startswith("imgcdn; hit")
    assert hit.body == missed.body == obedient.get(same_as, CHROME).body
    assert obedient.get(target, CHROME).body == usual.body


def test_q_auto_aims_lower(obedient: Service) -> None:
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
def test_vary_names_what_counts(obedient: Service, target: str, vary: str | None, headers: dict[str, str]) -> None:
    got = obedient.get(target, CHROME, headers=headers)
    head = obedient.get(target, CHROME, method="HEAD", headers=headers)
    unchanged = obedient.get(target, CHROME, headers={**headers, "If-None-Match": got.headers["etag"]})
    assert [response.status for response in (got, head, unchanged)] == [200, 200, 304]
    assert [response.headers.get("vary") for response in (got, head, unchanged)] == [vary] * 3


def test_the_other_picture_is_not_unchanged(obedient: Service) -> None:
    target = "/img/photo.jpg?w=330"
    usual = obedient.get(target, CHROME)
    response = obedient.get(target, CHROME, headers={**LESS, "If-None-Match": usual.headers["etag"]})
    assert response.status == 200
    assert response.headers["etag"] != usual.headers["etag"]


def test_off_is_as_if_it_were_not_sent(obedient: Service) -> None:
    usual, off = (
        obedient.get("/img/photo.jpg?w=331", CHROME, headers=headers) for headers in ({}, {"Save-Data": "off"})
    )
    assert off.headers["etag"] == usual.headers["etag"]


def test_without_the_setting_it_counts_for_nothing(service: Service) -> None:
    usual, asked = (service.get("/img/photo.jpg?w=332", CHROME, headers=headers) for headers in ({}, LESS))
    assert asked.headers["etag"] == usual.headers["etag"]
    assert usual.headers["vary"] == asked.headers["vary"] == "Accept"
    assert "vary" not in service.get("/img/photo.jpg?w=332&fm=jpg", headers=LESS).headers


def test_q_auto_is_a_picture_of_its_own(service: Service) -> None:
    auto, again, fixed = (service.get(f"/img/photo.jpg?w=400{q}", CHROME) for q in ("&q=auto", "&quality=auto", ""))
    assert (auto.status, auto.headers["content-type"]) == (200, "image/avif")
    assert again.headers["etag"] == auto.headers["etag"]
    assert again.headers["cache-status"].startswith("imgcdn; hit")
    assert fixed.headers["cache-status"] == "imgcdn; fwd=miss; stored"


def test_a_word_that_is_no_quality_is_refused_with_both_choices(service: Service) -> None:
    response = service.get("/img/photo.jpg?q=best")
    assert response.status == 400
    assert b"q must be an integer from 1 to 100 or auto" in response.body
