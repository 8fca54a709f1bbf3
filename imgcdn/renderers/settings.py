"""The settings of the render children."""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from imgcdn.core.setting import Mistake, byte_count, integer, seconds, setting
from imgcdn.core.setting_tables import table_of

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


@dataclass(frozen=True, slots=True)
class Allowance:
    """
    How much may be rendered in a minute.

    Args:
        is_for_source: Whether it is for each source; otherwise it is for each client.
        counts_seconds: Whether it counts seconds of a core; otherwise it counts new variants.
        amount: At least 1.
    """

    is_for_source: bool
    counts_seconds: bool
    amount: int

    @property
    def name(self) -> str:
        """Its name in the setting `budget`."""
        return next(name for name, kind in _ALLOWANCES.items() if kind == (self.is_for_source, self.counts_seconds))


#: Names in the setting `budget` -> (is_for_source, counts_seconds).
_ALLOWANCES = {
    "client_variants": (False, False),
    "client_seconds": (False, True),
    "source_variants": (True, False),
    "source_seconds": (True, True),
}


_amount = integer(1, 999_999_999)


def _allowance(name: str, raw: object) -> Allowance:
    if name not in _ALLOWANCES:
        raise Mistake(f"is not a budget; there are {', '.join(_ALLOWANCES)}")
    return Allowance(*_ALLOWANCES[name], _amount(raw))


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """
    The settings of a broker.

    Args:
        scope: A name for what its workers share, such as a hash of the cache folder. Each scope has its own broker.
        renderers: Number of renders at the same time. One more child takes short jobs alone.
        memory_bytes: Limit of the address space of one render child.
        patience_s: Seconds that a request waits for its picture, at most.
        budget: How much each client and each source may have rendered.
        writable: The only folder that render children may write to; empty for none.
    """

    scope: str
    renderers: int
    memory_bytes: int
    patience_s: float
    budget: tuple[Allowance, ...] = ()
    writable: str = ""

    def pack(self) -> str:
        """Return these settings as one argument of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def unpack(cls, text: str) -> "BrokerSettings":
        """Return the settings that `pack` has written."""
        values = json.loads(text)
        return cls(**{**values, "budget": tuple(Allowance(**each) for each in values["budget"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class RendererSettings:
    """How many pictures are rendered at the same time, and the limits of a render."""

    renderers: int = setting(
        cpu_count,
        integer(1, 256),
        "Pictures rendered at the same time, by all HTTP workers together. One process more takes short renders alone.",
    )
    budget: tuple[Allowance, ...] = setting(
        (),
        table_of(_allowance, example="client_variants=120"),
        "What may be rendered in a minute; more is 429. `client_variants` and `source_variants` limit the new "
        "variants for each client address (of IPv6 the /64) and for each source. `client_seconds` and `source_seconds` "
        "limit the CPU seconds of their rendering: those that are expected, and when a render or a probe has ended, "
        "also those that it took beyond. Behind a CDN set `trusted_proxies` first, or all visitors share one budget.",
    )
    renderer_memory_bytes: int = setting(
        4 * 2**30, byte_count, "Address space of one render child. A render that needs more fails."
    )
    render_timeout_s: float = setting(
        10.0, seconds(0.1, 600), "Wall-clock seconds for one render; then its child is killed."
    )
