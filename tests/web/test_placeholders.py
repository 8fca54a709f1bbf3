"""Placeholders over HTTP: text with the headers of a picture."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import serving
from tests.support.hash_reading import from_blurhash, from_thumbhash
from tests.support.serving import CHROME, Service

TEXT = "text/plain; charset=utf-8"

KINDS = {
    "blurhash": (TEXT, "txt"),
    "thumbhash": (TEXT, "txt"),
    "lqip": (TEXT, "txt"),
    "json": ("application/json", "json"),
}


@pytest.mark.parametrize("fm", KINDS)
def test_a_placeholder_has_the_headers_of_a_picture(service: Service, fm: str) -> None:
    media_type, extension = KINDS[fm]
    response = service.get(f"/img/photo.jpg?fm={fm}", CHROME)
    headers = response.headers
    assert (response.status, headers["content-type"]) == (200, media_type)
    assert int(headers["content-length"]) == len(response.body)
    assert headers["etag"] == f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    assert "vary" not in headers
    assert headers["cache-control"] == "public, max-age=3600, stale-while-revalidate=86400"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-disposition"] == (
        f"inline; filename=\"photo.{extension}\"; filename*=UTF-8''photo.{extension}"
    )
    attached = service.get(f"/img/photo.jpg?fm={fm}&dl=facts").headers["content-disposition"]
    assert attached == f"attachment; filename=\"facts.{extension}\"; filename*=UTF-8''facts.{extension}"


def test_each_placeholder_is_of_its_kind(service: Service) -> None:
    responses = {fm: service.get(f"/img/photo.jpg?fm={fm}").body.decode("ascii") for fm in KINDS}
    facts = json.loads(responses["json"])
    assert {fm: responses[fm] for fm in KINDS if fm != "json"} == {fm: facts[fm] for fm in KINDS if fm != "json"}
    assert (facts["width"], facts["height"], facts["format"], facts["frames"]) == (600, 400, "jpeg", 1)
    assert from_blurhash(responses["blurhash"], (4, 3)).size == (4, 3)
    assert from_thumbhash(responses["thumbhash"]).size == (32, 23)
    assert base64.b64decode(responses["lqip"].partition(",")[2])[8:12] == b"WEBP"
    assert len(responses["lqip"]) < 400


@pytest.mark.parametrize("fm", KINDS)
def test_a_placeholder_is_stored_and_validated_like_any_variant(service: Service, fm: str) -> None:
    target = f"/img/upright.jpg?fm={fm}"
    head = service.get(target, method="HEAD")
    assert (head.status, head.body, head.headers["cache-status"]) == (200, b"", "imgcdn; fwd=miss; stored")
    again = service.get(target, CHROME)
    assert again.headers["cache-status"] == "imgcdn; hit; ttl=3600"
    assert head.headers["content-length"] == again.headers["content-length"] == str(len(again.body))
    same = service.get(target, headers={"If-None-Match": again.headers["etag"]})
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", again.headers["etag"])
    assert "vary" not in same.headers


@pytest.mark.parametrize("fm", KINDS)
def test_params_that_do_not_change_a_placeholder_share_the_variant(service: Service, fm: str) -> None:
    service.get(f"/img/alpha.png?fm={fm}")
    before = service.variants()
    response = service.get(f"/img/alpha.png?fm={fm}&w=320&q=30&blur=4&sharpen=2&still=1&v=7")
    assert response.headers["cache-status"].startswith("imgcdn; hit")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert service.variants() == before


def test_another_crop_is_another_placeholder(service: Service) -> None:
    plain, cropped = (service.get(f"/img/photo.jpg?fm=json{more}") for more in ("", "&w=50&h=90&fit=cover"))
    assert cropped.headers["etag"] != plain.headers["etag"]
    before, after = json.loads(plain.body), json.loads(cropped.body)
    assert before["blurhash"][0] != after["blurhash"][0], "landscape and portrait"
    assert (after["width"], after["height"]) == (600, 400)


@pytest.mark.parametrize(
    ("target", "status", "slug"),
    [
        ("/img/photo.jpg?fm=blurhsh", 400, "invalid-param"),
        ("/img/missing.jpg?fm=lqip", 404, "source-not-found"),
        ("/img/garbage.jpg?fm=json", 415, "unsupported-image"),
        ("/img/damaged.png?fm=thumbhash", 422, "corrupt-image"),
    ],
)
def test_an_error_is_the_same_as_for_a_picture(service: Service, target: str, status: int, slug: str) -> None:
    response = service.get(target)
    assert (response.status, response.headers["content-type"]) == (status, "application/problem+json")
    assert json.loads(response.body)["type"] == f"/-/problems/{slug}"


@pytest.mark.parametrize("fm", KINDS)
def test_netlify_does_not_have_them(service: Service, fm: str) -> None:
    response = service.get(f"/.netlify/images?url=/photo.jpg&fm={fm}")
    assert (response.status, json.loads(response.body)["param"]) == (404, "fm")


@pytest.fixture(scope="module")
def closed(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that allows only one preset, a placeholder."""
    settings = {"presets": "blur=fm=lqip&w=60&h=60&fit=cover", "params": "presets", "color": "keep"}
    with serving.edge(originals, tmp_path_factory.mktemp("closed"), **settings) as running:
        yield running


def test_a_preset_may_be_a_placeholder(closed: Service) -> None:
    assert closed.get("/img/photo.jpg?p=blur").headers["content-type"] == TEXT
    refused = closed.get("/img/photo.jpg?fm=lqip")
    assert (refused.status, json.loads(refused.body)["param"]) == (400, "fm")


def test_a_changed_original_has_another_placeholder(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path) as service:
        before = service.get("/img/photo.jpg?fm=json")
        (root / "photo.jpg").write_bytes((root / "photo.jpg").read_bytes() + b"more")
        after = service.get("/img/photo.jpg?fm=json")
        assert json.loads(after.body)["bytes"] == json.loads(before.body)["bytes"] + 4
        assert after.headers["cache-status"] == "imgcdn; fwd=miss; stored"
