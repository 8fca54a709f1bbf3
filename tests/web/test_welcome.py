"""The welcome page, as text and in a browser."""

import html
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.support import browser, pictures, serving
from tests.support.paths import SAMPLES
from tests.support.serving import CHROME, Service


def _srcsets(page: bytes) -> list[list[str]]:
    """Return the candidates of each srcset as pairs of words, URL and width descriptor."""
    found = re.findall(r'srcset="([^"]*)"', page.decode())
    return [[candidate.strip() for candidate in html.unescape(text).split(",")] for text in found]


def test_the_page_offers_every_sample_in_three_widths(tmp_path: Path) -> None:
    with serving.edge(SAMPLES, tmp_path) as service:
        srcsets = _srcsets(service.get("/").body)
        assert len(srcsets) == len([path for path in SAMPLES.iterdir() if path.suffix in (".png", ".jpg", ".gif")])
        for candidates in srcsets:
            widths = [int(candidate.split()[1].removesuffix("w")) for candidate in candidates]
            assert len(widths) == 3
            assert widths == sorted(widths)
            for candidate in candidates:
                assert service.get(candidate.split()[0], CHROME).status == 200


def test_the_page_loads_nothing_from_other_hosts(service: Service) -> None:
    response = service.get("/")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.findall(rb"(?:src|href)=[\"']?(?:https?:)?//", response.body)
    for path in re.findall(rb'(?:src|href)="(/-/static/[^"]+)"', response.body):
        assert service.get(path.decode()).status == 200


def test_a_broken_picture_hides_no_other(service: Service) -> None:
    page = service.get("/").body
    assert b"photo.jpg" in page
    assert b"garbage.jpg" not in page


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with serving.edge(tmp_path / "root", tmp_path) as service:
        response = service.get("/")
        assert response.status == 200
        assert b"imgcdn serve path/to/pictures" in response.body


@pytest.mark.browser
def test_a_browser_shows_the_samples_in_its_best_format(tmp_path: Path) -> None:
    with serving.edge(SAMPLES, tmp_path) as service:
        url = f"http://{service.host}:{service.port}/"
        document = browser.dom(url, tmp_path)
        assert document.count("image/avif") >= 7, "the format that the page reports"
        assert "image/webp" in document, "the animation"
        picture = Image.open(browser.screenshot(url, tmp_path)).convert("RGB")
        # Without the pictures, the page would have only a few greys: cards on a pale background.
        assert len(picture.resize((128, 200)).getcolors(128 * 200) or []) > 4_000


def test_names_that_are_not_text_stop_neither_the_start_nor_the_page(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"caf\xe9")
    root.mkdir()
    for name in (b"a.png", b"\xff\xfe.png", b"b\xe9.png"):
        (root / os.fsdecode(name)).write_bytes(pictures.png())
    with serving.edge(root, tmp_path) as service:
        page = service.get("/")
        assert page.status == 200
        assert len(_srcsets(page.body)) == 1
        assert service.get("/img/a.png?w=20").status == 200
        assert service.get("/img/b%E9.png?w=20").status in (400, 404)
