"""A limit that is lowered later binds originals that are already known, and their stored variants."""

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support import origin as at
from tests.support import pictures, serving
from tests.support.origin import NAME, OTHER_NAME
from tests.web.conftest import Start
from tests.web.test_remote import image, settings_for

STORED = "/img/photo.jpg?w=120"


@pytest.mark.parametrize("start", [pytest.param(serving.edge, id="edge"), pytest.param(serving.wsgi, id="wsgi")])
@pytest.mark.parametrize(
    ("lowered", "unit"),
    [
        pytest.param({"max_pixels": 239_999}, "pixels", id="max_pixels"),
        pytest.param({"max_source_bytes": 5_000}, "bytes", id="max_source_bytes"),
    ],
)
def test_a_known_original_above_it_is_refused(
    root: Path, tmp_path: Path, lowered: dict[str, int], unit: str, start: Start
) -> None:
    with start(root, tmp_path) as service:
        stored = service.get(STORED)
        assert stored.status == 200
    with start(root, tmp_path, **lowered) as service:
        for target in (STORED, "/img/photo.jpg?w=121"):
            response = service.get(target)
            assert (response.status, json.loads(response.body)["unit"]) == (413, unit)
        assert service.get(STORED, headers={"If-None-Match": stored.headers["etag"]}).status == 413
        assert service.get(STORED, method="HEAD").status == 413
    with start(root, tmp_path) as service:
        assert service.get(STORED).headers["cache-status"].startswith("imgcdn; hit")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"cache_control": "max-age=600"}, id="fresh"),
        pytest.param({"cache_control": "max-age=0", "etag": '"1"'}, id="validated with a 304"),
    ],
)
def test_a_known_remote_original_above_it_is_refused(root: Path, tmp_path: Path, headers: dict[str, Any]) -> None:
    body = pictures.jpeg(pictures.photograph((600, 400)))
    with at.running({"/a.jpg": at.in_turn(at.respond(body, **headers), at.respond(status=304, **headers))}) as origin:
        settings = settings_for(origin, min_ttl=0, default_ttl=0)
        with serving.edge(root, tmp_path, **settings) as service:
            assert service.get(image(origin)).status == 200
        with serving.edge(root, tmp_path, **settings, max_source_bytes=5_000) as service:
            assert [service.get(image(origin, query=f"w={width}")).status for width in (100, 101)] == [413, 413]


def test_a_known_animation_above_it_becomes_a_still(root: Path, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (300, 240), colour) for colour in (pictures.RED, pictures.GREEN, pictures.BLUE)]
    (root / "animation.gif").write_bytes(pictures.animated_gif(frames, [100, 200, 100]))

    def count(service: serving.Service) -> int:
        found = Image.open(io.BytesIO(service.get("/img/animation.gif?w=90").body))
        return int(getattr(found, "n_frames", 1))

    with serving.edge(root, tmp_path) as service:
        assert count(service) == 3
        assert "detail" not in service.get("/img/animation.gif?w=90").headers["cache-status"]
    with serving.edge(root, tmp_path, max_pixels=200_000) as service:
        assert count(service) == 1
        assert service.get("/img/animation.gif?w=90").headers["cache-status"].endswith("; detail=still")
    with serving.edge(root, tmp_path) as service:
        assert count(service) == 3


def test_an_animation_above_it_is_said_to_be_a_still(root: Path, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (300, 240), colour) for colour in (pictures.RED, pictures.GREEN, pictures.BLUE)]
    (root / "animation.gif").write_bytes(pictures.animated_gif(frames, [100, 200, 100]))
    target = "/img/animation.gif?w=90"
    with serving.edge(root, tmp_path, max_pixels=200_000) as service:
        first, second = service.get(target), service.get(target)
        assert first.headers["cache-status"].startswith("imgcdn; fwd=miss")
        assert second.headers["cache-status"].startswith("imgcdn; hit")
        unchanged = service.get(target, headers={"If-None-Match": first.headers["etag"]})
        assert unchanged.status == 304
        for response in (first, second, unchanged, service.get(f"{target}&fm=gif")):
            assert response.headers["cache-status"].endswith("; detail=still")
        # A still is what these ask for.
        for query in ("&still=1", "&fm=png", "&fm=lqip"):
            assert "detail" not in service.get(target + query).headers["cache-status"]
        facts = json.loads(service.get("/img/animation.gif?fm=json").body)
        assert (facts["frames"], facts["reduced"]) == (3, {"frames": 1, "limit": "max_pixels"})
        refused = service.get("/img/animation.gif?fm=avif")
        assert (refused.status, json.loads(refused.body)["param"]) == (400, "fm")
    with serving.edge(root, tmp_path) as service:
        facts = json.loads(service.get("/img/animation.gif?fm=json").body)
        assert (facts["frames"], "reduced" in facts) == (3, False)


def test_a_known_original_is_validated_after_a_shorter_max_ttl(root: Path, tmp_path: Path) -> None:
    body = pictures.jpeg(pictures.photograph((600, 400)))
    with at.running({"/a.jpg": at.respond(body, cache_control="max-age=86400")}) as origin:
        with serving.edge(root, tmp_path, **settings_for(origin)) as service:
            assert service.get(image(origin)).status == 200
            assert "ttl=86" in service.get(image(origin)).headers["cache-status"]
        lowered = settings_for(origin, max_ttl=0, default_ttl=0, min_ttl=0, stale_while_revalidate=0)
        with serving.edge(root, tmp_path, **lowered) as service:
            assert service.get(image(origin)).headers["cache-status"] == "imgcdn; fwd=stale; fwd-status=200"


