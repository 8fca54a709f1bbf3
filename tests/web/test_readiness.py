"""What `/-/readyz` says of a real service that can do only a part of its work."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import pictures, serving
from tests.support.serving import Service
from tests.web.conftest import Start

#: A probe of the storage comes every 5 seconds.
_PATIENCE_S = 30.0
FLAVOURS = [pytest.param(serving.edge, id="edge"), pytest.param(serving.wsgi, id="wsgi")]


def _degraded(service: Service) -> list[str]:
    ready = service.get("/-/readyz")
    assert ready.status == 200
    found: list[str] = json.loads(ready.body)["degraded"]
    return found


def _until(service: Service, wanted: Callable[[list[str]], bool]) -> list[str]:
    deadline = time.monotonic() + _PATIENCE_S
    while not wanted(found := _degraded(service)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("start", FLAVOURS)
def test_a_hundred_probes_write_nothing(root: Path, tmp_path: Path, start: Start) -> None:
    with start(root, tmp_path) as service:
        assert service.get("/img/photo.jpg?w=50").status == 200
        times = set()
        for _ in range(100):
            assert _degraded(service) == []
            times.add((service.cache / "tmp").stat().st_mtime_ns)
        assert len(times) <= 4, "the tests in the background, of two processes"


@pytest.mark.parametrize("start", FLAVOURS)
def test_it_says_why_nothing_is_stored_and_when_that_has_passed(root: Path, tmp_path: Path, start: Start) -> None:
    with start(root, tmp_path, workers=1) as service:
        service.get("/img/photo.jpg?w=50")
        shutil.rmtree(service.cache)
        service.cache.write_bytes(b"")
        assert _until(service, bool) in (["storage: File exists"], ["storage: Not a directory"])
        service.cache.unlink()
        _until(service, lambda found: not found)


@pytest.fixture
def runtime(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the service keeps its sockets."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def test_it_says_that_the_broker_does_not_start(root: Path, tmp_path: Path, runtime: Path) -> None:
    with serving.edge(root, tmp_path, workers=1) as service:
        assert service.get("/img/photo.jpg?w=50").status == 200
        (socket,) = runtime.rglob("*.sock")
    deadline = time.monotonic() + _PATIENCE_S
    while socket.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    (socket / "in the way").mkdir(parents=True)
    with serving.edge(root, tmp_path, workers=1) as service:
        assert _until(service, bool) == ["broker: it does not start; the log has the reason"]
        assert service.get("/img/photo.jpg?w=50").status == 200, "what is stored needs no broker"
        shutil.rmtree(socket)
        assert service.get("/img/photo.jpg?w=51").status == 200
        assert _degraded(service) == []


def test_it_says_that_the_last_renders_failed(root: Path, tmp_path: Path) -> None:
    (root / "garbage.jpg").write_bytes(b"no picture")
    medium = pictures.png(pictures.photograph((1600, 1300)))
    for number in range(3):
        (root / f"medium{number}.png").write_bytes(medium)
    (root / "small.png").write_bytes(pictures.png())
    with serving.edge(root, tmp_path, workers=1, render_timeout_s=0.1) as service:
        # The estimate is above 0.1 s, and below twice that.
        slow = "/img/medium{}.png?w=1600&fm=webp&q={}"
        for q in (95, 96, 97):
            assert service.get(slow.format(0, q)).status == 504
        assert _degraded(service) == [], "the picture may be at fault"
        for number in (1, 2):
            assert service.get(slow.format(number, 97)).status == 504
        assert _degraded(service) == ["renderers: the last renders crashed or took too long"]
        widths = iter(range(20, 80))
        while service.get(f"/img/small.png?w={next(widths)}").status != 200:  # 0.1 s may be short on a busy machine
            pass
        assert _degraded(service) == []
        assert service.get("/img/garbage.jpg").status == 415
        assert _degraded(service) == []
