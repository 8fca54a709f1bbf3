"""The welcome page, as text and in a browser."""

import html
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from imgcdn.config import load
from imgcdn.web.settings import WebSettings, Welcome
from tests.support import browser, pictures, serving
from tests.support.paths import SAMPLES
from tests.support.serving import CHROME, Service
from tests.web.conftest import Start


def _srcsets(page: bytes) -> list[list[str]]:
    """Return the candidates of each srcset as pairs of words, URL and width descriptor."""
    found = re.findall(r'srcset="([^"]*)"', page.decode())
    return [[candidate.strip() for candidate in html.unescape(text).split(",")] for text in found]


@pytest.fixture(scope="module")
def of_samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run `imgcdn serve` on the sample images."""
    with serving.edge(SAMPLES, tmp_path_factory.mktemp("samples")) as running:
        yield running


def test_the_page_offers_every_sample_in_three_widths(of_samples: Service) -> None:
    srcsets = _srcsets(of_samples.get("/").body)
    assert len(srcsets) == len([path for path in SAMPLES.iterdir() if path.suffix in (".png", ".jpg", ".gif")])
    for candidates in srcsets:
        widths = [int(candidate.split()[1].removesuffix("w")) for candidate in candidates]
        assert len(widths) == 3
        assert widths == sorted(widths)
        for candidate in candidates:
            assert of_samples.get(candidate.split()[0], CHROME).status == 200


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


@pytest.mark.parametrize(
    ("start", "settings"),
    [
        pytest.param(serving.edge, {"welcome": "false"}, id="switched off"),
        pytest.param(serving.wsgi, {}, id="within another server, whose address is not known"),
    ],
)
def test_a_public_service_shows_no_names(root: Path, tmp_path: Path, start: Start, settings: dict[str, str]) -> None:
    with start(root, tmp_path, **settings) as service:
        response = service.get("/")
        assert response.status == 200
        assert b"photo" not in response.body
        assert str(root).encode() not in response.body
        assert b"welcome = true" in response.body


@pytest.mark.parametrize(
    ("bind", "welcome", "lists"),
    [
        pytest.param("127.0.0.1:8000", Welcome.AUTO, True, id="loopback"),
        pytest.param("localhost:8000", Welcome.AUTO, True, id="localhost"),
        pytest.param("[::1]:8000", Welcome.AUTO, True, id="loopback of IPv6"),
        pytest.param("0.0.0.0:8000", Welcome.AUTO, False, id="all addresses"),
        pytest.param("[::]:8000", Welcome.AUTO, False, id="all addresses of IPv6"),
        pytest.param("192.168.1.2:8000", Welcome.AUTO, False, id="one address"),
        pytest.param("localhost.example:80", Welcome.AUTO, False, id="a name"),
        pytest.param("unix:/run/imgcdn.sock", Welcome.AUTO, False, id="a Unix socket"),
        pytest.param("0.0.0.0:8000", Welcome.TRUE, True, id="switched on"),
        pytest.param("127.0.0.1:8000", Welcome.FALSE, False, id="switched off"),
    ],
)
def test_who_is_shown_the_pictures(bind: str, welcome: Welcome, lists: bool) -> None:
    settings = WebSettings(bind=bind, welcome=welcome)
    assert settings.lists_pictures is lists
    assert settings.without_bind().lists_pictures is (welcome is Welcome.TRUE)


@pytest.mark.parametrize(("given", "read"), [(True, Welcome.TRUE), ("false", Welcome.FALSE), ("auto", Welcome.AUTO)])
def test_the_setting_is_a_switch_or_auto(given: object, read: Welcome) -> None:
    assert load({"welcome": given, "root": str(SAMPLES)}, environ={}).web.welcome is read


def test_pictures_of_subfolders_and_odd_names_are_shown(root: Path, tmp_path: Path) -> None:
    data = (root / "photo.jpg").read_bytes()
    for name in ("album/ü & <b>.jpg", "album/deep/100%41.jpg", "album/a+b#c.jpg", 'album/"q".jpg'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    with open(os.fsencode(root) + b"/\xff.jpg", "wb") as file:
        file.write(data)
    with serving.edge(root, tmp_path) as service:
        page = service.get("/").body
        srcsets = _srcsets(page)
        assert len(srcsets) == 5
        for candidates in srcsets:
            assert service.get(candidates[0].split()[0], CHROME).status == 200
        assert b"album/\xc3\xbc &amp; &lt;b&gt;.jpg" in page
        assert b"<b>" not in page


@pytest.mark.browser
def test_a_browser_shows_the_samples_in_its_best_format(of_samples: Service, tmp_path: Path) -> None:
    url = f"http://{of_samples.host}:{of_samples.port}/"
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
