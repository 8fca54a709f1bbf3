"""A limit that is lowered later binds originals that are already known, and their stored variants."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support import origin as at
from tests.support import pictures, serving
from tests.support.origin import NAME, OTHER_NAME, Origin
from tests.support.serving import Response, Service
from tests.web.conftest import Start
from tests.web.test_remote import image, settings_for

STORED = "/img/photo.jpg?w=120"
PLAYED = "/img/animation.gif?w=90"
PHOTO = pictures.jpeg(pictures.photograph((600, 400)))
FRAMES = [Image.new("RGB", (300, 240), colour) for colour in (pictures.RED, pictures.GREEN, pictures.BLUE)]
FLAVOURS = [pytest.param(serving.edge, id="edge"), pytest.param(serving.wsgi, id="wsgi")]

#: Remote originals that came through two redirects, one for each test that refuses them, and one that is not refused.
ROUNDABOUT = [f"/{name}/first.jpg" for name in ("a", "b", "c", "d", "e", "f", "fine")]


@dataclass(frozen=True, slots=True)
class Known:
    """
    What a service without these limits has seen.

    Args:
        root: The folder of its originals.
        cache: Its cache. No test removes anything from it.
        settings: Of that service, by which it fetches from the origin.
        stored: Its responses.
    """

    root: Path
    cache: Path
    origin: Origin
    settings: dict[str, object]
    stored: dict[str, Response]

    @property
    def targets(self) -> dict[str, str]:
        paths = ["/fresh.jpg", "/validated.jpg", "/day.jpg", "/one.redirected", "/another.redirected", *ROUNDABOUT]
        return {path: image(self.origin, path) for path in paths}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    """Let one service render pictures from a folder and from an origin."""
    root, folder = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("known")
    (root / "photo.jpg").write_bytes(PHOTO)
    for name in ("animation.gif", "new.gif"):
        (root / name).write_bytes(pictures.animated_gif(FRAMES, [100, 200, 100]))
    for name in ("known.avif", "new.avif"):
        (root / name).write_bytes(pictures.saved(pictures.photograph((300, 200)), "AVIF"))
    scripts = {
        "/fresh.jpg": at.respond(PHOTO, cache_control="max-age=600"),
        "/validated.jpg": at.validated(PHOTO, etag='"1"'),
        "/day.jpg": at.respond(PHOTO, cache_control="max-age=86400"),
        "/end-of/one.redirected": at.respond(PHOTO, cache_control="max-age=86400"),
        "/end-of/another.redirected": at.respond(PHOTO, cache_control="max-age=86400"),
        "/direct.jpg": at.respond(PHOTO),
    }
    with at.running(scripts) as origin:
        for path in ("/one.redirected", "/another.redirected"):
            origin.scripts[path] = at.redirect(origin.url(f"/end-of{path}", OTHER_NAME))
        for path in ROUNDABOUT:
            second, last = path.replace("first", "second"), path.replace("first", "last")
            hops = {path: at.redirect(second), second: at.redirect(last)}
            origin.scripts |= {**hops, last: at.respond(PHOTO, cache_control="max-age=86400")}
        allow = [f"http://{name}:{origin.port}/**" for name in (NAME, OTHER_NAME)]
        settings = settings_for(origin, allow=" ".join(allow), min_ttl=0, default_ttl=0, stale_while_revalidate=0)
        found = Known(root, folder / "cache", origin, settings, {})
        with serving.edge(root, folder, **settings) as service:
            for name in (STORED, PLAYED, "/img/known.avif?w=120"):
                found.stored[name] = service.get(name)
            for path, target in found.targets.items():
                found.stored[path] = service.get(target)
        assert {response.status for response in found.stored.values()} == {200}
        yield found


@pytest.fixture(scope="module", params=FLAVOURS)
def fewer_pixels(
    request: pytest.FixtureRequest, known: Known, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Run a service with the same cache that refuses the photograph, and of the animation shows a still."""
    start: Start = request.param
    with start(known.root, tmp_path_factory.mktemp("pixels"), cache_dir=known.cache, max_pixels=200_000) as service:
        yield service


