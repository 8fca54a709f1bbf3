"""The container: the files that describe it, and the image built from them."""

import contextlib
import fnmatch
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imgcdn.web.settings import WebSettings
from tests.support.listening import free_port, wait_for
from tests.support.paths import PACKAGE, ROOT
from tests.support.serving import CHROME, Service, edge

DEPLOY = ROOT / "deploy"
SAMPLES = ROOT / "sample_images"

_BASE = "python:3.13-slim"


def _instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments, without comments, continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in joined.splitlines() if line.strip()]


def _last_stage() -> dict[str, list[str]]:
    stage: dict[str, list[str]] = {}
    for name, argument in _instructions():
        stage = {} if name == "FROM" else stage
        stage.setdefault(name, []).append(argument)
    return stage


# The files


def test_every_stage_names_its_base_image_literally() -> None:
    assert [argument for name, argument in _instructions() if name == "FROM"] == [f"{_BASE} AS build", _BASE]


def test_the_image_runs_as_a_numbered_user_who_is_not_root() -> None:
    [user] = _last_stage()["USER"]
    assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", user)


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD"])
def test_commands_are_lists_so_that_no_shell_intercepts_signals(name: str) -> None:
    [command] = _last_stage()[name]
    assert all(isinstance(word, str) for word in json.loads(command))


def test_the_health_check_needs_only_python() -> None:
    [check] = _last_stage()["HEALTHCHECK"]
    assert json.loads(check.partition("CMD ")[2]) == ["python3", "/opt/imgcdn/healthcheck.py"]


def test_all_installs_use_the_constraints() -> None:
    installs = [
        command
        for name, argument in _instructions()
        if name == "RUN"
        for command in argument.split("&&")
        if "install" in command
    ]
    assert installs
    for command in installs:
        assert "--constraint constraints.txt" in command or "--no-deps --no-index" in command


def test_nothing_is_added_from_a_url() -> None:
    assert not [argument for name, argument in _instructions() if name == "ADD" or "://" in argument]


def test_the_build_context_has_only_what_the_image_copies() -> None:
    copies = [argument.split() for name, argument in _instructions() if name == "COPY" and "--from" not in argument]
    copied = {source for words in copies for source in words[:-1]}
    assert {rule[1:] for rule in _ignore_rules() if rule.startswith("!")} == copied


@pytest.mark.parametrize(
    "path",
    [".git/HEAD", ".venv/bin/python", ".imgcdn-cache/CACHEDIR.TAG", ".mypy_cache/x", "tests/conftest.py", "bench/x.py",
     "imgcdn.toml", ".env", "imgcdn/web/__pycache__/app.cpython-313.pyc", "deploy/compose.yaml"],
)  # fmt: skip
def test_files_that_the_image_does_not_need_are_not_in_the_build_context(path: str) -> None:
    assert _is_ignored(path)


@pytest.mark.parametrize("path", ["imgcdn/web/pages/static/welcome.css", "pyproject.toml", "deploy/healthcheck.py"])
def test_files_that_the_image_needs_are_in_the_build_context(path: str) -> None:
    assert not _is_ignored(path)


def _ignore_rules() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _is_ignored(path: str) -> bool:
    """Apply the rules as Docker does: the last rule that matches the path, or a folder above it, decides."""
    above = [path, *(str(parent) for parent in Path(path).parents if parent.name)]
    ignored = False
    for rule in _ignore_rules():
        pattern = rule.removeprefix("!").removeprefix("**/")
        names = [Path(name).name for name in above] if "**/" in rule else above
        if any(fnmatch.fnmatchcase(name, pattern) for name in names):
            ignored = not rule.startswith("!")
    return ignored


def test_nginx_sets_no_header_that_nothing_reads() -> None:
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "web").rglob("*.py"))
    # `Connection` is for nginx itself: it would otherwise send `close`.
    named = set(re.findall(r"proxy_set_header ([A-Za-z-]+)", text)) - {"Connection"}

    assert named == {"Host", "X-Forwarded-For", "X-Request-Id"}
    assert {name for name in named if f'b"{name.lower()}"' not in source} == set()


