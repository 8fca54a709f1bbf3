"""Start, stop, many requests at once and damaged files, as an operator sees them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import pictures, serving
from tests.support.serving import Service
from tests.web.conftest import Start

FLAVOURS = [pytest.param(serving.edge, id="edge"), pytest.param(serving.wsgi, id="wsgi")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to which each test adds a file of its own."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module", params=FLAVOURS)
def shared(request: pytest.FixtureRequest, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that runs until the last test of its files."""
    start: Start = request.param
    with start(files, tmp_path_factory.mktemp("shared"), workers=2) as service:
        yield service


@pytest.fixture
def photo(files: Path, tmp_path: Path) -> Iterator[Path]:
    """A photograph in the folder of the shared service, with pixels that no other has."""
    path = files / f"{tmp_path.name}.jpg"
    picture = pictures.photograph((600, 400))
    picture.paste(zlib.crc32(tmp_path.name.encode()) % 2**24, (0, 0, 90, 90))
    path.write_bytes(pictures.jpeg(picture))
    yield path
    path.unlink(missing_ok=True)


def test_fifty_requests_at_once_for_a_new_variant_cause_one_render(shared: Service, photo: Path) -> None:
    gate, before = threading.Barrier(50), len(shared.variants())

    def ask(_: int) -> serving.Response:
        gate.wait()
        return shared.get(f"/img/{photo.name}?w=500&fm=avif")

    with ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(ask, range(50)))
    statuses = Counter(response.headers["cache-status"] for response in responses)
    assert {response.status for response in responses} == {200}
    assert statuses["imgcdn; fwd=miss; stored"] == 1
    assert len({response.body for response in responses}) == 1
    assert len(shared.variants()) == before + 1


def test_a_failing_leader_fails_its_followers(shared: Service, photo: Path) -> None:
    photo.write_bytes(pictures.png_without_pixels())
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: shared.get(f"/img/{photo.name}?w=500"), range(20)))
    assert {response.status for response in responses} == {422}


def test_a_changed_file_is_never_served_as_the_old_one(shared: Service, photo: Path) -> None:
    target = f"/img/{photo.name}?w=100&fm=png"
    before = shared.get(target)
    stat = photo.stat()
    photo.write_bytes(pictures.jpeg(pictures.chart((600, 400))).ljust(stat.st_size, b"\0")[: stat.st_size])
    os.utime(photo, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a deployment tool might
    after = shared.get(target)
    assert (before.status, after.status) == (200, 200)
    assert before.headers["etag"] != after.headers["etag"]


def test_a_touched_file_keeps_its_variants(shared: Service, photo: Path) -> None:
    target, before = f"/img/{photo.name}?w=100", len(shared.variants())
    shared.get(target)
    os.utime(photo, (1, 1))
    assert "hit" in shared.get(target).headers["cache-status"]
    assert len(shared.variants()) == before + 1


def test_a_deleted_file_is_404_though_its_variants_are_there(shared: Service, photo: Path) -> None:
    target = f"/img/{photo.name}?w=100"
    assert shared.get(target).status == 200
    photo.unlink()
    assert shared.get(target).status == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_variants_survive_a_restart(root: Path, tmp_path: Path, number: signal.Signals) -> None:
    with serving.edge(root, tmp_path) as service:
        first = service.get("/img/photo.jpg?w=100")
        os.kill(service.process.pid, number)
        service.process.wait(30)
    with serving.edge(root, tmp_path) as service:
        again = service.get("/img/photo.jpg?w=100")
    assert "hit" in again.headers["cache-status"]
    assert again.body == first.body


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "one byte short": lambda data: data[:-1],
    "one byte long": lambda data: data + b"x",
    "a bit of the picture flipped": lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
    "a bit of the header flipped": lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
}


def test_a_damaged_variant_is_made_again(root: Path, tmp_path: Path) -> None:
    targets = {name: f"/img/photo.jpg?w={width}" for width, name in enumerate(DAMAGES, start=100)}
    before: dict[str, bytes] = {}
    with serving.edge(root, tmp_path) as service:
        for name, target in targets.items():
            earlier = set(service.variants())
            before[name] = service.get(target).body
            (made,) = set(service.variants()) - earlier
            path = service.cache / "current" / made
            path.write_bytes(DAMAGES[name](path.read_bytes()))
    with serving.edge(root, tmp_path) as service:
        responses = {name: service.get(target) for name, target in targets.items()}
    assert {name: response.headers["cache-status"] for name, response in responses.items()} == dict.fromkeys(
        DAMAGES, "imgcdn; fwd=miss; stored"
    )
    assert {name: response.body for name, response in responses.items()} == before


@pytest.mark.parametrize("start", FLAVOURS)
def test_it_serves_without_a_cache_folder(root: Path, tmp_path: Path, start: Start) -> None:
    (tmp_path / "file").write_bytes(b"")
    with start(root, tmp_path, cache_dir=tmp_path / "file" / "cache") as service:
        for _ in range(2):
            response = service.get("/img/photo.jpg?w=100")
            assert (response.status, response.headers["cache-status"]) == (200, "imgcdn; fwd=miss")
        ready = service.get("/-/readyz")
        assert (ready.status, json.loads(ready.body)["degraded"]) == (200, ["storage: Not a directory"])
        assert "cannot be written" in service.log.read_text()


