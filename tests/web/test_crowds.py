"""Crowds: visitors who leave, galleries, hanging origins. None of them may spoil the service for others."""

import contextlib
import json
import os
import re
import signal
import socket
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import origin, pictures, serving
from tests.support.brokers import children_of, descendants
from tests.support.serving import Service

#: Takes about a second on an idle machine of 2026.
SLOW = "/img/large.jpg?fm=avif&q=95&w=2400&blur={}"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    (folder / "large.jpg").write_bytes(pictures.jpeg(pictures.photograph((4000, 3000)), quality=60))
    (folder / "photo.jpg").write_bytes(pictures.jpeg(pictures.photograph((1200, 900))))
    for number in range(120):
        (folder / f"{number}.jpg").write_bytes(pictures.jpeg(pictures.photograph((300, 200 + number))))
    return folder


def leave(service: Service, target: str, after_s: float = 0.01, headers: str = "") -> None:
    """Request a picture, and close the connection soon."""
    with socket.create_connection((service.host, service.port), timeout=30) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode())
        threading.Event().wait(after_s)


def until_hit(service: Service, target: str) -> None:
    deadline = time.monotonic() + 40
    while "; hit" not in service.get(target, method="HEAD").headers.get("cache-status", ""):
        assert time.monotonic() < deadline
        threading.Event().wait(0.2)


def workers(service: Service) -> list[int]:
    """Return the pids of the HTTP workers, whose command line is that of their master."""
    command = Path(f"/proc/{service.process.pid}/cmdline").read_bytes()
    found = descendants(service.process.pid)
    return [pid for pid in found if Path(f"/proc/{pid}/cmdline").read_bytes() == command]


def test_a_visitor_gets_a_new_picture_after_a_crowd_that_has_left(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, workers=1, renderers=1) as service:
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda number: leave(service, SLOW.format(number)), range(30, 90)))
        began = time.monotonic()
        assert service.get("/img/photo.jpg?w=1000&fm=avif").status == 200
        assert time.monotonic() - began < 8, "sixty pictures that nobody waits for would take minutes"


def test_a_slow_picture_behind_an_impatient_visitor_is_still_made_once(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, workers=1, renderers=1) as service:
        assert service.get("/img/large.jpg?w=100").status == 200
        leave(service, SLOW.format(1), after_s=1.0)
        until_hit(service, SLOW.format(1))


def _seconds_of_a_hit(service: Service) -> float:
    began = time.monotonic()
    assert service.get("/img/photo.jpg?w=100").status == 200
    return time.monotonic() - began


def test_a_hanging_origin_costs_no_hit_and_no_other_origin(root: Path, tmp_path: Path) -> None:
    silent = {f"/{number}.jpg": origin.silent for number in range(1500)}
    with (
        origin.running(silent) as hanging,
        origin.running({"/a.jpg": origin.respond(pictures.jpeg())}) as working,
        serving.edge(
            root,
            tmp_path,
            open_files=1024,
            workers=1,
            allow=f"http://hanging.test:{hanging.port}/** http://working.test:{working.port}/**",
            allow_addresses="127.0.0.0/8",
            resolve=f"hanging.test:{hanging.port}:127.0.0.1 working.test:{working.port}:127.0.0.1",
        ) as service,
    ):
        assert service.get("/img/photo.jpg?w=100").status == 200
        bad = f"http://hanging.test:{hanging.port}"
        with ThreadPoolExecutor(30) as pool:
            left = [pool.submit(leave, service, f"/img?url={bad}/{number}.jpg", 0.02) for number in range(1500)]
            hits = [_seconds_of_a_hit(service) for _ in range(100)]
            for each in left:
                each.result()
        assert statistics.median(hits) < 0.5, "a fetch of the hanging origin takes until its deadline, of seconds"
        [worker] = workers(service)
        assert "Max open files            1024" in Path(f"/proc/{worker}/limits").read_text()
        assert len(os.listdir(f"/proc/{worker}/fd")) < 200
        began = time.monotonic()
        assert service.get(f"/img?url=http://working.test:{working.port}/a.jpg&w=50").status == 200
        assert time.monotonic() - began < 5


