"""The end of a process whose server runs the service under WSGI: it waits neither for an origin nor for a render."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.support import origin as at
from tests.support.origin import NAME
from tests.support.paths import ROOT

#: A program that requests a path in a thread, says the status, and ends when its input ends.
_PROGRAM = """
import sys, threading
from wsgiref.util import setup_testing_defaults
from imgcdn.web.logs import configure
from imgcdn.web.settings import LogFormat
from imgcdn.web.wsgi import create_app

configure(LogFormat.TEXT)
app, environ = create_app(), {"RAW_URI": sys.argv[1]}
setup_testing_defaults(environ)
ask = threading.Thread(target=app, args=(environ, lambda status, headers: print(status, flush=True)))
ask.start()
sys.stdin.read()
"""

_DEADLINE_S = 20


def program(target: str, tmp_path: Path, **settings: object) -> "subprocess.Popen[str]":
    named = {"root": tmp_path, "cache_dir": tmp_path / "cache", "min_free_bytes": 0, **settings}
    environ = {**os.environ, **{f"IMGCDN_{name.upper()}": str(value) for name, value in named.items()}}
    command = [sys.executable, "-c", _PROGRAM, target]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environ, cwd=ROOT)


def test_a_hanging_origin_does_not_delay_the_exit(tmp_path: Path) -> None:
    with at.running({"/a.jpg": at.silent}) as origin:
        process = program(
            f"/img/{origin.url()}",
            tmp_path,
            allow=f"http://{NAME}:{origin.port}/**",
            allow_addresses="127.0.0.0/8",
            resolve=f"{NAME}:{origin.port}:127.0.0.1",
            fetch_timeout_s=60,
            read_timeout_s=60,
            request_timeout_s=60,
        )
        with process:
            deadline = time.monotonic() + _DEADLINE_S
            while not origin.requests and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            assert origin.requests
            ended = time.monotonic()
            said, log = process.communicate("", timeout=_DEADLINE_S)
            lasted_s = time.monotonic() - ended

    assert (process.returncode, said) == (0, "503 Service Unavailable\n")
    assert lasted_s < 10
    assert "Traceback" not in log
    assert log.splitlines()[-1].endswith(" answered 1 request: 1 5xx; 1 error")


def test_a_service_that_answered_at_once_ends_at_once(tmp_path: Path) -> None:
    with program("/img/missing.jpg", tmp_path) as process:
        assert process.stdout
        said = process.stdout.readline()
        _, log = process.communicate("", timeout=_DEADLINE_S)

    assert (process.returncode, said) == (0, "404 Not Found\n")
    assert "Traceback" not in log
    assert log.splitlines()[-1].endswith(" answered 1 request: 1 4xx; 1 error")