# The health check


@pytest.mark.parametrize(
    ("bind", "shown"),
    [("127.0.0.1:{port}", 0), ("0.0.0.0:{port}", 0), ("127.0.0.1:1", 1), ("unix:{folder}/missing", 1)],
    ids=["the address", "all addresses", "no listener", "no such socket"],
)
def test_the_health_check_connects_to_the_address_of_the_service(tmp_path: Path, bind: str, shown: int) -> None:
    with edge(SAMPLES, tmp_path) as service:
        assert _health(bind.format(port=service.port, folder=tmp_path)) == shown


def test_the_health_check_can_use_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        check = subprocess.Popen([sys.executable, str(DEPLOY / "healthcheck.py")], env=_with_bind(f"unix:{path}"))
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1024).startswith(b"GET /-/healthz HTTP/1.1\r\n")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            assert check.wait(30) == 0


def _health(bind: str) -> int:
    command = [sys.executable, str(DEPLOY / "healthcheck.py")]
    return subprocess.run(command, env=_with_bind(bind), stderr=subprocess.DEVNULL, timeout=30, check=False).returncode


def _with_bind(bind: str) -> dict[str, str]:
    return {**os.environ, "IMGCDN_BIND": bind}


# The image. It needs neither a registry nor a Docker engine: buildah runs the Dockerfile on a base made of Debian
# packages, which is close to the real base image.

_PLACE = Path("/var/cache/imgcdn-tests")
_TOOLS_S = 300
_CACHE_MODE = 0o1777

#: Starts a command as the first process of a container with read-only files, its own /tmp and no capabilities.
_CONTAINER = """
set -e
root=$1 user=$2 images=$3 cache=$4; shift 4
mount --bind "$root" "$root"; mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,noexec,nosuid,nodev tmpfs "$root/tmp"
[ -z "$images" ] || { mount --bind "$images" "$root/images"; mount -o remount,bind,ro "$root/images"; }
mount --bind "$cache" "$root/cache"
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid \
    chroot --userspec="$user" --groups= "$root" /usr/bin/env -i "$@"
"""


@dataclass(frozen=True, slots=True)
class Image:
    """
    The built image.

    Args:
        config: Values that its instructions set, under Docker's names.
        root: Folder with its files.
    """

    config: dict[str, Any]
    root: Path

    @contextlib.contextmanager
    def run(self, folder: Path, images: Path | None = SAMPLES) -> Iterator[Service]:
        """Run the command of the image as the user of the image, on a loopback port; the cache is `folder`/cache."""
        cache, log, port = folder / "cache", folder / "log", free_port()
        cache.mkdir(exist_ok=True)
        cache.chmod(_CACHE_MODE)  # like a new volume, it takes over the permissions of the image's folder
        settings = [*self.config["Env"], f"IMGCDN_BIND=127.0.0.1:{port}", "IMGCDN_MIN_FREE_BYTES=0"]
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _CONTAINER, "container"]
        command += [str(self.root), self.config["User"], str(images or ""), str(cache), *settings]
        command += [*self.config["Entrypoint"], *self.config["Cmd"]]
        with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output, text=True) as process:
            try:
                wait_for(port, process, log)
                yield Service(process, "127.0.0.1", port, cache, log)
            finally:
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the first process of the container, which ends all: --kill-child has no effect after setuid (prctl(2))."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if process.poll() is None:
        for pid in children.read_text(encoding="ascii").split():
            os.kill(int(pid), signal.SIGKILL)
    process.kill()


def _buildah(*arguments: str | Path) -> str:
    storage = (*("--root", _PLACE / "storage"), *("--runroot", _PLACE / "run"), *("--storage-driver", "vfs"))
    return _run("buildah", *storage, *arguments)


def _run(*command: str | Path) -> str:
    environ = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TOOLS_S, env=environ, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.strip()


