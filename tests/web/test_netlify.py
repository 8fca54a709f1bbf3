"""Requests that published clients send to Netlify Image CDN; the table has the columns target, status and size."""

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from tests.support import pictures, serving
from tests.support.paths import TABLES
from tests.support.serving import CHROME, Service
from tests.web.conftest import Start

ENDPOINT = "/.netlify/images"
SOURCE_SIZE = (2725, 2225)

Row = tuple[str, int, str]


def rows() -> list[Row]:
    with (TABLES / "netlify.tsv").open() as table:
        return [
            (row["target"], int(row["status"]), row["size"])
            for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def local_sources() -> set[str]:
    urls = {parse_qs(urlsplit(target).query)["url"][0] for target, _, _ in rows()}
    return {url.removeprefix("/") for url in urls if "://" not in url}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the same photograph under every name in the table."""
    root = tmp_path_factory.mktemp("site")
    (root / "photograph.jpg").write_bytes(pictures.jpeg(pictures.photograph(SOURCE_SIZE)))
    for name in local_sources():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(root / "photograph.jpg", root / name)
    return root


@pytest.fixture(scope="module", params=["edge", "wsgi"])
def moved(request: pytest.FixtureRequest, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    start: Start = getattr(serving, request.param)
    with start(site, tmp_path_factory.mktemp(request.param)) as running:
        yield running


def is_size(size: tuple[int, int], expected: str) -> bool:
    """Compare with the notation of the table: `*` any, `WxH` exact, `~WxH` within a pixel, `ratio W:H` reduced."""
    if expected == "*":
        return True
    if expected.startswith("ratio "):
        width, height = map(int, expected.removeprefix("ratio ").split(":"))
        inside = size[0] <= SOURCE_SIZE[0] and size[1] <= SOURCE_SIZE[1]
        return inside and abs(size[0] * height - size[1] * width) <= (width + height) / 2
    width, height = map(int, expected.removeprefix("~").split("x"))
    tolerance = 1 if expected.startswith("~") else 0
    return abs(size[0] - width) <= tolerance and abs(size[1] - height) <= tolerance


def test_every_url_of_a_client_gets_the_expected_response(moved: Service, request: pytest.FixtureRequest) -> None:
    def wrong(row: Row) -> str:
        target, status, size = row
        response = moved.get(target, "*/*")
        if response.status != status:
            return f"{target}: {response.status}, not {status}"
        if status != 200:
            return ""
        with Image.open(io.BytesIO(response.body)) as image:
            format_asked = parse_qs(urlsplit(target).query).get("fm", ["jpeg"])[0].replace("jpg", "jpeg")
            if str(image.format).lower() != format_asked:
                return f"{target}: {image.format}"
            return "" if is_size(image.size, size) else f"{target}: {image.size}, not {size}"

    # Test all rows under one server and every sixth row under the other, which passes targets on in its own way.
    whole = request.node.callspec.params["moved"] == "edge"
    tested = rows() if whole else rows()[::6]
    with ThreadPoolExecutor(8) as clients:
        failures = [found for found in clients.map(wrong, tested) if found]
    assert failures == []
    assert len(tested) == (316 if whole else 53)


@pytest.mark.parametrize(
    ("query", "native"),
    [
        pytest.param("w=300", "w=300", id="width"),
        pytest.param("w=300&fit=cover", "w=300", id="cover with one edge is a plain resize"),
        pytest.param("width=300&height=200&fit=inside", "w=300&h=200", id="inside is contain"),
        pytest.param("w=5000&h=400&fit=outside&blur=5", "", id="outside never enlarges"),
        pytest.param("w=120&h=20&fit=outside", "w=120", id="outside covers the box"),
        pytest.param(
            "w=120&h=90&fit=cover&position=top,left&q=60", "w=120&h=90&fit=cover&position=left&q=60", id="crop"
        ),
        pytest.param("w=200&w=300&fm=", "w=200", id="repeated and empty"),
    ],
)
def test_both_grammars_share_a_variant(service: Service, query: str, native: str) -> None:
    first = service.get(f"/img?url=photo.jpg&{native}", CHROME)
    before = service.variants()

    response = service.get(f"{ENDPOINT}?url=/photo.jpg&{query}", CHROME)

    assert response.status == 200
    assert response.headers["etag"] == first.headers["etag"]
    assert "hit" in response.headers["cache-status"]
    assert service.variants() == before


@pytest.mark.parametrize(
    ("query", "status", "slug", "members"),
    [
        pytest.param("", 400, "invalid-param", {"param": "url"}, id="no url"),
        pytest.param("?url=a%00.jpg", 400, "invalid-param", {"param": "url"}, id="a url that does not parse"),
        pytest.param("?url=/photo.jpg&w=wide", 404, "invalid-param", {"param": "w"}, id="a word for a number"),
        pytest.param("?url=/photo.jpg&fit=covr", 404, "invalid-param", {"nearest": "cover"}, id="misspelt"),
        pytest.param("?url=/photo.jpg&fm=blurhash", 404, "invalid-param", {"param": "fm"}, id="blurhash"),
        pytest.param("?url=/missing.jpg", 404, "source-not-found", {}, id="no such file"),
        pytest.param("?url=https://example.com/a.jpg", 403, "forbidden", {}, id="remote source"),
        pytest.param("?url=/garbage.jpg", 415, "unsupported-image", {}, id="not a picture"),
    ],
)
@pytest.mark.parametrize("endpoint", [ENDPOINT, f"{ENDPOINT}/"])
def test_an_error_has_netlifys_status(
    service: Service, endpoint: str, query: str, status: int, slug: str, members: dict[str, str]
) -> None:
    response = service.get(endpoint + query)

    problem = json.loads(response.body)
    assert response.status == problem["status"] == status
    assert problem["type"] == f"/-/problems/{slug}"
    assert {name: problem[name] for name in members} == members


@pytest.mark.parametrize(
    "url",
    [
        "a+folder/%C3%BCn%C3%AF+c%C3%B6d%C3%A9.jpg",
        "/a%20folder/%C3%BCn%C3%AF%20c%C3%B6d%C3%A9.jpg",
        "%2Fa%2520folder%2F%25C3%25BCn%25C3%25AF%2520c%25C3%25B6d%25C3%25A9.jpg",
        "a+folder/%C3%BCn%C3%AF+c%C3%B6d%C3%A9.jpg%3Fx=1%23y",
    ],
)
def test_a_file_name_may_be_encoded_once_or_twice(service: Service, url: str) -> None:
    assert service.get(f"{ENDPOINT}?url={url}&w=90").status == 200


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "path",
    ["../{root}/photo.jpg", "..\\{root}\\photo.jpg", "a folder/../photo.jpg", "./photo.jpg", "/photo.jpg", "a folder"],
)
def test_repeated_encoding_does_not_get_a_name_past_the_rules_of_the_folder(
    service: Service, originals: Path, path: str, depth: int
) -> None:
    url = path.format(root=originals.name).replace(" ", "+" if depth == 0 else " ")
    for _ in range(depth):
        url = re.sub(r"[^A-Za-z0-9]", lambda match: f"%{ord(match[0]):02x}", url)

    response = service.get(f"{ENDPOINT}?url=/{url}")

    assert response.status == (403 if path == "/photo.jpg" and depth < 2 else 404)


def test_a_path_beside_the_endpoint_is_404(service: Service) -> None:
    for path in (f"{ENDPOINT}/photo.jpg", "/.netlify/", "/%2enetlify/images?url=photo.jpg", "/%69mg/photo.jpg"):
        assert service.get(path).status == 404


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 204), ("POST", 405)])
def test_the_endpoint_has_the_methods_of_the_native_grammar(service: Service, method: str, status: int) -> None:
    response = service.get(f"{ENDPOINT}?url=photo.jpg&w=77", method=method)

    assert (response.status, response.body != b"") == (status, method == "POST")
