"""
Hits a second, beside two other servers that send the same file: a bare ASGI callable under gunicorn, and nginx.

    python -m bench.load.hits [--pairs 5] [--seconds 5]

wrk, 32 connections, Chrome's request headers, two workers each, alternating. Prints for each round the rates, the 99th
percentile of the service's times and its CPU time for a hit; then the median of the ratios. Needs wrk; without nginx,
its column is empty.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.load.running import HERE, Rate, cpu_s, fetch, free_port, rate, served, service

TARGET = "/img/rocket.jpg?w=427&fm=webp&q=88"  # about 20 KB

_NGINX = """
worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 512; }}
http {{
    access_log off; sendfile on; types {{ }} default_type image/webp; root {folder};
    client_body_temp_path {folder}/body-temp; proxy_temp_path {folder}/proxy-temp; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; location = /-/healthz {{ return 200; }} }}
}}
"""


Process = subprocess.Popen[bytes]


class _Server(NamedTuple):
    process: Process
    url: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's workers may run as another user
        with service(HERE / "sample_images", folder / "cache") as (base, process):
            (folder / "body").write_bytes(fetch(base + TARGET))
            print(f"body {(folder / 'body').stat().st_size} bytes")
            with _bare(folder / "body") as bare, _nginx(folder) as nginx:
                _compare(process, base + TARGET, bare, nginx, arguments.pairs, seconds=arguments.seconds)


def _compare(process: Process, ours: str, bare: _Server, nginx: str | None, pairs: int, *, seconds: int) -> None:
    beside_bare, beside_nginx = [], []
    for _ in range(pairs):
        hits, cpu_us = _measure(process, ours, seconds)
        ceiling, bare_cpu_us = _measure(bare.process, bare.url, seconds)
        beside_bare.append(hits.per_s / ceiling.per_s)
        line = f"service {hits.per_s:7.0f}/s p99 {hits.p99_ms:5.1f} ms cpu {cpu_us:4.0f} us   "
        line += f"bare {ceiling.per_s:7.0f}/s cpu {bare_cpu_us:4.0f} us ratio {beside_bare[-1]:.2f}"
        if nginx is not None:
            top = rate(nginx, seconds)
            beside_nginx.append(hits.per_s / top.per_s)
            line += f"   nginx {top.per_s:7.0f}/s ratio {beside_nginx[-1]:.2f}"
        print(line, flush=True)
    print(f"median ratio {statistics.median(beside_bare):.2f} to bare", end="")
    print(f", {statistics.median(beside_nginx):.2f} to nginx" if beside_nginx else "")


def _measure(process: Process, url: str, seconds: int) -> tuple[Rate, float]:
    """Return the rate, and microseconds of CPU time for each request."""
    before_s = cpu_s(process)
    found = rate(url, seconds)
    return found, (cpu_s(process) - before_s) * 1e6 / (found.per_s * seconds)


@contextmanager
def _bare(body: Path) -> Iterator[_Server]:
    address = f"127.0.0.1:{free_port()}"
    options = ["-k", "asgi", "-w", "2", "-b", address, "--no-control-socket", "--log-level", "warning"]
    command = [sys.executable, "-m", "gunicorn", *options, "bench.load.bare:app"]
    with served(command, f"http://{address}", BARE_FILE=str(body)) as process:
        yield _Server(process, f"http://{address}/")


@contextmanager
def _nginx(folder: Path) -> Iterator[str | None]:
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        yield None
        return
    port = free_port()
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port))
    with served([program, "-c", str(folder / "nginx.conf"), "-e", "/dev/null"], f"http://127.0.0.1:{port}"):
        yield f"http://127.0.0.1:{port}/body"


if __name__ == "__main__":
    main()