def test_after_sigterm_it_finishes_requests_and_reports_that_it_drains(root: Path, tmp_path: Path) -> None:
    (root / "large.jpg").write_bytes(pictures.jpeg(pictures.photograph((5000, 4000)), quality=60))
    with serving.edge(root, tmp_path, workers=1, avif_max_pixels=10**9) as service, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(service.get, "/img/large.jpg?fm=avif&q=95")
        deadline = time.monotonic() + 20
        while not list((tmp_path / "cache" / "current").rglob("record")) and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        service.process.send_signal(signal.SIGTERM)
        response = _until_draining(service)
        assert not slow.done()
        assert (response.status, json.loads(response.body)["status"]) == (503, "draining")
        assert slow.result(60).status in (200, 504)
        assert service.process.wait(30) == 0


def _until_draining(service: Service) -> serving.Response:
    deadline = time.monotonic() + 10
    response = service.get("/-/readyz")
    while response.status == 200 and time.monotonic() < deadline:
        response = service.get("/-/readyz")
    return response


def test_a_service_that_has_just_started_can_be_stopped(root: Path, tmp_path: Path) -> None:
    for number in range(3):  # the worker may be in any phase of its start
        (tmp_path / str(number)).mkdir()
        with serving.edge(root, tmp_path / str(number), workers=4) as service:
            assert service.stop() == 0


# `imgcdn serve` with workers that run their first line of Python one second after the fork.
_SLOW_FORKS = """
import os, sys, time
os.register_at_fork(after_in_child=lambda: time.sleep(1))
from imgcdn.cli import main
main(sys.argv[1:])
"""


def test_a_worker_that_was_just_forked_can_be_stopped(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SLOW_FORKS, "serve", str(root), "--bind", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--cache-dir", str(tmp_path / "cache")], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            threading.Event().wait(0.5)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_stopping_leaves_no_process(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path) as service:
        assert service.get("/img/photo.jpg?w=100").status == 200
        group = _descendants(service.process.pid)
        assert len(group) >= 5  # two workers, the render broker, its fork server, two children
        assert service.stop() == 0
    deadline = time.monotonic() + 10
    while (left := [pid for pid in group if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert left == []


def _descendants(pid: int) -> list[int]:
    text = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in text.splitlines()[1:]]
    found = [pid]
    for parent in found:
        found += [child for child, of in pairs if of == parent]
    return found[1:]


def test_too_many_waiting_requests_are_refused(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, workers=1, max_waiting=1, renderers=1) as service, ThreadPoolExecutor(12) as pool:
        responses = list(pool.map(lambda width: service.get(f"/img/photo.jpg?w={width}&fm=avif&q=95"), range(500, 512)))
        refused = [response for response in responses if response.status == 503]
        assert {response.status for response in responses} == {200, 503}
        assert all(response.headers["retry-after"] == "1" for response in refused)


def test_a_render_past_its_deadline_is_504_and_the_next_one_works(root: Path, tmp_path: Path) -> None:
    (root / "large.jpg").write_bytes(pictures.jpeg(pictures.photograph((5000, 4000)), quality=60))
    with serving.edge(root, tmp_path, render_timeout_s=1, avif_max_pixels=10**9) as service:
        late = service.get("/img/large.jpg?w=3000&fm=avif&q=95&blur=250&sharpen=10")
        assert (late.status, json.loads(late.body)["type"]) == (504, "/-/problems/render-timeout")
        assert service.get("/img/photo.jpg?w=100").status == 200


def test_all_mistakes_are_reported_at_once_before_the_server_listens(tmp_path: Path) -> None:
    (tmp_path / "imgcdn.toml").write_text('workers = 0\nwidhts = [1]\naccess_log = "some"\n')
    command = [sys.executable, "-m", "imgcdn", "serve", "nowhere", "--bind", "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    for word in ("workers", "widhts", "access_log", "--bind"):
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_with_foreign_files_is_not_used_as_the_cache(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "imgcdn", "serve", str(root), "--cache-dir", str(root.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "cache_dir" in done.stderr


def test_files_in_a_cache_inside_the_root_are_not_served(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, cache_dir=root / "cache") as service:
        assert service.get("/img/photo.jpg?w=100").status == 200
        (variant,) = (root / "cache").rglob("*.jpg")
        assert service.get(f"/img/{variant.relative_to(root)}").status == 404


def test_the_log_has_the_cause_of_an_error(root: Path, tmp_path: Path) -> None:
    with serving.edge(root, tmp_path, log_format="json") as service:
        service.get("/img?url=https://example.com/a.jpg")
        service.stop()
        lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("status") == 403]
    assert "--allow" in line["note"]


def test_gunicorn_opens_no_control_socket(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    with serving.edge(root, tmp_path) as service:
        assert service.get("/-/healthz").status == 200
        threading.Event().wait(1)  # it would come a moment after the workers
        assert not [path for path in home.rglob("*") if "gunicorn" in str(path.relative_to(home))]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_log_begins_with_the_versions_of_the_codecs(root: Path, tmp_path: Path, log_format: str) -> None:
    with serving.edge(root, tmp_path, log_format=log_format) as service:
        deadline = time.monotonic() + 30
        while "codecs: " not in service.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        (line,) = [line for line in service.log.read_text().splitlines() if "codecs: " in line]
        assert "Pillow" in line
        assert "libwebp" in line
        assert line.startswith("{") is (log_format == "json")
        assert service.stop() == 0
