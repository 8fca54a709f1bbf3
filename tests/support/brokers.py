"""A render broker for tests, and how they find its processes."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import Effort, FileStamp, PathBeneath
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import Probed, ProbeJob, RenderJob
from imgcdn.renderers.settings import Allowance, BrokerSettings
from tests.support.planning import FAST

_PATIENCE_S = 20.0

#: The key of all variants that jobs of the tests make.
KEY = "5e" * 32


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting until {what}"
        await asyncio.sleep(0.01)


def settings(
    *,
    renderers: int = 1,
    patience_s: float = 60.0,
    memory_bytes: int = 4 * 2**30,
    budget: tuple[Allowance, ...] = (),
    writable: str = "/",
) -> BrokerSettings:
    return BrokerSettings("test", renderers, memory_bytes, patience_s, budget, writable)


@asynccontextmanager
async def connected(folder: Path, broker_settings: BrokerSettings | None = None) -> AsyncIterator[RenderClient]:
    """Yield a RenderClient whose socket is in a folder. The broker runs on for a moment, for the next test."""
    renderers = RenderClient(broker_settings or settings(), folder=folder)
    try:
        await renderers.connect()
        yield renderers
    finally:
        renderers.disconnect()


@asynccontextmanager
async def rendering(folder: Path, broker_settings: BrokerSettings | None = None) -> AsyncIterator[RenderClient]:
    """Yield a RenderClient whose socket is in a folder; then wait until the broker and its children have ended."""
    try:
        async with connected(folder, broker_settings) as renderers:
            yield renderers
    finally:
        await until(lambda: not processes(folder), "the broker and its children have ended")


def processes(folder: Path) -> list[int]:
    """Return the pids of the brokers whose sockets are in this folder, and of all their descendants."""
    table = _process_table()
    pids = [pid for pid, (_, command) in table.items() if f"{folder}/" in command and "imgcdn.renderers" in command]
    return pids + descendants(*pids)


def descendants(*pids: int) -> list[int]:
    """Return the pids of the children of processes, and of their children, and so on."""
    table, found = _process_table(), list(pids)
    for pid in found:
        found += [other for other, (parent, _) in table.items() if parent == pid]
    return found[len(pids) :]


def children_of(service: int) -> list[int]:
    """Return the pids of the render children of a running service, given its pid."""
    table, ours = _process_table(), descendants(service)
    servers = {pid for pid in ours if pid in table and "forkserver" in table[pid][1]}
    return sorted(pid for pid in servers if table[pid][0] in servers)


def broker(folder: Path) -> int:
    """Return the broker's pid."""
    return processes(folder)[0]


def children(folder: Path) -> list[int]:
    """Return the pids of the render children, which are the children of the fork server."""
    table = _process_table()
    ours = set(processes(folder))
    servers = {pid for pid in ours if table.get(pid, (0, ""))[0] in ours and "forkserver" in table[pid][1]}
    return sorted(pid for pid in servers if table[pid][0] in servers)


def send_to_children(folder: Path, number: signal.Signals) -> None:
    """Send a signal to every render child: SIGSTOP makes each hang, SIGCONT lets it go on."""
    for child in children(folder):
        os.kill(child, number)


def fork_server(folder: Path) -> int:
    """Return the fork server's pid."""
    table = _process_table()
    return next(pid for pid in processes(folder) if table[pid][0] == broker(folder) and "forkserver" in table[pid][1])


async def until_busy(*pids: int) -> int:
    """Wait until one of several processes, which was just given work, uses the processor. Return its pid."""
    before = {pid: _ticks(pid) for pid in pids}

    def busy() -> list[int]:
        return [pid for pid in pids if _ticks(pid) > before[pid] + 3]

    await until(busy, "a child is at work")
    return busy()[0]


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    return pid in _process_table()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _process_table() -> dict[int, tuple[int, str]]:
    table = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if state != "Z":
            table[int(entry.name)] = (int(parent), command)
    return table


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def stamp(path: Path) -> FileStamp:
    stat = path.stat()
    return FileStamp(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def beneath(path: Path) -> PathBeneath:
    """Return the path of a file beneath its folder."""
    return PathBeneath(str(path.parent), path.name)


def probe_job(path: Path, *, timeout_s: float = 20.0, version: str | None = None) -> ProbeJob:
    return ProbeJob(beneath(path), stamp(path), version, 10**9, timeout_s)


def render_job(
    path: Path,
    *,
    size: tuple[int, int] = (45, 30),
    encoder: str = "webp",
    temp: Path | None = None,
    timeout_s: float = 30.0,
) -> RenderJob:
    fmt = {"svt": "avif", "aom": "avif"}.get(encoder, encoder)
    plan = Plan(size=size, format=fmt, q=None if encoder == "png" else 70)
    budget = replace(FAST, avif_max_pixels=0) if encoder == "svt" else FAST
    return RenderJob(
        beneath(path), stamp(path), plan, KEY, str(temp) if temp else None, 1_700_000_000, budget, timeout_s
    )


def slow_job(huge: Path, *, timeout_s: float = 30.0, temp: Path | None = None) -> RenderJob:
    """Render the huge picture whole, by aom at its slowest speed: about ten seconds on a machine of 2026."""
    job = render_job(huge, size=(8000, 8000), encoder="aom", timeout_s=timeout_s, temp=temp)
    budget = Budget(Effort.THOROUGH, s_per_megapixel=6.0, total_s=10_000.0, avif_max_pixels=10**9)
    return replace(job, budget=budget)


def works(outcome: object) -> bool:
    """Tell whether an outcome is that of a probe of the small picture."""
    return isinstance(outcome, Probed) and outcome.facts is not None and outcome.facts.size == (90, 60)