@pytest.fixture(scope="module", params=FLAVOURS)
def fewer_bytes(
    request: pytest.FixtureRequest, known: Known, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    start: Start = request.param
    settings = {**known.settings, "cache_dir": known.cache, "max_source_bytes": 5_000}
    with start(known.root, tmp_path_factory.mktemp("bytes"), **settings) as service:
        yield service


def _assert_refuses(service: Service, known: Known, unit: str) -> None:
    for target in (STORED, "/img/photo.jpg?w=121"):
        response = service.get(target)
        assert (response.status, json.loads(response.body)["unit"]) == (413, unit)
    assert service.get(STORED, headers={"If-None-Match": known.stored[STORED].headers["etag"]}).status == 413
    assert service.get(STORED, method="HEAD").status == 413


def test_a_known_original_with_more_pixels_is_refused(fewer_pixels: Service, known: Known) -> None:
    _assert_refuses(fewer_pixels, known, "pixels")


def test_a_known_original_with_more_bytes_is_refused(fewer_bytes: Service, known: Known) -> None:
    _assert_refuses(fewer_bytes, known, "bytes")


@pytest.mark.parametrize("path", ["/fresh.jpg", "/validated.jpg"])
def test_a_known_remote_original_with_more_bytes_is_refused(fewer_bytes: Service, known: Known, path: str) -> None:
    assert [fewer_bytes.get(image(known.origin, path, f"w={width}")).status for width in (100, 101)] == [413, 413]


def test_a_known_animation_becomes_a_still(fewer_pixels: Service, known: Known) -> None:
    still = fewer_pixels.get(PLAYED)
    assert (_count(known.stored[PLAYED]), _count(still)) == (3, 1)
    assert "detail" not in known.stored[PLAYED].headers["cache-status"]
    assert still.headers["cache-status"].endswith("; detail=still")


def _count(response: Response) -> int:
    return int(getattr(Image.open(io.BytesIO(response.body)), "n_frames", 1))


def test_an_animation_above_it_is_said_to_be_a_still(fewer_pixels: Service) -> None:
    target = f"/img/new.gif?w={90 + fewer_pixels.port % 100}"  # the two services have one cache
    first, second = fewer_pixels.get(target), fewer_pixels.get(target)
    assert first.headers["cache-status"].startswith("imgcdn; fwd=miss")
    assert second.headers["cache-status"].startswith("imgcdn; hit")
    unchanged = fewer_pixels.get(target, headers={"If-None-Match": first.headers["etag"]})
    assert unchanged.status == 304
    for response in (first, second, unchanged, fewer_pixels.get(f"{target}&fm=gif")):
        assert response.headers["cache-status"].endswith("; detail=still")
    # A still is what these ask for.
    for query in ("&still=1", "&fm=png", "&fm=lqip"):
        assert "detail" not in fewer_pixels.get(target + query).headers["cache-status"]
    facts = json.loads(fewer_pixels.get("/img/new.gif?fm=json").body)
    assert (facts["frames"], facts["reduced"]) == (3, {"frames": 1, "limit": "max_pixels"})
    refused = fewer_pixels.get("/img/new.gif?fm=avif")
    assert (refused.status, json.loads(refused.body)["param"]) == (400, "fm")


def test_what_was_refused_is_as_before_once_the_limit_is_raised_again(
    fewer_pixels: Service, fewer_bytes: Service, known: Known, tmp_path: Path
) -> None:
    assert [service.get(STORED).status for service in (fewer_pixels, fewer_bytes)] == [413, 413]
    assert _count(fewer_pixels.get(PLAYED)) == 1
    fewer_pixels.get("/img/new.gif?fm=json")
    with serving.edge(known.root, tmp_path, cache_dir=known.cache) as service:
        assert service.get(STORED).headers["cache-status"].startswith("imgcdn; hit")
        assert _count(service.get(PLAYED)) == 3
        facts = json.loads(service.get("/img/new.gif?fm=json").body)
        assert (facts["frames"], "reduced" in facts) == (3, False)


def test_a_known_original_is_validated_after_a_shorter_max_ttl(known: Known, tmp_path: Path) -> None:
    settings = {**known.settings, "cache_dir": known.cache}
    target = known.targets["/day.jpg"]
    with serving.edge(known.root, tmp_path, **settings, max_ttl=0) as service:
        assert service.get(target).headers["cache-status"] == "imgcdn; fwd=stale; fwd-status=200"


@pytest.mark.parametrize(
    ("start", "path"),
    [
        pytest.param(serving.edge, "/one.redirected", id="edge"),
        pytest.param(serving.wsgi, "/another.redirected", id="wsgi"),
    ],
)
def test_a_known_original_that_came_through_a_redirect_is_refused_after_its_end_is_not_allowed(
    known: Known, tmp_path: Path, start: Start, path: str
) -> None:
    origin, stored = known.origin, known.stored[path]
    settings = {**known.settings, "cache_dir": known.cache, "allow": f"http://{NAME}:{origin.port}/**"}
    source = partial(image, origin, path)
    assert origin.count(f"/end-of{path}") == 1
    with start(known.root, tmp_path, **settings) as service:
        for query in ("w=100", "w=101", "w=100"):
            assert service.get(source(query=query)).status == 403
        assert service.get(source(), headers={"If-None-Match": stored.headers["etag"]}).status == 403
        assert origin.count(f"/end-of{path}") == 1
        assert service.get(image(origin, "/direct.jpg")).status == 200


@pytest.mark.parametrize(
    ("start", "path", "narrowed", "status"),
    [
        # The addresses of the tests' origins are loopback, and that is no public network.
        (serving.edge, "/a/first.jpg", {"allow_addresses": "10.0.0.0/8"}, 403),
        (serving.wsgi, "/b/first.jpg", {"allow_addresses": "10.0.0.0/8"}, 403),
        (serving.edge, "/c/first.jpg", {"max_redirects": 1}, 502),
        (serving.wsgi, "/d/first.jpg", {"max_redirects": 1}, 502),
        # For a hop on the way.
        (serving.edge, "/e/first.jpg", {"allow": "http://{0}/e/first.jpg http://{0}/e/last.jpg"}, 403),
        (serving.wsgi, "/f/first.jpg", {"allow": "http://{0}/f/first.jpg http://{0}/f/last.jpg"}, 403),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else getattr(value, "__name__", None),
)
def test_a_known_original_is_refused_after_the_way_it_came_is_not_allowed(
    known: Known, tmp_path: Path, start: Start, path: str, narrowed: dict[str, Any], status: int
) -> None:
    origin, last = known.origin, path.replace("first", "last")
    source = partial(image, origin, path)
    if "allow" in narrowed:
        narrowed = {"allow": narrowed["allow"].format(f"{NAME}:{origin.port}")}
    with start(known.root, tmp_path, **{**known.settings, "cache_dir": known.cache, **narrowed}) as service:
        for query in ("w=100", "w=101", "w=100"):
            assert service.get(source(query=query)).status == status
        headers = {"If-None-Match": known.stored[path].headers["etag"]}
        assert service.get(source(), headers=headers).status == status
        assert origin.count(last) == 1


def test_a_known_original_stays_known_while_the_way_it_came_is_allowed(known: Known, tmp_path: Path) -> None:
    path = "/fine/first.jpg"
    changed = {"allow_addresses": "127.0.0.1/32", "max_redirects": 2}
    with serving.edge(known.root, tmp_path, **{**known.settings, "cache_dir": known.cache, **changed}) as service:
        assert service.get(known.targets[path]).status == 200
        assert [known.origin.count(path.replace("first", hop)) for hop in ("first", "second", "last")] == [1, 1, 1]


def test_a_mounted_original_needs_no_public_address(known: Known, tmp_path: Path) -> None:
    with at.running({"/t.jpg": at.respond(PHOTO, cache_control="max-age=86400")}) as origin:
        settings = settings_for(origin, mounts=f"/cms=http://{NAME}:{origin.port}", allow_addresses="", allow="")
        for _ in range(2):
            with serving.edge(known.root, tmp_path, **settings) as service:
                assert service.get("/img/cms/t.jpg?w=100").status == 200
        assert len(origin.requests) == 1


def test_avif_originals_are_refused_where_they_are_switched_off(known: Known, tmp_path: Path) -> None:
    with serving.edge(known.root, tmp_path, cache_dir=known.cache, avif_input=False) as service:
        for name in ("known.avif", "new.avif"):
            refused = service.get(f"/img/{name}?w=120")
            assert refused.status == 415
            assert json.loads(refused.body)["detail"].endswith("JPEG, PNG, GIF and WebP are supported.")
        assert service.get("/img/photo.jpg?w=120&fm=avif").status == 200, "they are written as before"
