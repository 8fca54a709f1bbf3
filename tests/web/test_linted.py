"""The headers of every kind of response, judged by an independent linter, and the targets of redirects."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import origin as at
from tests.support import serving
from tests.support.linting import lint
from tests.support.serving import CHROME, Service
from tests.web.test_remote import image, settings_for

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding of the linter that stays: the section that it is about, and why it stays."""

    section: str
    why: str


FINDINGS = {
    "STORE_PUBLIC_UNNECESSARY": Accepted(
        "RFC 9111, section 3.5",
        "With max-age, `public` has no effect on most responses. It lets shared caches keep pictures of a site behind "
        "HTTP authentication, whose browsers send Authorization with each request.",
    ),
    "CONTENT_TYPE_MISMATCH": Accepted(
        "MIME Sniffing, section 6.2.1",
        "The linter's sniffer takes an AVIF for an MP4: both begin with a `ftyp` box, and it does not know the brand.",
    ),
    "STATUS_BAD_REQUEST": Accepted("RFC 9110, section 15.5.1", "The request is meant to be a bad one."),
}


@pytest.mark.parametrize(
    ("target", "asked", "status"),
    [
        pytest.param("/img/photo.jpg?w=90", {}, 200, id="a miss, then a hit"),
        pytest.param("/img/photo.jpg?w=91", {"accept": CHROME}, 200, id="negotiated"),
        pytest.param("/img/photo.jpg?w=92&fm=webp&v=1", {}, 200, id="immutable"),
        pytest.param("/img/photo.jpg?w=93&dl=me.jpg", {}, 200, id="a download"),
        pytest.param("/img/photo.jpg?fm=json", {}, 200, id="JSON about a picture"),
        pytest.param("/img/photo.jpg?fm=lqip", {}, 200, id="a text about a picture"),
        pytest.param("/img/photo.jpg?w=94", {"if_none_match": "*"}, 304, id="unchanged"),
        pytest.param("/img/photo.jpg?w=95", {"range": "bytes=0-9"}, 206, id="a range"),
        pytest.param("/img/photo.jpg?w=95", {"range": "bytes=0-9,20-29"}, 200, id="two ranges"),
        pytest.param("/.netlify/images?url=/photo.jpg&w=96", {}, 200, id="a dialect"),
        pytest.param("/", {"accept": HTML}, 200, id="the welcome page"),
        pytest.param("/-/problems/forbidden", {"accept": HTML}, 200, id="a page about a problem"),
        pytest.param("/-/static/welcome.css", {}, 200, id="a static file"),
        pytest.param("/-/static/welcome.js", {"if_none_match": "*"}, 304, id="a static file, unchanged"),
        pytest.param("/-/static/welcome.css", {"range": "bytes=0-9"}, 200, id="a range of a static file"),
        pytest.param("/img/truncated.jpg?w=96", {}, 200, id="a part of a picture"),
        pytest.param("/favicon.ico", {}, 200, id="the icon"),
        pytest.param("/-/healthz", {}, 200, id="healthz"),
        pytest.param("/-/readyz", {}, 200, id="readyz"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_linter_finds_nothing_else(
    service: Service, target: str, asked: dict[str, str], status: int, method: str
) -> None:
    for _ in range(2):
        found = lint(service, target, method=method, **asked)
        assert found.findings <= FINDINGS.keys()
        assert found.status == (200 if method == "HEAD" and status == 206 else status), "HEAD has no ranges"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/img/photo.jpg?w=0", 400, id="a bad parameter"),
        pytest.param("/img?url=https://example.com/a.jpg", 403, id="forbidden"),
        pytest.param("/img/missing.jpg", 404, id="no such image"),
        pytest.param("/nothing", 404, id="no such path"),
        pytest.param("/-/static/nothing", 404, id="no such static file"),
        pytest.param("/img/huge.png", 413, id="too large"),
        pytest.param("/img/garbage.jpg", 415, id="no image"),
        pytest.param("/img/damaged.png?w=97", 422, id="it does not decode"),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", HTML], ids=["JSON", "HTML"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_linter_finds_nothing_else_in_an_error(
    service: Service, target: str, status: int, accept: str, method: str
) -> None:
    found = lint(service, target, method=method, accept=accept)
    assert (found.status, found.findings <= FINDINGS.keys()) == (status, True), found.findings


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        pytest.param("/img/photo.jpg", {}, id="a resource"),
        pytest.param(
            "/img/photo.jpg",
            {"origin": "https://a.example", "access_control_request_method": "GET"},
            id="a preflight",
        ),
    ],
)
def test_the_linter_finds_nothing_else_in_options(service: Service, target: str, asked: dict[str, str]) -> None:
    found = lint(service, target, method="OPTIONS", **asked)
    assert (found.status, found.findings <= FINDINGS.keys()) == (204, True), found.findings
    assert ("access-control-allow-methods" in found.headers) is bool(asked)


def test_the_linter_finds_nothing_else_in_a_405(service: Service) -> None:
    found = lint(service, "/img/photo.jpg", method="DELETE")
    assert (found.status, found.findings <= FINDINGS.keys()) == (405, True), found.findings


@pytest.fixture
def busy(root: Path, tmp_path: Path) -> Iterator[tuple[Service, at.Origin]]:
    """A service all of whose places are taken by a request for an origin that does not answer."""
    asked = threading.Event()

    def silent(exchange: at.Exchange) -> None:
        asked.set()
        at.silent(exchange)

    with at.running({"/a.jpg": silent}) as origin:
        settings = settings_for(origin, workers=1, max_waiting=1)
        with serving.edge(root, tmp_path, **settings) as service, ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(service.get, image(origin))
            assert asked.wait(30)
            yield service, origin
            service.stop()
            waiting.exception()


@pytest.mark.parametrize("accept", ["*/*", HTML], ids=["JSON", "HTML"])
def test_the_linter_finds_nothing_else_in_a_503(busy: tuple[Service, at.Origin], accept: str) -> None:
    service, origin = busy
    found = lint(service, image(origin), accept=accept)
    assert (found.status, found.findings <= FINDINGS.keys()) == (503, True), found.findings
    assert int(found.headers["retry-after"]) >= 1


@pytest.mark.parametrize("host", ["evil.example", "[", "evil.example:99999999"])
@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/-/static//evil.example/",
        "/-/static//welcome.css",
        "/-/static/%2Fevil.example",
        "/-/static/[",
        "/-/static/http://[x",
        "/-/problems//forbidden",
        "/-/problems/forbidden/",
        "/-/problems/%ff",
    ],
)
def test_no_path_redirects_or_fails(service: Service, path: str, host: str) -> None:
    received = service.raw(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head = received.partition(b"\r\n\r\n")[0].lower()
    assert b" 404 " in head.splitlines()[0]
    assert b"location:" not in head


def test_the_linter_finds_nothing_else_in_a_range_that_is_not_there(service: Service) -> None:
    found = lint(service, "/img/photo.jpg?w=95", range="bytes=999999-")
    assert (found.status, found.findings <= FINDINGS.keys()) == (416, True), found.findings
