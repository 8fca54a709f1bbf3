"""Every error a client can get: status, type, members and caching; no error stores a variant."""

import html
import json

import pytest

from imgcdn.errors import ImgcdnError, public_errors
from imgcdn.web.pages.problems import MEANINGS
from tests.support.serving import Service

LONG = "/img/photo.jpg?v=" + "x" * 8_000

ERRORS = [
    pytest.param("/img/photo.jpg?w=wide", 400, "invalid-param", {"param": "w"}, id="a word for a number"),
    pytest.param("/img/photo.jpg?w=0", 400, "invalid-param", {"param": "w", "nearest": "1"}, id="zero width"),
    pytest.param("/img/photo.jpg?w=9000", 400, "invalid-param", {"param": "w", "nearest": "8192"}, id="too wide"),
    pytest.param("/img/photo.jpg?w=5000&dpr=2", 400, "invalid-param", {"param": "w"}, id="too wide after dpr"),
    pytest.param("/img/photo.jpg?width=1&w=1", 400, "invalid-param", {"param": "w"}, id="given twice"),
    pytest.param("/img/photo.jpg?w=", 400, "invalid-param", {"param": "w"}, id="empty"),
    pytest.param("/img/photo.jpg?widht=1", 400, "invalid-param", {"param": "widht", "nearest": "width"}, id="unknown"),
    pytest.param("/img/photo.jpg?fit=covr", 400, "invalid-param", {"param": "fit", "nearest": "cover"}, id="misspelt"),
    pytest.param("/img/photo.jpg?fm=bmp", 400, "invalid-param", {"param": "fm"}, id="format not supported"),
    pytest.param("/img/photo.jpg?q=0", 400, "invalid-param", {"param": "q", "nearest": "1"}, id="q below its range"),
    pytest.param("/img/photo.jpg?bg=%23fff", 400, "invalid-param", {"param": "bg"}, id="colour with a hash"),
    pytest.param("/img/photo.jpg?v=a%20b", 400, "invalid-param", {"param": "v"}, id="v with a space"),
    pytest.param("/img", 400, "invalid-param", {"param": "url"}, id="no url"),
    pytest.param("/img?url=a%0Ab.jpg", 400, "invalid-param", {"param": "url"}, id="control character"),
    pytest.param("/img?url=%FF.jpg", 400, "invalid-param", {"param": "url"}, id="not UTF-8"),
    pytest.param("/img?url=https://example.com/a.jpg", 403, "forbidden", {}, id="remote source"),
    pytest.param("/img?url=//example.com/a.jpg", 403, "forbidden", {}, id="scheme-relative source"),
    pytest.param("/img/missing.jpg", 404, "source-not-found", {}, id="no such file"),
    pytest.param("/img?url=../../etc/passwd", 404, "source-not-found", {}, id="out of the root"),
    pytest.param("/img/a%20folder", 404, "source-not-found", {}, id="a folder"),
    pytest.param("/img/.hidden/a.jpg", 404, "source-not-found", {}, id="a dot segment"),
    pytest.param(
        "/img/huge.png", 413, "image-too-large", {"limit": 64_000_000, "unit": "pixels"}, id="too many pixels"
    ),
    pytest.param("/img/heavy.jpg", 413, "image-too-large", {"limit": 32_000_000, "unit": "bytes"}, id="too many bytes"),
    pytest.param(LONG, 414, "url-too-long", {}, id="URL too long"),
    pytest.param("/img/garbage.jpg", 415, "unsupported-image", {}, id="not a picture"),
    pytest.param("/img/drawing.svg", 415, "unsupported-image", {}, id="unsupported kind"),
    pytest.param("/img/damaged.png", 422, "corrupt-image", {}, id="no pixels"),
]


@pytest.mark.parametrize(("target", "status", "slug", "members"), ERRORS)
def test_an_error_says_what_is_wrong(
    service: Service, target: str, status: int, slug: str, members: dict[str, object]
) -> None:
    response = service.get(target, "image/avif,image/webp,*/*")
    problem = json.loads(response.body)
    assert response.status == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"/-/problems/{slug}"
    assert problem["title"]
    assert len(problem["detail"]) > 10
    assert {name: problem[name] for name in members} == members


@pytest.mark.parametrize(("target", "status", "slug", "members"), ERRORS)
def test_only_a_404_may_be_cached_and_for_10_seconds(
    service: Service, target: str, status: int, slug: str, members: object
) -> None:
    response = service.get(target)
    assert response.headers["vary"] == "Accept"
    assert response.headers["cache-control"] == ("public, max-age=10" if status == 404 else "no-store")


@pytest.mark.parametrize(("target", "status", "slug", "members"), ERRORS)
def test_an_error_stores_no_variant(service: Service, target: str, status: int, slug: str, members: object) -> None:
    before = service.variants()
    assert service.get(target).status == status
    assert service.variants() == before
    assert not list((service.cache / "tmp").iterdir())


@pytest.mark.parametrize("slug", sorted({str(param.values[2]) for param in ERRORS}), ids=str)
def test_a_problem_type_is_a_page(service: Service, slug: str) -> None:
    response = service.get(f"/-/problems/{slug}")
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/html")
    assert slug.encode() in response.body


def test_a_browser_gets_a_page(service: Service) -> None:
    response = service.get("/img/missing%3Cb%3E.jpg?w=%3Cscript%3E", "text/html,application/xhtml+xml,*/*;q=0.8")
    assert response.status == 400
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert b"<script" not in response.body


def test_an_error_has_the_request_id_under_which_the_log_has_its_reason(service: Service) -> None:
    for accept in ("*/*", "text/html"):
        response = service.get("/img?url=https://example.com/a.jpg", accept)
        request_id = response.headers["x-request-id"]
        assert request_id.encode() in response.body
        if accept == "*/*":
            assert json.loads(response.body)["request_id"] == request_id


def test_no_detail_names_a_path(service: Service) -> None:
    for parameter in ERRORS:
        body = service.get(str(parameter.values[0])).body.decode()
        assert str(service.cache.parent) not in body
        assert "/tmp" not in body  # noqa: S108  # a search in a text; no file is used


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_refused(service: Service, method: str) -> None:
    response = service.get("/img/photo.jpg", method=method)
    assert response.status == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


def test_options_answers_a_preflight(service: Service) -> None:
    response = service.get("/img/photo.jpg", method="OPTIONS", headers={"Access-Control-Request-Method": "GET"})
    assert response.status == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"


def test_an_unknown_path_is_404(service: Service) -> None:
    response = service.get("/nothing/here")
    assert (response.status, response.headers["content-type"]) == (404, "application/problem+json")


def test_an_unknown_problem_is_404(service: Service) -> None:
    assert service.get("/-/problems/no-such").status == 404


def test_every_error_that_a_client_can_get_has_a_meaning() -> None:
    assert set(MEANINGS) == set(public_errors())
    assert [text for text in MEANINGS.values() if not text.endswith(".")] == []


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.slug) for kind in public_errors()])
def test_the_page_of_an_error_says_its_meaning(service: Service, kind: type[ImgcdnError]) -> None:
    page = service.get(f"/-/problems/{kind.slug}")

    assert page.status == 200
    assert f"<p>{html.escape(MEANINGS[kind])}</p>" in page.body.decode()