def _make_base() -> None:
    if f"docker.io/library/{_BASE}" in _buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        return
    tree = _PLACE / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    packages = "python3,python3-venv,ca-certificates"
    _run("debootstrap", "--variant=minbase", f"--include={packages}", "trixie", tree, "http://deb.debian.org/debian")
    base = _buildah("from", "scratch")
    _buildah("add", "--quiet", base, tree, "/")
    _buildah("commit", "--quiet", "--rm", base, f"docker.io/library/{_BASE}")
    shutil.rmtree(tree)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    _PLACE.mkdir(mode=0o700, exist_ok=True)
    _make_base()
    # pip in the build uses the same index as pip outside it.
    shared = [Path("/etc/ssl/certs"), Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf"]
    mounts = [word for path in shared if path.exists() for word in ("--volume", f"{path}:{path}:ro")]
    made = _buildah("bud", "--quiet", "--format", "docker", "--network", "host", "--pull-never", *mounts, ROOT)
    container = _buildah("from", "--pull-never", made)
    try:
        config = json.loads(_buildah("inspect", "--type", "image", made))["Docker"]["config"]
        yield Image(config, Path(_buildah("mount", container)))
    finally:
        _buildah("rm", container)
        _buildah("rmi", "--force", made)


@pytest.mark.buildah
@pytest.mark.timeout(2 * _TOOLS_S)
class TestImage:
    def test_it_sends_each_client_its_format(self, image: Image, tmp_path: Path) -> None:
        with image.run(tmp_path) as service:
            for accept, got in ((CHROME, "avif"), ("image/webp", "webp"), ("*/*", "jpeg")):
                response = service.get("/img/chelsea.png?w=400", accept)
                assert (response.status, response.headers["content-type"]) == (200, f"image/{got}"), (
                    service.log.read_text()
                )
            assert json.loads(service.get("/-/readyz").body) == {"status": "ready", "degraded": []}

    def test_it_keeps_its_cache_over_a_restart_and_exits_with_0(self, image: Image, tmp_path: Path) -> None:
        with image.run(tmp_path) as service:
            first = service.get("/img/chelsea.png?w=400", CHROME)
            assert _terminate(service) == 0
        with image.run(tmp_path) as service:
            again = service.get("/img/chelsea.png?w=400", CHROME)
        assert "stored" in first.headers["cache-status"]
        assert "hit" in again.headers["cache-status"]
        assert again.body == first.body

    def test_it_runs_as_its_user_without_privileges(self, image: Image, tmp_path: Path) -> None:
        with image.run(tmp_path) as service:
            status = Path(f"/proc/{_first_process(service)}/status").read_text(encoding="ascii")
        user, _, group = image.config["User"].partition(":")
        assert re.search(rf"^Uid:\t{user}\t{user}\t{user}\t{user}$", status, re.MULTILINE)
        assert re.search(rf"^Gid:\t{group}\t{group}\t{group}\t{group}$", status, re.MULTILINE)
        assert "CapEff:\t0000000000000000\n" in status

    def test_it_serves_the_samples_when_no_folder_is_mounted_and_lists_none(self, image: Image, tmp_path: Path) -> None:
        with image.run(tmp_path, images=None) as service:
            assert service.get("/img/chelsea.png?w=90").status == 200
        settings = dict(each.split("=", 1) for each in image.config["Env"])
        assert not WebSettings(bind=settings["IMGCDN_BIND"]).lists_pictures

    def test_it_has_neither_installers_nor_sources(self, image: Image) -> None:
        names = {path.name for path in (image.root / "opt/imgcdn/bin").iterdir()}
        assert "imgcdn" in names
        assert not {name for name in names if name.startswith("pip")}
        assert not (image.root / "src").exists()
        assert not (image.root / "build").exists()


def _first_process(service: Service) -> int:
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    return int(children.read_text(encoding="ascii"))


def _terminate(service: Service) -> int:
    os.kill(_first_process(service), signal.SIGTERM)
    return service.process.wait(60)