def test_a_cold_gallery_gets_all_its_pictures(root: Path, tmp_path: Path) -> None:
    with (
        serving.edge(root, tmp_path, workers=1, renderers=2) as service,
        ThreadPoolExecutor(120) as pool,
    ):
        statuses = list(pool.map(lambda number: service.get(f"/img/{number}.jpg?w=120&fm=webp").status, range(120)))
    assert statuses == [200] * 120


def test_one_visitors_gallery_does_not_delay_another_visitor(root: Path, tmp_path: Path) -> None:
    with (
        serving.edge(root, tmp_path, workers=1, renderers=1, trusted_proxies="127.0.0.0/8") as service,
        ThreadPoolExecutor(60) as pool,
    ):
        assert service.get("/img/large.jpg?w=100").status == 200

        def visit(target: str, client: str) -> tuple[int, float]:
            status = service.get(target, headers={"X-Forwarded-For": client}).status
            return status, time.monotonic()

        gallery = [
            pool.submit(visit, f"/img/large.jpg?w={1000 + 40 * number}&fm=webp", "203.0.113.1") for number in range(25)
        ]
        threading.Event().wait(0.5)
        status, at = visit("/img/large.jpg?w=900&fm=webp", "203.0.113.2")
        assert status == 200
        later = [each for each in gallery if each.result()[1] > at]
        assert len(later) >= 15, "the other visitor waits for one or two of twenty-five"


def test_a_client_over_its_budget_is_told_when_to_come_back(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, workers=2, trusted_proxies="127.0.0.0/8", budget="client_variants=3") as service:

        def visit(width: int, client: str) -> serving.Response:
            return service.get(f"/img/photo.jpg?w={width}", headers={"X-Forwarded-For": client})

        assert [visit(width, "203.0.113.1").status for width in (100, 101, 102, 103)] == [200, 200, 200, 429]
        refused = visit(104, "203.0.113.1")
        assert json.loads(refused.body)["type"] == "/-/problems/over-budget"
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert visit(101, "203.0.113.1").status == 200, "a hit costs nothing"
        assert visit(104, "203.0.113.2").status == 200
        assert [visit(110 + n, f"2001:db8:0:1::{n}").status for n in range(4)] == [200, 200, 200, 429], "one /64"
        assert visit(120, "2001:db8:0:2::1").status == 200
        notes = re.findall(r" status=429 .*note=(.*)", service.log.read_text())
        assert set(notes) == {'"used up for this minute: client_variants = 3"'}


def test_what_cannot_be_made_in_time_is_refused_before_it_is_tried(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, workers=1, render_timeout_s=1) as service:
        assert service.get("/img/photo.jpg?w=100").status == 200
        for _ in range(2):
            refused = service.get("/img/photo.jpg?w=8000&enlarge=1&fm=avif")
            problem = json.loads(refused.body)
            assert (refused.status, problem["type"], problem["limit"]) == (422, "/-/problems/too-costly", 2)
        assert service.get("/img/photo.jpg?w=99").status == 200


def test_children_that_the_kernel_kills_make_no_picture_bad(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, workers=1, renderers=1) as service, ThreadPoolExecutor(1) as pool:
        assert service.get("/img/large.jpg?w=100").status == 200
        target = SLOW.format(2)
        first = pool.submit(service.get, target)
        killed = 0
        deadline = time.monotonic() + 30
        while killed < 2 and not first.done():
            assert time.monotonic() < deadline
            killed += _kill_busy_children(service)
        assert first.result().status == 503
        assert service.get(target).headers["retry-after"] in map(str, range(50, 61))
        assert service.get("/img/large.jpg?w=101").status == 200


def _kill_busy_children(service: Service) -> int:
    """Kill the render children that have used the processor for a while."""
    killed = 0
    for pid in children_of(service.process.pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if int(fields[11]) + int(fields[12]) > 40:
                os.kill(pid, signal.SIGKILL)
                killed += 1
    threading.Event().wait(0.05)
    return killed
