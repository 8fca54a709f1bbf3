"""The real service for tests: gunicorn in its own process, which tests reach over a socket."""

import contextlib
import http.client
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.listening import free_port, wait_for
from tests.support.paths import ROOT

_START_S = 30.0
_STOP_S = 30.0

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@dataclass(frozen=True, slots=True)
class Response:
    """A response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Service:
    """
    A running service.

    Args:
        process: gunicorn's arbiter.
        host, port: Address it listens on.
        cache: Path of its cache folder.
        log: Path of the file with its stderr.
    """

    process: subprocess.Popen[str]
    host: str
    port: int
    cache: Path
    log: Path

    def get(
        self, target: str, accept: str | None = None, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Request a raw target on a new connection."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in {**({} if accept is None else {"Accept": accept}), **(headers or {})}.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return Response(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """Send bytes and return everything received until the server closes the connection."""
        with socket.create_connection((self.host, self.port), timeout=30) as connection:
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def files(self) -> list[str]:
        """List the records and variants in the cache, as paths within it."""
        tree = self.cache / "current"
        return sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file())

    def variants(self) -> list[str]:
        """List the variants in the cache."""
        return [name for name in self.files() if not name.endswith("record")]

    def stop(self) -> int:
        """Send SIGTERM, wait and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_STOP_S)


@contextlib.contextmanager
def edge(root: Path, folder: Path, **settings: object) -> Iterator[Service]:
    """
    Run `imgcdn serve ROOT` on a port that the system chooses; its cache and log go into `folder`.

    Args:
        settings: Of the service. `open_files` is the limit of its processes, if it is given.
    """
    open_files = settings.pop("open_files", None)
    bind = str(settings.pop("bind", "127.0.0.1:0"))
    limit = ["prlimit", f"--nofile={open_files}:{open_files}"] if open_files else []
    command = [*limit, sys.executable, "-m", "imgcdn", "serve", str(root), "--bind", bind]
    with _start(command, folder, settings) as (process, cache, log):
        line = _first_line(process, log)
        match = re.search(r"on 127\.0\.0\.1:([0-9]+)", line)
        assert match, f"unexpected first line: {line!r}"
        yield Service(process, "127.0.0.1", int(match[1]), cache, log)


@contextlib.contextmanager
def wsgi(root: Path, folder: Path, **settings: object) -> Iterator[Service]:
    """Run `create_app()` under gunicorn's gthread workers, as an example of any WSGI server."""
    with hosted("imgcdn.web.wsgi:create_app()", "gthread", folder, root=root, **settings) as service:
        yield service


@contextlib.contextmanager
def hosted(app: str, worker: str, folder: Path, **settings: object) -> Iterator[Service]:
    """
    Run an application under gunicorn's own workers.

    Args:
        app: MODULE:NAME of the application.
        worker: The class of the workers, gthread or asgi.
    """
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-k", worker, "-w", "2", "--threads", "16", "--no-control-socket"]
    # Now and then gunicorn's asgi worker waits for a connection that is closed already, for as long as it may.
    command += ["--graceful-timeout", "5", "--limit-request-line", "8190", "-b", f"127.0.0.1:{port}", app]
    with _start(command, folder, settings) as (process, cache, log):
        wait_for(port, process, log)
        yield Service(process, "127.0.0.1", port, cache, log)


@contextlib.contextmanager
def _start(
    command: list[str], folder: Path, settings: Mapping[str, object]
) -> Iterator[tuple[subprocess.Popen[str], Path, Path]]:
    cache, log = folder / "cache", folder / "log"
    ours = {
        f"IMGCDN_{name.upper()}": str(value)
        for name, value in {"cache_dir": cache, "min_free_bytes": 0, **settings}.items()
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("IMGCDN_")}
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**inherited, **ours},
            cwd=ROOT,
        )
    try:
        yield process, Path(str(settings.get("cache_dir", cache))), log
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        finally:
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()


def _first_line(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], _START_S)
    line = process.stdout.readline() if ready else ""
    assert line, f"the service did not start: {log.read_text()}"
    return line
