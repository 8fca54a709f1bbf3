"""Connections of the real service: what goes over a socket beyond one request and its response."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pictures, serving
from tests.support.serving import Service

HIT = b"GET /img/photo.jpg?w=100 HTTP/1.1\r\nHost: a\r\n"
LAST = HIT + b"Connection: close\r\n\r\n"


@pytest.fixture(scope="module")
def edge(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving.edge(originals, tmp_path_factory.mktemp("connections"), workers=1) as service:
        for width in range(100, 140):
            assert service.get(f"/img/photo.jpg?w={width}").status == 200
        yield service


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", received)]


def test_requests_in_a_row_are_answered_in_their_order(edge: Service) -> None:
    widths = [*range(100, 140)] * 5
    received = edge.raw(b"".join(b"GET /img/photo.jpg?w=%d HTTP/1.1\r\nHost: a\r\n\r\n" % w for w in widths) + LAST)
    tags = [edge.get(f"/img/photo.jpg?w={width}").headers["etag"] for width in range(100, 140)]

    assert re.findall(rb"etag: ([^\r]+)", received) == [tag.encode() for tag in tags * 5 + tags[:1]]


def test_a_picture_that_is_rendered_does_not_change_the_order(edge: Service) -> None:
    new = b"GET /img/photo.jpg?w=333&fm=png HTTP/1.1\r\nHost: a\r\n\r\n"
    received = edge.raw(HIT + b"\r\n" + new + b"GET /-/healthz HTTP/1.1\r\nHost: a\r\n\r\n" + new + LAST)

    assert re.findall(rb"content-type: ([^\r]+)", received) == [
        b"image/jpeg",
        b"image/png",
        b"application/json",
        b"image/png",
        b"image/jpeg",
    ]


def test_a_page_and_its_head_keep_the_connection(edge: Service) -> None:
    page = b" / HTTP/1.1\r\nHost: a\r\n\r\n"

    assert statuses(edge.raw(b"GET" + page + b"HEAD" + page + b"GET" + page + LAST)) == [200, 200, 200, 200]


def test_an_error_is_answered_after_the_requests_before_it(edge: Service) -> None:
    assert statuses(edge.raw((HIT + b"\r\n") * 3 + b"nonsense\r\n\r\n" + LAST)) == [200, 200, 200, 400]


def test_what_follows_the_last_request_is_dropped(edge: Service) -> None:
    assert statuses(edge.raw(LAST + LAST * 1_000)) == [200]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(HIT + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", 200, id="Upgrade"),
        pytest.param(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", 405, id="CONNECT"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 204, id="OPTIONS *"),
        pytest.param(
            b"GET http://b/img/photo.jpg?w=100 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            200,
            id="absolute form",
        ),
        pytest.param(b"GET /img/photo.jpg?w=100 HTTP/1.0\r\n\r\n", 200, id="HTTP/1.0"),
        pytest.param(b"PUT /img/photo.jpg HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", 405, id="another method"),
        pytest.param(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", 405, id="an unknown path"),
        pytest.param(
            b"POST /img/photo.jpg HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
            405,
            id="a body that is offered",
        ),
    ],
)
def test_a_request_is_answered_once_and_the_connection_closed(edge: Service, data: bytes, expected: int) -> None:
    received = edge.raw(data)

    assert statuses(received) == [expected]
    assert b"\r\nconnection: close\r\n" in received


def test_http_1_0_is_told_that_its_connection_stays_open(edge: Service) -> None:
    received = edge.raw(b"GET /-/healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /-/healthz HTTP/1.0\r\n\r\n")

    assert statuses(received) == [200, 200]
    assert re.findall(rb"connection: ([^\r]+)", received) == [b"keep-alive", b"close"]


def test_a_client_that_sends_on_still_gets_its_refusal(edge: Service) -> None:
    with socket.create_connection((edge.host, edge.port), timeout=30) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n")
        for _ in range(40):
            connection.sendall(bytes(10_000))
            time.sleep(0.005)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert statuses(received) == [413]
    assert b"content-too-large" in received


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_refusal_is_a_problem_document(edge: Service, method: bytes) -> None:
    head, _, body = edge.raw(method + b" / HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"application/problem+json" in head
    assert (json.loads(body)["type"] if body else "") == ("" if method == b"HEAD" else "/-/problems/bad-request")


def test_a_client_that_leaves_during_a_render_is_logged_as_gone(root: Path, tmp_path: Path) -> None:
    (root / "large.jpg").write_bytes(pictures.jpeg(pictures.photograph((5000, 4000)), quality=60))
    with serving.edge(root, tmp_path, workers=1, avif_max_pixels=10**9, log_format="json") as service:
        with socket.create_connection((service.host, service.port), timeout=30) as connection:
            connection.sendall(b"GET /img/large.jpg?fm=avif&q=95 HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.3)
        deadline = time.monotonic() + 10
        while "499" not in service.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        (line,) = (json.loads(text) for text in service.log.read_text().splitlines() if "499" in text)
        assert (line["status"], line["target"]) == (499, "/img/large.jpg?fm=avif&q=95")
        assert service.get("/-/healthz").status == 200
        service.stop()
        assert "; 1 left before the answer" in service.log.read_text()


def test_each_response_has_an_id_of_its_own(edge: Service) -> None:
    received = edge.raw((HIT + b"X-Request-Id: mine\r\n\r\n") * 2 + b"nonsense\r\n\r\n")
    ids = re.findall(rb"x-request-id: ([^\r]+)", received)

    assert len(set(ids)) == 3
    assert b"mine" not in ids


def test_a_trusted_proxy_names_the_client_and_the_request(root: Path, tmp_path: Path) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 127.0.0.2", "X-Request-Id": "from-the-proxy"}
    with serving.edge(root, tmp_path, trusted_proxies="127.0.0.0/8", log_format="json") as service:
        response = service.get("/img/photo.jpg?w=77", headers={**forwarded, "User-Agent": "a test"})
        service.stop()
        lines = [json.loads(text) for text in service.log.read_text().splitlines() if text.startswith("{")]
    (line,) = [line for line in lines if line.get("target") == "/img/photo.jpg?w=77"]

    assert response.headers["x-request-id"] == "from-the-proxy"
    assert {name: line[name] for name in ("method", "status", "client", "host", "user_agent", "request_id")} == {
        "method": "GET",
        "status": 200,
        "client": "198.51.100.7",
        "host": f"127.0.0.1:{service.port}",
        "user_agent": "a test",
        "request_id": "from-the-proxy",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", line["time"])


def test_the_level_of_a_line_tells_who_is_at_fault(originals: Path, tmp_path: Path) -> None:
    levels = {
        "/nowhere": "INFO",
        "/img/photo.jpg?w=x": "INFO",
        "/img/garbage.jpg": "WARNING",
        "/img?url=http://127.0.0.1:1/a.jpg": "ERROR",  # an origin that does not answer
    }
    settings = {"allow": "http://127.0.0.1:1/**", "allow_addresses": "127.0.0.0/8", "log_format": "json"}
    with serving.edge(originals, tmp_path, workers=1, **settings) as service:
        for target in levels:
            service.get(target)
        service.stop()
        lines = [json.loads(text) for text in service.log.read_text().splitlines() if text.startswith("{")]

    assert [(line["target"], line["level"]) for line in lines if "target" in line] == list(levels.items())


def test_a_client_that_leaves_with_the_last_slice_takes_no_turn_from_others(edge: Service) -> None:
    large = "/img/noise.png?fm=png"
    assert len(edge.get(large).body) > 300_000
    # The body of the request is not read, so each of these connections is half-closed after its response.
    head = f"GET {large} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n".encode()
    length = len(edge.raw(head))
    for _ in range(4):
        crowd = [socket.create_connection((edge.host, edge.port), timeout=30) for _ in range(20)]
        for connection in crowd:
            connection.sendall(head)
        for connection in crowd:
            received = 0
            while received < length - 20_000:
                received += len(connection.recv(20_000))
            connection.close()
        assert len(edge.get(large).body) > 300_000
