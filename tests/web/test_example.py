"""The example site in a browser: which candidates the browser takes, and that the page does not move as they load."""

import contextlib
import http.server
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.support import chromium, serving
from tests.support.paths import ROOT
from tests.support.serving import Service

_START_S = 30.0

# Renders have the lowest priority on the machine; after a timeout the picture would never arrive.
_PATIENT = {"render_timeout_s": 25, "request_timeout_s": 28}


@dataclass(frozen=True, slots=True)
class Site:
    """
    The example, running.

    Args:
        url: Address of its only page.
        service: The service that sends its pictures.
        pictures: Holds pictures back until it is set: one that arrives before the first paint cannot move the page.
    """

    url: str
    service: Service
    pictures: threading.Event


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run one service for all pages, so that each picture is rendered once."""
    with serving.edge(ROOT / "sample_images", tmp_path_factory.mktemp("service"), **_PATIENT) as running:
        yield running


@pytest.fixture
def site(service: Service, tmp_path: Path) -> Iterator[Site]:
    pictures = threading.Event()
    with (
        _delay_pictures(service, pictures) as cdn_url,
        _example(cdn_url, tmp_path) as url,
    ):
        yield Site(url, service, pictures)


@contextlib.contextmanager
def _delay_pictures(service: Service, pictures: threading.Event) -> Iterator[str]:
    """Pass requests on to the service as soon as the event is set."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pictures.wait()
            response = service.get(self.path, self.headers["Accept"])
            self.send_response(response.status)
            for name in ("content-type", "content-length", "cache-control", "vary"):
                if name in response.headers:
                    self.send_header(name, response.headers[name])
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing, so that the output of the test only shows failures."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            pictures.set()
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _example(cdn_url: str, folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "flask", "--app", "examples/flask_site/app.py", "run", "--port", str(port)]
    log = folder / "site.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, "CDN_URL": cdn_url}, cwd=ROOT
        )
    try:
        deadline = time.monotonic() + _START_S
        while not _listens(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            select.select([], [], [], 0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(_START_S)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What the page reports about the browser.

    Args:
        urls: URL of the candidate that each picture took.
        pixels: Width of each of these files.
        shown: Width of each picture in CSS pixels.
        layout_shift: Sum of all layout shifts; 0 if nothing moved.
    """

    urls: dict[str, str]
    pixels: dict[str, int]
    shown: dict[str, int]
    layout_shift: float


def _load(page: chromium.Page, pictures: threading.Event) -> Taken:
    """Wait for the first paint without pictures, let the pictures load, and read what the page reports."""
    page.until("performance.getEntriesByName('first-contentful-paint').length > 0")
    pictures.set()
    page.until("(document.querySelector('#taken')?.textContent.match(/url/g) ?? []).length === 4")
    # The browser reports a layout shift after the frame in which it happened.
    page.evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100))))"
    )
    facts = json.loads(page.evaluate("document.querySelector('#taken').textContent"))
    found = facts["pictures"]
    urls, pixels, shown = ({name: p[key] for name, p in found.items()} for key in ("url", "pixels", "shown"))
    return Taken(urls, pixels, shown, facts["layoutShift"])


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "scale", "pixels"),
    [
        pytest.param(400, 1, {"hero": 480, "coffee": 480, "astronaut": 96, "stars": 480}, id="phone"),
        pytest.param(400, 3, {"hero": 1280, "coffee": 600, "astronaut": 192, "stars": 1000}, id="sharp phone"),
        pytest.param(800, 1, {"hero": 828, "coffee": 480, "astronaut": 96, "stars": 640}, id="tablet"),
        pytest.param(1400, 1, {"hero": 1600, "coffee": 480, "astronaut": 96, "stars": 640}, id="desktop"),
    ],
)
def test_a_browser_takes_the_right_candidate_and_the_page_does_not_move(
    site: Site, tmp_path: Path, width: int, scale: int, pixels: dict[str, int]
) -> None:
    with chromium.page(site.url, tmp_path, width=width, scale=scale) as page:
        taken = _load(page, site.pictures)

    assert taken.pixels == pixels
    assert taken.shown == {
        "hero": width,
        "coffee": min(480, width - 32),
        "astronaut": 96,
        "stars": min(640, width - 32),
    }
    assert taken.layout_shift == 0

    target = taken.urls["stars"].partition("/img/")[2]
    assert "fm=avif" in target
    assert site.service.get(f"/img/{target}").headers["content-type"] == "image/avif"


@pytest.mark.browser
def test_without_width_and_height_the_page_would_move(site: Site, tmp_path: Path) -> None:
    markup = requests.get(site.url, timeout=30).text.replace('="/static/', f'="{site.url}/static/')
    unsized = tmp_path / "unsized.html"
    unsized.write_text(re.sub(r' (?:width|height)="[0-9]+"', "", markup), encoding="utf-8")

    with chromium.page(unsized.as_uri(), tmp_path, width=800) as page:
        assert _load(page, site.pictures).layout_shift > 0.01