@pytest.mark.parametrize("start", [pytest.param(serving.edge, id="edge"), pytest.param(serving.wsgi, id="wsgi")])
def test_a_known_original_that_came_through_a_redirect_is_refused_after_its_end_is_not_allowed(
    root: Path, tmp_path: Path, start: Start
) -> None:
    body = pictures.jpeg(pictures.photograph((600, 400)))
    with at.running({"/t.jpg": at.respond(body, cache_control="max-age=86400")}) as origin:
        origin.scripts["/r.jpg"] = at.redirect(origin.url("/t.jpg", OTHER_NAME))
        allow = [f"http://{name}:{origin.port}/**" for name in (NAME, OTHER_NAME)]
        source = partial(image, origin, "/r.jpg")
        with start(root, tmp_path, **settings_for(origin, allow=" ".join(allow))) as service:
            stored = service.get(source())
            assert stored.status == 200
            assert service.get(source()).headers["cache-status"].startswith("imgcdn; hit")
            assert origin.count("/t.jpg") == 1
        with start(root, tmp_path, **settings_for(origin, allow=allow[0])) as service:
            for query in ("w=100", "w=101", "w=100"):
                assert service.get(source(query=query)).status == 403
            assert service.get(source(), headers={"If-None-Match": stored.headers["etag"]}).status == 403
            assert origin.count("/t.jpg") == 1
        origin.scripts["/r.jpg"] = at.respond(body)
        (tmp_path / "later").mkdir()
        with start(root, tmp_path / "later", **settings_for(origin, allow=allow[0])) as service:
            assert service.get(source()).status == 200


@pytest.mark.parametrize(
    ("narrowed", "status"),
    [
        # The addresses of the tests' origins are loopback, and that is no public network.
        pytest.param({"allow_addresses": "10.0.0.0/8"}, 403, id="allow_addresses"),
        pytest.param({"max_redirects": 1}, 502, id="max_redirects"),
        pytest.param({"allow": "http://{0}/r.jpg http://{0}/t.jpg"}, 403, id="allow, for a hop on the way"),
    ],
)
@pytest.mark.parametrize("start", [pytest.param(serving.edge, id="edge"), pytest.param(serving.wsgi, id="wsgi")])
def test_a_known_original_is_refused_after_the_way_it_came_is_not_allowed(
    root: Path, tmp_path: Path, narrowed: dict[str, Any], status: int, start: Start
) -> None:
    body = pictures.jpeg(pictures.photograph((600, 400)))
    with at.running({"/t.jpg": at.respond(body, cache_control="max-age=86400")}) as origin:
        origin.scripts |= {"/r.jpg": at.redirect("/s.jpg"), "/s.jpg": at.redirect("/t.jpg")}
        source = partial(image, origin, "/r.jpg")
        with start(root, tmp_path, **settings_for(origin)) as service:
            stored = service.get(source())
            assert stored.status == 200
        if "allow" in narrowed:
            narrowed = {"allow": narrowed["allow"].format(f"{NAME}:{origin.port}")}
        with start(root, tmp_path, **settings_for(origin, **narrowed)) as service:
            for query in ("w=100", "w=101", "w=100"):
                assert service.get(source(query=query)).status == status
            assert service.get(source(), headers={"If-None-Match": stored.headers["etag"]}).status == status
            assert origin.count("/t.jpg") == 1


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"allow_addresses": "127.0.0.1/32"}, id="allow_addresses"),
        pytest.param({"max_redirects": 1}, id="max_redirects"),
    ],
)
def test_a_known_original_stays_known_while_the_way_it_came_is_allowed(
    root: Path, tmp_path: Path, changed: dict[str, Any]
) -> None:
    body = pictures.jpeg(pictures.photograph((600, 400)))
    with at.running({"/t.jpg": at.respond(body, cache_control="max-age=86400")}) as origin:
        origin.scripts["/r.jpg"] = at.redirect("/t.jpg")
        for settings in ({}, changed):
            with serving.edge(root, tmp_path, **settings_for(origin, **settings)) as service:
                assert service.get(image(origin, "/r.jpg")).status == 200
        assert len(origin.requests) == 2


def test_a_mounted_original_needs_no_public_address(root: Path, tmp_path: Path) -> None:
    body = pictures.jpeg(pictures.photograph((600, 400)))
    with at.running({"/t.jpg": at.respond(body, cache_control="max-age=86400")}) as origin:
        settings = settings_for(origin, mounts=f"/cms=http://{NAME}:{origin.port}", allow_addresses="", allow="")
        for _ in range(2):
            with serving.edge(root, tmp_path, **settings) as service:
                assert service.get("/img/cms/t.jpg?w=100").status == 200
        assert len(origin.requests) == 1


def test_avif_originals_are_refused_where_they_are_switched_off(root: Path, tmp_path: Path) -> None:
    for name in ("known.avif", "new.avif"):
        (root / name).write_bytes(pictures.saved(pictures.photograph((300, 200)), "AVIF"))
    with serving.edge(root, tmp_path) as service:
        assert service.get("/img/known.avif?w=120").status == 200
    with serving.edge(root, tmp_path, avif_input=False) as service:
        for name in ("known.avif", "new.avif"):
            refused = service.get(f"/img/{name}?w=120")
            assert refused.status == 415
            assert json.loads(refused.body)["detail"].endswith("JPEG, PNG, GIF and WebP are supported.")
        assert service.get("/img/photo.jpg?w=120&fm=avif").status == 200, "they are written as before"
