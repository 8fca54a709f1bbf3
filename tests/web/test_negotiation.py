"""The table from Accept to format, over HTTP."""

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.support import serving
from tests.support.serving import CHROME, Service
from tests.web.conftest import accept_rows

SOURCES = {"photo": "/img/photo.jpg", "alpha": "/img/alpha.png", "animation": "/img/animation.gif"}
ROWS = [(row, kind) for row in accept_rows() for kind in SOURCES]


def test_the_table_has_84_requests() -> None:
    assert len(ROWS) == 84


@pytest.mark.parametrize(("row", "kind"), [pytest.param(*item, id=f"{item[0]['id']}: {item[1]}") for item in ROWS])
def test_each_client_gets_the_format_it_can_show(service: Service, row: dict[str, str], kind: str) -> None:
    response = service.get(SOURCES[kind], row["accept"])
    assert response.status == 200
    assert response.headers["content-type"] == f"image/{row[kind]}"
    assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize("name", ["avif", "webp", "jpeg", "png", "gif"])
def test_a_fixed_format_does_not_vary(service: Service, name: str) -> None:
    response = service.get(f"/img/photo.jpg?w=90&fm={name}", CHROME)
    assert response.headers["content-type"] == f"image/{name}"
    assert "vary" not in response.headers


def test_jpg_means_jpeg(service: Service) -> None:
    assert service.get("/img/photo.jpg?w=91&fm=jpg").headers["content-type"] == "image/jpeg"


def test_fm_auto_negotiates(service: Service) -> None:
    response = service.get("/img/photo.jpg?fm=auto", CHROME)
    assert (response.headers["content-type"], response.headers["vary"]) == ("image/avif", "Accept")


def test_several_accept_lines_count_as_one(service: Service) -> None:
    lines = [b"GET /img/photo.jpg HTTP/1.1", b"Host: x", b"Accept: text/html;q=0.1", b"Accept: image/webp"]
    head = service.raw(b"\r\n".join([*lines, b"Connection: close", b"", b""])).partition(b"\r\n\r\n")[0].lower()
    assert b"content-type: image/webp" in head


def test_animations_become_avif_when_it_is_configured(originals: Path, tmp_path: Path) -> None:
    with serving.edge(originals, tmp_path, animation_formats="avif webp") as service:
        # In grey, because otherwise the small GIF would be sent in its own coding.
        moving = service.get("/img/animation.gif?grayscale=1", CHROME)
        fixed = service.get("/img/animation.gif?grayscale=1&fm=avif")
    assert (moving.headers["content-type"], moving.headers["vary"]) == ("image/avif", "Accept")
    assert moving.body == fixed.body
    assert getattr(Image.open(io.BytesIO(moving.body)), "n_frames", 1) == 3
