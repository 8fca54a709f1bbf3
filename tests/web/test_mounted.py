"""The service beneath a path: mounted into other applications, and behind a proxy that adds a path."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from imgcdn.dialects import DIALECTS
from imgcdn.web.router import ROUTES
from imgcdn.web.settings import OWN_PATHS
from tests.support import serving
from tests.support.paths import SAMPLES
from tests.support.serving import CHROME, Service

SITES = {"fastapi_site": "asgi", "starlette_site": "asgi", "flask_site": "gthread", "django_site": "gthread"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for all sites, so that the pictures of the welcome page are rendered once."""
    return tmp_path_factory.mktemp("shared") / "cache"


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Service]:
    """Run `imgcdn serve` with a path_prefix."""
    with serving.edge(SAMPLES, tmp_path_factory.mktemp("prefixed"), path_prefix="/images", cache_dir=cache) as service:
        yield service


@pytest.fixture(scope="module", params=[*SITES, "path_prefix"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Service]:
    if request.param == "path_prefix":
        yield request.getfixturevalue("prefixed")
    else:
        folder = tmp_path_factory.mktemp(request.param)
        app = f"examples.mounted.{request.param}:app"
        with serving.hosted(
            app, SITES[request.param], folder, root=SAMPLES, cache_dir=cache, welcome="true"
        ) as service:
            yield service


def links(page: bytes) -> set[str]:
    """Return the URLs of a page: of its links, its files and its pictures."""
    text = page.decode()
    found = {html.unescape(url) for url in re.findall(r'(?:src|href)="([^"]*)"', text)}
    for srcset in re.findall(r'srcset="([^"]*)"', text):
        found |= {candidate.split()[0] for candidate in html.unescape(srcset).split(", ")}
    return {url for url in found if not url.startswith("data:")}


def test_all_links_of_the_pages_lead_to_the_service(site: Service) -> None:
    welcome = site.get("/images/")
    problem = site.get("/images/-/problems/forbidden")
    found = links(welcome.body) | links(problem.body)

    assert (welcome.status, problem.status) == (200, 200)
    assert len(found) > 30
    assert {url for url in found if not url.startswith("/images/")} == set()
    assert {url: site.get(url).status for url in found} == dict.fromkeys(found, 200)


def test_a_picture_is_rendered_once(site: Service) -> None:
    new = f"/images/img/rocket.jpg?w={100 + site.port % 500}&q={site.port % 97 + 1}"
    first, second = (site.get(new, CHROME) for _ in range(2))

    assert [first.status, second.status] == [200, 200]
    assert first.headers["cache-status"] == "imgcdn; fwd=miss; stored"
    assert second.headers["cache-status"].startswith("imgcdn; hit")
    assert first.body == second.body
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


def test_a_large_picture_arrives_complete(site: Service) -> None:
    bodies = {site.get("/images/img/hubble_deep_field.jpg?fm=png&w=900").body for _ in range(2)}

    assert len(bodies) == 1
    assert len(bodies.pop()) > 500_000


def test_a_remote_url_in_the_path_stays_encoded(site: Service) -> None:
    remote = quote("https://example.com/a%20b.jpg?x=1", safe="")
    refused = site.get(f"/images/img/{remote}?w=9")

    assert (refused.status, json.loads(refused.body)["type"]) == (403, "/images/-/problems/forbidden")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 204), ("POST", 405)])
def test_methods_pass(site: Service, method: str, status: int) -> None:
    response = site.get("/images/img/rocket.jpg?w=88", method=method)

    assert (response.status, response.body != b"") == (status, method == "POST")


def test_a_body_in_chunks_is_refused(site: Service) -> None:
    head = b"POST /images/img/rocket.jpg HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert site.raw(head + b"2\r\nhi\r\n0\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_an_unknown_path_is_a_problem_of_the_service(site: Service) -> None:
    response = site.get("/images/nowhere")

    assert (response.status, json.loads(response.body)["type"]) == (404, "/images/-/problems/source-not-found")


def test_the_path_of_a_proxy_may_be_taken_away(prefixed: Service) -> None:
    assert prefixed.get("/img/rocket.jpg?w=87").status == 200
    assert b'"/images/-/static/welcome.css"' in prefixed.get("/").body
    assert prefixed.get("/images").status == 200
    assert prefixed.get("/imagesize").status == 404


def test_the_urls_that_are_printed_at_the_start_have_the_prefix(prefixed: Service) -> None:
    assert prefixed.process.stdout
    printed = [prefixed.process.stdout.readline().strip() for _ in range(3)]

    base = f"http://127.0.0.1:{prefixed.port}/images/"
    assert printed[0] == base
    assert [url.startswith(f"{base}img/") for url in printed[1:]] == [True, True]


def test_a_request_that_cannot_be_read_is_a_problem_beneath_the_prefix(prefixed: Service) -> None:
    received = prefixed.raw(b"nonsense\r\n\r\n")

    assert json.loads(received.partition(b"\r\n\r\n")[2])["type"] == "/images/-/problems/bad-request"


def test_no_prefix_begins_with_a_path_of_the_service() -> None:
    paths = [*(dialect.PREFIX for dialect in DIALECTS), *(route.path for route in ROUTES if route.path != "/")]

    assert {f"/{path.split('/')[1]}" for path in paths} == set(OWN_PATHS)
