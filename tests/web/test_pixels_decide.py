"""Formats that depend on the pixels, over HTTP: graphics, and originals that are smaller than their variant."""

import io

import pytest
from PIL import Image, ImageChops

from tests.support import drawings, laden, pictures
from tests.support.serving import CHROME, Service

WEBP = "image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("target", "accept", "expected"),
    [
        pytest.param("/img/screenshot.png", CHROME, "webp", id="a graphic to chrome"),
        pytest.param("/img/screenshot.png", WEBP, "webp", id="a graphic to a client that accepts webp"),
        pytest.param("/img/screenshot.png", "image/avif,*/*", "png", id="a graphic to a client that accepts avif"),
        pytest.param("/img/screenshot.png", "*/*", "png", id="a graphic to a client that accepts neither"),
        pytest.param("/img/screenshot.png?fm=jpg", CHROME, "jpeg", id="a graphic as requested jpeg"),
        pytest.param("/img/small.jpg?q=100", CHROME, "jpeg", id="an original that would grow"),
        pytest.param("/img/small.jpg?q=100&w=599", CHROME, "avif", id="the same original one pixel smaller"),
        pytest.param("/img/photo.jpg", CHROME, "avif", id="a photograph"),
    ],
)
def test_the_headers_match_the_format_of_the_body(service: Service, target: str, accept: str, expected: str) -> None:
    for _ in range(2):  # first as a miss, then as a hit
        response = service.get(target, accept)
        extension = {"jpeg": "jpg"}.get(expected, expected)
        assert (response.status, Image.open(io.BytesIO(response.body)).format) == (200, expected.upper())
        assert response.headers["content-type"] == f"image/{expected}"
        assert f'.{extension}"' in response.headers["content-disposition"]
        assert response.headers.get("vary") == (None if "fm=" in target else "Accept")
    assert service.get(target, accept, method="HEAD").headers["content-type"] == f"image/{expected}"
    assert service.get(target, accept, headers={"If-None-Match": response.headers["etag"]}).status == 304


def test_a_screenshot_arrives_without_loss(service: Service) -> None:
    found = Image.open(io.BytesIO(service.get("/img/screenshot.png", CHROME).body)).convert("RGB")
    assert ImageChops.difference(found, drawings.screenshot()).getbbox() is None


def test_an_original_that_would_grow_arrives_without_its_metadata(service: Service) -> None:
    original = pictures.jpeg(pictures.photograph((600, 400)), quality=20, exif=pictures.exif_block(1))
    body = service.get("/img/small.jpg?q=100", CHROME).body
    assert len(body) < len(original)
    assert Image.open(io.BytesIO(body)).tobytes() == Image.open(io.BytesIO(original)).tobytes()
    assert not [secret for secret in laden.SECRETS if secret in body]
