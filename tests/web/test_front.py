"""The front as a function, without a server and without renders: methods, the exit, counts and the access log."""

import asyncio
import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.config import Config, load
from imgcdn.core.request.loops import MAX_CDN_LOOP_LENGTH
from imgcdn.core.request.routes import Routes
from imgcdn.core.values import Source
from imgcdn.service.assembly import assemble
from imgcdn.web.front import Front
from imgcdn.web.request import Request
from imgcdn.web.responses import Response
from imgcdn.web.router import ROUTES, Route

SETTINGS = {
    "allow": "https://cdn.example/**",
    "mounts": "/cms=https://cms.internal/media",
    "access_log": "all",
    "admin_token": "of-the-operator-alone",
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "root").mkdir()
    folders = {"root": str(tmp_path / "root"), "cache_dir": str(tmp_path / "cache")}
    return load({**folders, **SETTINGS}, environ={})


@pytest.fixture
def front(config: Config) -> Front:
    return Front(config.web, config.request, assemble(config), max_waiting=9)


def answer(front: Front, target: str, method: str = "GET") -> Response:
    response = front.answer(Request(method, target, {}, id="the-id", received_at=time.perf_counter()))
    assert response is not None
    return response


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("route", [pytest.param(route, id=route.path) for route in ROUTES])
def test_a_route_answers_its_methods_and_takes_a_body_only_with_post(front: Front, route: Route, method: str) -> None:
    request = Request(method, route.path, {})
    response = front.answer(request)  # None for a page, which has to be waited for

    assert (response is not None and response.status == 405) is (method not in route.methods)
    assert front.takes_body(request) is (method == "POST" and method in route.methods)


@pytest.mark.parametrize("target", ["/-/healthz", "/favicon.ico", "/nowhere", "/img/missing.jpg", "/img/a.jpg?w=wide"])
def test_the_response_to_head_is_that_to_get_without_its_body(front: Front, target: str) -> None:
    got, head = answer(front, target), answer(front, target, "HEAD")
    described, repeated = ({**dict(each.headers), b"date": b""} for each in (got, head))

    assert (head.status, repeated, head.body) == (got.status, described, b"")
    assert described[b"content-length"] == str(len(got.body)).encode()
    assert len(got.body) > 0


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/img/https%3A%2F%2Fcdn.example%3A8443%2Fa.jpg", "", id="a URL that is not allowed"),
        pytest.param("/img/https%3A%2F%2Fcdn.example%2Fa.jpg", "cdn.example", id="a URL"),
        pytest.param("/.netlify/images?url=https%3A%2F%2Fcdn.example%2Fa.jpg", "cdn.example", id="a URL in the query"),
        pytest.param("/img/cms/a.jpg", "cms.internal", id="a mount"),
        pytest.param("/img/a.jpg", "", id="a file"),
        pytest.param("/img/a.jpg?w=wide", "", id="a request that is not valid"),
        pytest.param("/-/healthz", "", id="no picture"),
        pytest.param("*", "", id="no path"),
    ],
)
def test_the_access_log_names_the_host_of_the_source(
    front: Front, caplog: pytest.LogCaptureFixture, target: str, expected: str
) -> None:
    with caplog.at_level(logging.INFO, "imgcdn.access"):
        front.answer(Request("GET", target, {}))  # a new picture is left open, so nothing is logged yet
        answer(front, target, "DELETE")

    assert vars(caplog.records[-1])["source_host"] == expected


class _CountingRoutes(Routes):
    """Routes that count the targets that were parsed up to here."""

    parsed = 0

    def route(self, source: Source) -> Source:
        """Count, and route."""
        self.parsed += 1
        return super().route(source)


def test_a_target_that_is_refused_is_parsed_once(config: Config) -> None:
    routes = _CountingRoutes(config.origins.mounts, config.origins.allow)
    front = Front(config.web, config.request, replace(assemble(config), routes=routes), max_waiting=9)
    response = answer(front, "/img/https%3A%2F%2Fnowhere.example%2Fa.jpg")

    assert response.status == 403
    assert routes.parsed == 1


def test_a_head_is_logged_with_the_bytes_that_were_sent(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "imgcdn.access"):
        answer(front, "/favicon.ico")
        answer(front, "/favicon.ico", "HEAD")
    first, second = (vars(record)["bytes"] for record in caplog.records)

    assert first > 0
    assert second == 0


@pytest.mark.parametrize(
    ("length", "cause"),
    [
        pytest.param(MAX_CDN_LOOP_LENGTH, "this service asked itself", id="of the greatest length"),
        pytest.param(MAX_CDN_LOOP_LENGTH + 1, "CDN-Loop has more than 2,000 characters", id="too long to be read"),
    ],
)
def test_the_log_tells_a_loop_from_a_header_that_is_too_long(
    config: Config, caplog: pytest.LogCaptureFixture, length: int, cause: str
) -> None:
    parts = assemble(config)
    header = f"{parts.loop_id}, ".ljust(length, "a").encode()
    with caplog.at_level(logging.INFO, "imgcdn.access"):
        front = Front(config.web, config.request, parts, max_waiting=9)
        response = front.answer(Request("GET", "/img/a.jpg", {b"cdn-loop": header}))

    assert response is not None
    assert response.status == 403
    assert cause in vars(caplog.records[-1])["note"]


@pytest.mark.parametrize(
    ("settings", "shown", "hidden"),
    [
        pytest.param({}, b"/img/photo.jpg?w=640", b"p=NAME", id="signed URLs of any output"),
        pytest.param(
            {"params": "presets", "presets": "thumb=w=200"},
            b"/img/photo.jpg?p=NAME",
            b"?w=",
            id="signed URLs of presets",
        ),
    ],
)
def test_the_welcome_page_shows_a_url_that_the_service_serves_once_it_is_signed(
    config: Config, settings: dict[str, str], shown: bytes, hidden: bytes
) -> None:
    flags = {"root": str(config.origins.root), "cache_dir": str(config.store.cache_dir), **settings}
    key = {"require_signature": "true", "signing_keys": "k:00112233445566778899aabbccddeeff"}
    closed = load({**flags, **key}, environ={})
    front = Front(closed.web, closed.request, assemble(closed), max_waiting=9)

    page = bytes(asyncio.run(front.wait(Request("GET", "/", {}))).body[:])

    assert b"imgcdn sign" in page
    assert shown in page
    assert hidden not in page
