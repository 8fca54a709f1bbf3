"""The settings of the render children."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from imgcdn.core.setting import byte_count, integer, seconds, setting

#: Where Linux tells a container its share of the CPUs: "quota period" in microseconds, or "max period".
_CPU_SHARE = Path("/sys/fs/cgroup/cpu.max")


def cpu_count(share: Path = _CPU_SHARE) -> int:
    """
    Return the CPUs that this process may use, at least 1.

    Args:
        share: The file with a container's share.
    """
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, _, period = share.read_text(encoding="ascii").strip().partition(" ")
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or no limit: "max"
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class RendererSettings:
    """How many pictures are rendered at the same time, and the limits of a render."""

    renderers: int = setting(
        cpu_count, integer(1, 256), "Pictures rendered at the same time, by all HTTP workers together."
    )
    render_queue: int = setting(
        64, integer(1, 10_000), "Renders that may wait for a free child; more are refused with 503."
    )
    renderer_memory_bytes: int = setting(
        4 * 2**30, byte_count, "Address space of one render child. A render that needs more fails."
    )
    render_timeout_s: float = setting(
        10.0, seconds(0.1, 600), "Wall-clock seconds for one render; then its child is killed."
    )
