"""Pictures from remote sources, over HTTP, with a real origin."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support import origin as at
from tests.support import pictures, serving
from tests.support.origin import NAME, OTHER_NAME, Origin
from tests.support.serving import Service
from tests.web.conftest import Start

PHOTO = pictures.jpeg(pictures.photograph((600, 400)))
OTHER = pictures.jpeg(pictures.chart((600, 400)))
FLAVOURS = [pytest.param(serving.edge, id="edge"), pytest.param(serving.wsgi, id="wsgi")]


@pytest.fixture
def origin() -> Iterator[Origin]:
    with at.running({"/a.jpg": at.respond(PHOTO, cache_control="max-age=600")}) as running:
        yield running


@pytest.fixture(scope="module")
def shared(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Origin]]:
    """Run one service with short timeouts and one origin; each test uses its own path."""
    # One worker, because each remembers the failures that it has seen.
    limits = {"workers": 1, "fetch_timeout_s": 1, "read_timeout_s": 1, "max_source_bytes": 1_000_000}
    with (
        at.running() as running,
        serving.edge(originals, tmp_path_factory.mktemp("shared"), **settings_for(running, **limits)) as service,
    ):
        yield service, running


@pytest.fixture(scope="module", params=FLAVOURS)
def crowded(
    request: pytest.FixtureRequest, originals: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Origin]]:
    """Run one service with two workers, and one origin; each test uses its own path."""
    start: Start = request.param
    with (
        at.running() as running,
        start(originals, tmp_path_factory.mktemp("crowded"), workers=2, **settings_for(running)) as service,
    ):
        yield service, running


@pytest.fixture(scope="module")
def validating(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Origin]]:
    """Run one service that validates at every request, and one origin; each test uses its own path."""
    with (
        at.running() as running,
        serving.edge(
            originals,
            tmp_path_factory.mktemp("validating"),
            **settings_for(running, min_ttl=0, default_ttl=0, stale_while_revalidate=0, stale_if_error=0),
        ) as service,
    ):
        yield service, running


def settings_for(origin: Origin, **settings: object) -> dict[str, object]:
    """Return the settings that let a service fetch from a test origin."""
    return {
        "allow": f"{origin.scheme}://{NAME}:{origin.port}/**",
        "allow_addresses": "127.0.0.0/8",
        "resolve": f"{NAME}:{origin.port}:127.0.0.1 {OTHER_NAME}:{origin.port}:127.0.0.1",
        **settings,
    }


def image(origin: Origin, path: str = "/a.jpg", query: str = "w=100", host: str = NAME) -> str:
    return f"/img/{quote(origin.url(path, host), safe='')}?{query}"


def test_eight_widths_of_a_cold_source_fetch_it_once(crowded: tuple[Service, Origin]) -> None:
    service, origin = crowded
    origin.scripts["/widths/a.jpg"] = at.respond(PHOTO, cache_control="max-age=600")
    targets, before = [image(origin, "/widths/a.jpg", f"w={width}") for width in range(50, 450, 50)], service.variants()
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(service.get, targets))
    assert [response.status for response in responses] == [200] * 8
    assert {response.headers["content-disposition"] for response in responses} == {
        "inline; filename=\"a.jpg\"; filename*=UTF-8''a.jpg"
    }
    assert origin.count("/widths/a.jpg") == 1
    assert len(service.variants()) == len(before) + 9  # eight and the original


def test_fifty_requests_at_once_cause_one_fetch_and_one_render(crowded: tuple[Service, Origin]) -> None:
    service, origin = crowded
    origin.scripts["/fifty.jpg"] = at.respond(OTHER, cache_control="max-age=600")
    responses = _get_fifty_times(service, image(origin, "/fifty.jpg"))
    statuses = Counter(response.headers["cache-status"] for response in responses)
    assert origin.count("/fifty.jpg") == 1
    assert statuses["imgcdn; fwd=miss; stored"] == 1
    assert sum(statuses.values()) == 50


def test_fifty_requests_at_once_for_a_failing_origin_cause_one_fetch_in_each_worker(
    crowded: tuple[Service, Origin],
) -> None:
    service, origin = crowded
    origin.scripts["/failing.jpg"] = at.respond(b"out of order", status=503, retry_after="30")
    responses = _get_fifty_times(service, image(origin, "/failing.jpg"))
    assert {response.status for response in responses} == {502}
    assert all(0 < int(response.headers["retry-after"]) <= 30 for response in responses)
    assert origin.count("/failing.jpg") <= 2, "a worker does not know what another one has seen"


def _get_fifty_times(service: Service, target: str) -> list[serving.Response]:
    gate = threading.Barrier(50)

    def request(_: int) -> serving.Response:
        gate.wait()
        return service.get(target)

    with ThreadPoolExecutor(50) as pool:
        return list(pool.map(request, range(50)))


def test_tls_with_the_certificate_authority_of_the_operator(
    root: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    certificate = at.certificate(tmp_path_factory.mktemp("tls"))
    with at.running({"/a.jpg": at.respond(PHOTO)}, tls=certificate) as origin:
        with serving.edge(root, tmp_path, **settings_for(origin, ca_bundle=certificate[0])) as service:
            assert service.get(image(origin)).status == 200
        with serving.edge(root, tmp_path, **settings_for(origin, cache_dir=tmp_path / "other")) as service:
            assert service.get(image(origin)).status == 502, "an authority that is not in ca_bundle"


def test_a_304_keeps_the_variants(validating: tuple[Service, Origin]) -> None:
    service, origin = validating
    origin.scripts["/304"] = at.validated(PHOTO, etag='"1"')
    before = len(service.variants())
    first, second = (service.get(image(origin, "/304")) for _ in range(2))
    assert second.headers["cache-status"] == "imgcdn; fwd=stale; fwd-status=304"
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["cache-control"].startswith("public, max-age=0")
    assert origin.requests[-1].headers["if-none-match"] == '"1"'
    assert len(service.variants()) == before + 2


def test_a_200_with_the_same_bytes_keeps_them_too(validating: tuple[Service, Origin]) -> None:
    service, origin = validating
    origin.scripts["/same"] = at.respond(PHOTO)
    assert service.get(image(origin, "/same")).headers["cache-status"] == "imgcdn; fwd=miss; stored"
    assert service.get(image(origin, "/same")).headers["cache-status"] == "imgcdn; fwd=stale; fwd-status=200"
    assert origin.count("/same") == 2


def test_a_200_with_other_bytes_replaces_the_picture(validating: tuple[Service, Origin]) -> None:
    service, origin = validating
    origin.scripts["/other"] = at.in_turn(at.respond(PHOTO), at.respond(OTHER))
    first, second = (service.get(image(origin, "/other")) for _ in range(2))
    assert (first.status, second.status) == (200, 200)
    assert first.headers["etag"] != second.headers["etag"]


def test_max_age_is_what_remains_of_the_lifetime_from_the_origin(shared: tuple[Service, Origin]) -> None:
    service, origin = shared
    origin.scripts["/600"] = at.respond(PHOTO, cache_control="max-age=600")
    service.get(image(origin, "/600"))
    hit = service.get(image(origin, "/600"))
    assert hit.headers["cache-status"].startswith("imgcdn; hit; ttl=")
    assert 500 < int(hit.headers["cache-status"].rpartition("=")[2]) <= 600
    assert 500 < int(hit.headers["cache-control"].partition("max-age=")[2].partition(",")[0]) <= 600


def test_versions_share_the_variant_and_one_that_was_asked_for_is_immutable(shared: tuple[Service, Origin]) -> None:
    service, origin = shared
    origin.scripts["/v"] = at.respond(PHOTO, cache_control="max-age=600")
    service.get(image(origin, "/v", query="w=100&v=1"))
    for v, is_immutable in (("1", True), ("2", False), ("1", True)):
        response = service.get(image(origin, "/v", query=f"w=100&v={v}"))
        assert ("immutable" in response.headers["cache-control"]) is is_immutable
        assert "hit" in response.headers["cache-status"]
    assert origin.count("/v") == 1, "invented versions cause at most one fetch in ten seconds"


@pytest.mark.parametrize("cache_control", ["no-store", "private", "private, max-age=600"])
def test_a_picture_that_may_not_be_stored_is_not_stored(shared: tuple[Service, Origin], cache_control: str) -> None:
    service, origin = shared
    path = f"/{quote(cache_control, safe='')}"
    origin.scripts[path] = at.respond(PHOTO, cache_control=cache_control)
    before = service.files()
    for count in (1, 2):
        response = service.get(image(origin, path))
        assert (response.status, response.headers["cache-control"]) == (200, "no-store")
        assert origin.count(path) == count
    assert service.files() == before
    assert not list((service.cache / "tmp").iterdir())


def test_an_original_that_was_evicted_is_fetched_again(root: Path, tmp_path: Path, origin: Origin) -> None:
    with serving.edge(root, tmp_path, **settings_for(origin)) as service:
        service.get(image(origin))
        (kept,) = service.cache.rglob("original")
        assert kept.read_bytes() == PHOTO
        kept.unlink()
        assert service.get(image(origin)).headers["cache-status"].startswith("imgcdn; hit")
        assert service.get(image(origin, query="w=101")).status == 200
        assert origin.count("/a.jpg") == 2


def test_originals_survive_a_restart(root: Path, tmp_path: Path, origin: Origin) -> None:
    for width in (100, 200):
        with serving.edge(root, tmp_path, **settings_for(origin)) as service:
            assert service.get(image(origin, query=f"w={width}")).status == 200
    assert origin.count("/a.jpg") == 1


@pytest.mark.parametrize(
    ("script", "status", "slug"),
    [
        pytest.param(at.respond(b"", status=404), 404, "source-not-found", id="404"),
        pytest.param(at.respond(b"", status=410), 404, "source-not-found", id="410"),
        pytest.param(at.respond(b"secret words", status=401), 404, "source-not-found", id="401"),
        pytest.param(at.respond(b"secret words", status=403), 404, "source-not-found", id="403"),
        pytest.param(at.respond(b"secret words", status=451), 404, "source-not-found", id="451"),
        pytest.param(at.respond(b"secret words", status=400), 502, "origin-error", id="400"),
        pytest.param(at.respond(b"secret words", status=429), 503, "origin-busy", id="429"),
        pytest.param(at.respond(b"secret words", status=500), 502, "origin-error", id="500"),
        pytest.param(at.redirect("/redirects%20in%20a%20circle"), 502, "origin-error", id="redirects in a circle"),
        pytest.param(at.redirect("http://127.0.0.1/secret"), 403, "forbidden", id="redirects inside"),
        pytest.param(at.half(PHOTO), 502, "origin-error", id="half a body"),
        pytest.param(at.respond(PHOTO, content_encoding="gzip"), 502, "origin-error", id="gzip that is none"),
        pytest.param(at.respond(PHOTO, content_encoding="br"), 502, "origin-error", id="brotli"),
        pytest.param(at.zipped(bytes(10**7)), 413, "image-too-large", id="a bomb"),
        pytest.param(at.drip_body, 504, "origin-timeout", id="drips"),
        pytest.param(at.silent, 504, "origin-timeout", id="silent"),
        pytest.param(at.endless, 413, "image-too-large", id="endless"),
        pytest.param(at.respond(b"<html>secret words"), 415, "unsupported-image", id="a page"),
        pytest.param(at.respond(PHOTO[:100]), 422, "corrupt-image", id="a picture without pixels"),
    ],
)
def test_the_errors_of_an_origin_are_distinguished_and_remembered(
    shared: tuple[Service, Origin], request: pytest.FixtureRequest, script: at.Script, status: int, slug: str
) -> None:
    service, origin = shared
    path = f"/{quote(request.node.callspec.id)}"
    origin.scripts[path] = script
    before = [name for name in service.variants() if not name.endswith("original")]
    response = service.get(image(origin, path))
    count = len(origin.requests)
    again = service.get(image(origin, path, query="w=300"))
    assert (response.status, again.status) == (status, status)
    assert json.loads(response.body)["type"] == f"/-/problems/{slug}"
    assert b"secret" not in response.body
    assert b"127.0.0.1" not in response.body
    assert len(origin.requests) == count, "the error is remembered"
    assert [name for name in service.variants() if not name.endswith("original")] == before
    assert not list((service.cache / "tmp").iterdir())


def test_a_404_at_validation_removes_the_variants(validating: tuple[Service, Origin]) -> None:
    service, origin = validating
    origin.scripts["/gone"] = at.in_turn(at.respond(PHOTO), at.respond(b"", status=404))
    before = service.variants()
    assert [service.get(image(origin, "/gone")).status for _ in range(2)] == [200, 404]
    assert service.variants() == before


@pytest.mark.parametrize(
    ("failing", "status"), [(500, 502), (400, 502), (429, 503), (401, 404), (403, 404), (451, 404)]
)
def test_an_error_at_validation_removes_nothing(validating: tuple[Service, Origin], failing: int, status: int) -> None:
    service, origin = validating
    path = f"/failing-{failing}"
    origin.scripts[path] = at.in_turn(at.respond(PHOTO), at.respond(b"", status=failing))
    before = len(service.variants())
    assert [service.get(image(origin, path)).status for _ in range(2)] == [200, status]
    assert len(service.variants()) == before + 2


def test_every_403_has_the_same_text_and_the_log_has_the_cause(root: Path, tmp_path: Path, origin: Origin) -> None:
    settings = settings_for(origin, allow_addresses="", log_format="json")
    with serving.edge(root, tmp_path, **settings) as service:
        targets = [
            image(origin),  # its URL is allowed, its address is not
            image(origin, host=OTHER_NAME),
            "/img?url=https://elsewhere.example/a.jpg",
            f"/img?url=http://user@{NAME}:{origin.port}/a.jpg",
        ]
        responses = [service.get(target) for target in targets]
        service.stop()
        notes = [json.loads(line).get("note", "") for line in service.log.read_text().splitlines() if line[:1] == "{"]
    assert {response.status for response in responses} == {403}
    texts = [{**json.loads(response.body), "request_id": ""} for response in responses]
    assert all(text == texts[0] for text in texts)
    assert origin.connections == 0
    for word in ("allow_addresses", "--allow", "user name"):
        assert any(word in note for note in notes), word


def test_without_an_allowlist_nothing_is_fetched(root: Path, tmp_path: Path, origin: Origin) -> None:
    with serving.edge(root, tmp_path, allow_addresses="127.0.0.0/8") as service:
        assert service.get(f"/img?url=http://127.0.0.1:{origin.port}/a.jpg").status == 403
    assert origin.connections == 0


def test_a_mount_needs_no_allowlist_and_stays_beneath_its_base(root: Path, tmp_path: Path, origin: Origin) -> None:
    origin.scripts["/media/a.jpg"] = origin.scripts["/media/a.jpg?x=1"] = at.respond(PHOTO)
    with serving.edge(root, tmp_path, mounts=f"/cms=http://127.0.0.1:{origin.port}/media") as service:
        assert service.get("/img/cms/a.jpg?w=100").status == 200
        assert service.get("/img?url=/cms/a.jpg%3Fx%3D1&w=100").status == 200
        for name in ("../a.jpg", "..%2Fa.jpg", "%252e%252e%252fa.jpg", "", ".git/a.jpg", "a%5cb.jpg", "/a.jpg"):
            assert service.get(f"/img/cms/{name}").status == 404, name
        assert service.get("/img/photo.jpg?w=100").status == 200, "the folder is still served"
        assert service.get("/img/cmsa.jpg").status == 404
    assert {request.target for request in origin.requests} == {"/media/a.jpg", "/media/a.jpg?x=1"}


def test_a_request_loop_is_refused(root: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving.edge(root, tmp_path, bind=f"127.0.0.1:{port}", mounts=f"/me=http://127.0.0.1:{port}/img") as service:
        response = service.get("/img/me/photo.jpg")
        assert response.status == 404
        assert "asked itself" in service.log.read_text()


def test_it_fetches_and_serves_without_a_cache_folder(root: Path, tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "file").write_bytes(b"")
    with serving.edge(root, tmp_path, **settings_for(origin, cache_dir=tmp_path / "file" / "cache")) as service:
        for width in (100, 101):
            response = service.get(image(origin, query=f"w={width}"))
            assert (response.status, response.headers["cache-status"]) == (200, "imgcdn; fwd=miss")
        origin.scripts["/private"] = at.respond(PHOTO, cache_control="private")
        assert service.get(image(origin, "/private")).status == 200
        assert service.get(image(origin, "/missing")).status == 404


def test_no_header_of_the_client_reaches_the_origin(shared: tuple[Service, Origin]) -> None:
    service, origin = shared
    origin.scripts["/client"] = at.respond(PHOTO)
    secrets = {"Cookie": "c=secret", "Authorization": "secret", "X-Forwarded-For": "secret", "Referer": "secret"}
    assert service.get(image(origin, "/client"), headers=secrets).status == 200
    (request,) = (request for request in origin.requests if request.target == "/client")
    assert b"secret" not in request.head
    assert set(request.headers) == {"host", "user-agent", "accept", "accept-encoding", "cdn-loop"} | (
        {"connection"} & set(request.headers)
    )
