"""The arenas of memory of a process with many threads."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such arenas")

#: Lets eight threads allocate memory at the same time, then has the C library describe its arenas ("heaps").
PROGRAM = """
import ctypes
import threading
from imgcdn.web.arenas import bound_arenas
bound_arenas()
together = threading.Barrier(9)
def allocate():
    held = bytearray(20_000)
    together.wait(10)
    together.wait(10)
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
together.wait(10)
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
together.wait(10)
"""


@pytest.mark.parametrize(
    ("environment", "arenas"),
    [
        pytest.param({}, 2, id="two"),
        pytest.param({"MALLOC_ARENA_MAX": "4"}, 4, id="as many as the operator says"),
    ],
)
def test_threads_share_a_few_arenas(environment: dict[str, str], arenas: int) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=True, timeout=60)

    assert run.stdout.count("<heap nr=") == arenas
