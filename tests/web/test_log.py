"""What the log of the real service says of requests, and at the end of a process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import serving
from tests.support.paths import ROOT

PICTURE = "/img/photo.jpg?w=100"


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


@pytest.mark.parametrize("access_log", ["misses", "off"])
def test_a_process_that_stops_says_what_it_answered(root: Path, tmp_path: Path, access_log: str) -> None:
    settings = {"workers": 1, "log_format": "json", "access_log": access_log}
    with serving.edge(root, tmp_path, **settings) as service:
        for target in (PICTURE, PICTURE, "/img/missing.jpg"):
            service.get(target)
        service.get(PICTURE, method="OPTIONS")
        checks = sum(service.get("/-/healthz").status == 200 for _ in range(3))
        assert service.stop() == 0

    said = lines(service.log)[-1]
    assert (said["level"], checks) == ("INFO", 3)
    assert said["message"] == "answered 7 requests: 6 2xx, 1 4xx; 1 hit, 1 miss, 1 error"


def test_a_process_without_requests_says_nothing(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path) as service:
        assert service.stop() == 0

    assert "answered" not in service.log.read_text()


def test_the_time_of_a_request_includes_its_wait_for_the_one_before(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, workers=1, log_format="json", access_log="all") as service:
        service.get(PICTURE)
        render = b"GET /img/photo.jpg?w=500&fm=avif HTTP/1.1\r\nHost: a\r\n\r\n"
        hit = f"GET {PICTURE} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
        service.raw(render + hit)

    _, miss, after = [line for line in lines(service.log) if "target" in line]
    assert (miss["cache"], after["cache"][:3]) == ("fwd=miss; stored", "hit")
    assert after["total_ms"] > miss["total_ms"] / 2 > 0


def test_a_line_that_is_written_on_the_way_has_the_id_of_its_request(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, log_format="json") as service:
        service.get(PICTURE)
        (variant,) = service.variants()
    path = service.cache / "current" / variant
    path.write_bytes(path.read_bytes()[:-1])
    with serving.edge(root, tmp_path, log_format="json") as service:
        response = service.get(PICTURE)

    (line,) = [line for line in lines(service.log) if line["message"].startswith("removed a damaged variant")]
    assert line["request_id"] == response.headers["x-request-id"]


#: A site that requests a path of the service that is mounted into it.
_SITE = """
from wsgiref.util import setup_testing_defaults
from imgcdn.web.wsgi import create_app

environ = {"RAW_URI": "/img/missing.jpg"}
setup_testing_defaults(environ)
create_app()(environ, lambda status, headers: None)
"""


def test_with_the_logging_of_the_docs_a_mounted_service_writes_its_lines(root: Path, tmp_path: Path) -> None:
    section = (ROOT / "docs" / "front.md").read_text(encoding="utf-8").partition("### In another server")[2]
    (example,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    settings = {"IMGCDN_ROOT": str(root), "IMGCDN_CACHE_DIR": str(tmp_path / "cache"), "IMGCDN_MIN_FREE_BYTES": "0"}
    command = [sys.executable, "-c", example + _SITE]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ, **settings}, cwd=ROOT
    )
    found = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]

    assert [line["level"] for line in found if line["logger"] == "imgcdn.access" and line["status"] == 404] == ["INFO"]
    assert "answered 1 request: 1 4xx; 1 error" in [line["message"] for line in found]
