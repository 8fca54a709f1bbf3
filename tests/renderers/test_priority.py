"""Neither call can be undone, so each test makes it in a child process, which prints the result."""

import subprocess
import sys
import textwrap

from imgcdn.renderers.priority import BACKGROUND_NICE

# The codec is SVT, because the other encoders never change the scheduler.
_ENCODE = """
import io, os, pillow_avif
from PIL import Image
os.environ["SVT_LOG"] = "0"
Image.new("RGB", (64, 64), "teal").save(io.BytesIO(), "AVIF", codec="svt", speed=8, quality=60, max_threads=1)
"""

_SETS = """
def sets():
    lines = dict(line.split(":", 1) for line in open("/proc/thread-self/status") if line.startswith("Cap"))
    return {name: int(value, 16) >> 23 & 1 for name, value in lines.items()}
"""


def _run(*parts: str) -> str:
    script = "\n".join(textwrap.dedent(part) for part in parts)
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 0, child.stderr
    return child.stdout.strip()


def test_an_svt_encode_leaves_the_caller_on_the_ordinary_scheduler() -> None:
    policy = _run(
        "from imgcdn.renderers.priority import drop_realtime_capability as drop; drop()",
        _ENCODE,
        "print(os.sched_getscheduler(0) == os.SCHED_OTHER)",
    )
    assert policy == "True"


def test_no_capability_set_lets_a_program_regain_the_capability() -> None:
    capabilities = _run(
        _SETS,
        "from imgcdn.renderers.priority import drop_realtime_capability as drop; drop(); drop()",
        "print(sorted(name for name, bit in sets().items() if bit and name != 'CapBnd'))",
    )
    assert capabilities == "[]"


def test_a_program_started_afterwards_does_not_regain_the_capability() -> None:
    capabilities = _run(
        "import subprocess, sys",
        "from imgcdn.renderers.priority import drop_realtime_capability as drop; drop()",
        f"script = {_SETS!r} + 'print(sets()[\"CapEff\"])'",
        "print(subprocess.run([sys.executable, '-c', script], capture_output=True, text=True).stdout)",
    )
    assert capabilities == "0"


def test_background_priority_reaches_the_children() -> None:
    lowered_by = _run(
        "import os, subprocess, sys",
        "from imgcdn.renderers.priority import use_background_priority",
        "before = os.nice(0); use_background_priority()",
        "script = 'import os; print(os.nice(0))'",
        "after = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True).stdout",
        "print(int(after) - before)",
    )
    assert int(lowered_by) == BACKGROUND_NICE
