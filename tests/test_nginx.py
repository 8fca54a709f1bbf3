"""The service behind nginx, with the configuration of deploy/."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.listening import free_port, wait_for
from tests.support.paths import ROOT
from tests.support.serving import CHROME, Service, edge

SAMPLES = ROOT / "sample_images"

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service behind nginx, with the configuration of deploy/ on loopback ports; `get` calls nginx."""
    folder = tmp_path_factory.mktemp("proxied")
    originals = folder / "originals"
    (originals / "a b").mkdir(parents=True)
    for name in ("chelsea.png", "a b/käthe #1.png", "100%.png"):
        shutil.copy(SAMPLES / "chelsea.png", originals / name)
    with edge(originals, folder, access_log="all") as service, _nginx(folder, service.port) as port:
        yield Service(service.process, "127.0.0.1", port, service.cache, service.log)


@contextlib.contextmanager
def _nginx(folder: Path, upstream: int) -> Iterator[int]:
    port = free_port()
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for ours, theirs in (
        ("/tmp/", f"{folder}/"),  # noqa: S108  # a path in the container
        ("server imgcdn:8000;", f"server 127.0.0.1:{upstream};"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("/dev/stdout", f"{folder}/access.log"),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    assert nginx
    command = [nginx, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (folder / "nginx.log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            wait_for(port, process, folder / "nginx.log")
            yield port
        finally:
            process.terminate()
            process.wait(30)


def test_nginx_passes_the_accept_header_on(proxied: Service) -> None:
    response = proxied.get("/img/chelsea.png?w=400", CHROME, headers={"Accept-Encoding": "gzip"})
    assert (response.status, response.headers["content-type"]) == (200, "image/avif")
    assert response.headers["vary"] == "Accept"
    assert "content-encoding" not in response.headers
    assert proxied.get("/img/chelsea.png?w=400", "image/png").headers["content-type"] == "image/jpeg"


def test_nginx_passes_conditional_requests_on(proxied: Service) -> None:
    tag = proxied.get("/img/chelsea.png?w=300", CHROME).headers["etag"]
    response = proxied.get("/img/chelsea.png?w=300", CHROME, headers={"If-None-Match": tag})
    assert (response.status, response.headers["etag"], response.body) == (304, tag, b"")


def test_a_head_through_nginx_has_the_headers_of_the_get(proxied: Service) -> None:
    whole = proxied.get("/img/chelsea.png?w=200", CHROME)
    head = proxied.get("/img/chelsea.png?w=200", CHROME, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/img/a%20b/k%C3%A4the%20%231.png?w=100", 200, id="space, umlaut and hash"),
        pytest.param("/img/%61%20b%2Fk%c3%a4the%20%231.png?w=100", 200, id="an encoded slash"),
        pytest.param("/img/100%25.png?w=100", 200, id="a percent sign"),
        pytest.param("/img?url=%2Fa%20b%2Fk%C3%A4the%20%231.png&w=100", 200, id="in the query"),
        pytest.param("/img/https%3A%2F%2Fexample.com%2Fa%2520b.jpg?w=100", 403, id="an encoded URL"),
        pytest.param("/img/https://example.com//a/../b.jpg?w=100", 403, id="an unencoded URL"),
    ],
)
def test_nginx_passes_a_target_on_unchanged(proxied: Service, target: str, status: int) -> None:
    direct = _logged(proxied, target)
    assert proxied.get(target, CHROME).status == status
    assert _logged(proxied, target) == direct + 1


def _logged(service: Service, target: str) -> int:
    return service.log.read_text(encoding="utf-8").count(f" GET {target} ")
