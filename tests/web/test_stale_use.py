"""Pictures that are no longer fresh: shown at once while their origin is asked, and while it fails."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import origin as at
from tests.support import pictures, serving
from tests.support.origin import NAME, Origin
from tests.support.serving import Response, Service
from tests.web.conftest import Start
from tests.web.test_remote import image, settings_for

PHOTO = pictures.jpeg(pictures.photograph((600, 400)))
OTHER = pictures.jpeg(pictures.chart((600, 400)))
FLAVOURS = [pytest.param(serving.edge, id="edge"), pytest.param(serving.wsgi, id="wsgi")]

STALE = re.compile(r"imgcdn; hit; ttl=(-[0-9]+|0)")
FAILING = re.compile(r"imgcdn; hit; ttl=(-[0-9]+|0); detail=origin-error")


@pytest.fixture
def origin() -> Iterator[Origin]:
    with at.running({"/a.jpg": at.respond(PHOTO, cache_control="max-age=1", etag='"1"')}) as running:
        yield running


def status_of(response: Response) -> str:
    return response.headers["cache-status"]


def wait_for(service: Service, target: str, pattern: re.Pattern[str] | str) -> Response:
    """Request a URL until its Cache-Status is as expected."""
    ends = time.monotonic() + 10
    while True:
        response = service.get(target)
        if re.fullmatch(pattern, status_of(response)):
            return response
        assert time.monotonic() < ends, status_of(response)
        time.sleep(0.05)


@pytest.mark.parametrize("start", FLAVOURS)
def test_a_stale_picture_is_shown_at_once_and_validated_once(
    root: Path, tmp_path: Path, origin: Origin, start: Start
) -> None:
    release = threading.Event()

    def slow(exchange: at.Exchange) -> None:
        release.wait(20)
        at.respond(OTHER, cache_control="max-age=600", etag='"2"')(exchange)

    with start(root, tmp_path, workers=1, **settings_for(origin, min_ttl=0)) as service:
        first = service.get(image(origin))
        origin.scripts["/a.jpg"] = slow
        stale = wait_for(service, image(origin), STALE)
        assert stale.body == first.body
        assert stale.headers["cache-control"] == "no-cache"
        for _ in range(3):
            assert STALE.fullmatch(status_of(service.get(image(origin))))
        conditional = service.get(image(origin), headers={"If-None-Match": first.headers["etag"]})
        assert (conditional.status, bool(STALE.fullmatch(status_of(conditional)))) == (304, True)
        assert STALE.fullmatch(status_of(service.get(image(origin), method="HEAD")))
        release.set()
        previous = wait_for(service, image(origin), "imgcdn; hit; ttl=(-[0-9]+|0); detail=previous")
        assert previous.body == first.body
        assert previous.headers["cache-control"] == "public, max-age=60, stale-while-revalidate=0"
        changed = wait_for(service, image(origin), r"imgcdn; hit; ttl=[0-9]+")
        assert changed.body != first.body
        assert origin.requests[1].headers["if-none-match"] == '"1"'
    assert origin.count("/a.jpg") == 2


def test_the_previous_version_is_not_shown_to_who_names_a_version(root: Path, tmp_path: Path, origin: Origin) -> None:
    with serving.edge(root, tmp_path, workers=1, **settings_for(origin, min_ttl=0)) as service:
        first = service.get(image(origin))
        origin.scripts["/a.jpg"] = at.respond(OTHER, cache_control="max-age=600")
        wait_for(service, image(origin), "imgcdn; hit; ttl=(-[0-9]+|0); detail=previous")
        named = service.get(image(origin, query="w=120&v=2"))
        assert "detail" not in status_of(named)
        assert wait_for(service, image(origin), r"imgcdn; hit; ttl=[0-9]+").body != first.body


@pytest.mark.parametrize("start", FLAVOURS)
def test_what_is_stored_is_shown_while_the_origin_fails(
    root: Path, tmp_path: Path, origin: Origin, start: Start
) -> None:
    with start(root, tmp_path, workers=1, **settings_for(origin, min_ttl=0, stale_while_revalidate=0)) as service:
        first = service.get(image(origin))
        for script in (at.respond(status=500), at.respond(status=403), at.respond(status=429), at.dropped):
            origin.scripts["/a.jpg"] = script
            failing = wait_for(service, image(origin), FAILING)
            assert (failing.status, failing.body) == (200, first.body)
        new = service.get(image(origin, query="w=150"))
        assert new.status == 200
        assert status_of(new) == "imgcdn; fwd=miss; stored; detail=origin-error"
        assert "what is stored is shown" in service.log.read_text()
        asked = origin.count("/a.jpg")
        assert FAILING.fullmatch(status_of(service.get(image(origin, query="w=150"))))
        assert origin.count("/a.jpg") - asked <= 1, "not at each request"
        origin.scripts["/a.jpg"] = at.respond(OTHER, cache_control="max-age=600")
        assert wait_for(service, image(origin), "imgcdn; (fwd|hit); .*(stored|ttl=[1-9]).*").status == 200


@pytest.mark.parametrize(
    ("value", "options", "status"),
    [
        pytest.param("max-age=0, must-revalidate", {}, 502, id="must-revalidate"),
        pytest.param("s-maxage=0", {}, 502, id="s-maxage"),
        pytest.param("no-cache", {}, 502, id="no-cache"),
        pytest.param("max-age=0, stale-if-error=0", {}, 502, id="its own allowance"),
        pytest.param("max-age=0", {"stale_if_error": 0}, 502, id="the operator allows none"),
        pytest.param("max-age=0", {}, 200, id="not forbidden"),
        pytest.param("no-cache", {"stale": "always"}, 200, id="always"),
    ],
)
def test_the_origin_may_forbid_it_unless_the_operator_says_always(
    root: Path, tmp_path: Path, value: str, options: dict[str, object], status: int
) -> None:
    with at.running({"/a.jpg": at.respond(PHOTO, cache_control=value)}) as origin:
        settings = settings_for(origin, min_ttl=0, default_ttl=0, workers=1)
        if "stale" in options:
            settings["allow"] = json.dumps([{"pattern": f"http://{NAME}:{origin.port}/**", **options}])
        else:
            settings |= options
        with serving.edge(root, tmp_path, **settings) as service:
            assert service.get(image(origin)).status == 200
            origin.scripts["/a.jpg"] = at.respond(status=500)
            assert [service.get(image(origin)).status for _ in range(2)] == [status, status]


@pytest.mark.parametrize("start", FLAVOURS)
def test_pictures_of_a_folder_are_shown_while_it_is_not_there(root: Path, tmp_path: Path, start: Start) -> None:
    with start(root, tmp_path) as service:
        first = service.get("/img/photo.jpg?w=100")
        root.rename(root.with_name("away"))
        for _ in range(2):
            response = service.get("/img/photo.jpg?w=100")
            assert (response.status, response.body) == (200, first.body)
            assert status_of(response) == "imgcdn; hit; ttl=0; detail=origin-error"
            assert response.headers["cache-control"] == "public, max-age=0, stale-while-revalidate=86400"
        for target in ("/img/photo.jpg?w=101", "/img/unknown.jpg?w=100"):
            assert service.get(target).status == 502
        root.with_name("away").rename(root)
        assert status_of(service.get("/img/photo.jpg?w=100")).startswith("imgcdn; hit; ttl=3600")
        (root / "photo.jpg").unlink()
        assert service.get("/img/photo.jpg?w=100").status == 404
