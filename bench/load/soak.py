"""
A service under mixed traffic for a while, whose processes are killed, and what is left of it.

    python -m bench.load.soak [--minutes 10] [--seed 1] [--self-test]

Eight clients ask for pictures of sources that change, from a folder and from an origin that fails at times, of more
variants than the store may keep. A worker, a render child or the broker is killed every few seconds, but never the
oldest worker. Every 15 seconds all clients rest, and the service is measured.

Returns 1 when memory grows by more than 1 MiB per 1,000 renders after the first 2,000, the store passes its ceiling, a
descriptor or a temporary file is left, or an answer was wrong. Every picture shows its source and its version
(`soaking/pictures.py`), so one in another's place is recognised. With --self-test, judges a made-up series that leaks
instead of a service, says whether the leak was noticed, and returns 0 if it was.
"""

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.load.processes import Process, Role, family, zombies
from bench.load.running import service
from bench.load.soaking.judgement import Course, Sample, complaints, growth_per_1000, warm
from bench.load.soaking.origin import running as origin_running
from bench.load.soaking.traffic import Traffic

_CLIENTS = 8
_REST_EVERY_S = 15.0
_CHANGE_EVERY_S = 0.5
_BROKEN_S = 3.0

#: What is killed -> seconds between two kills.
_KILLS = {Role.CHILD: 7.0, Role.WORKER: 41.0, Role.BROKER: 59.0}

_CEILING_BYTES = 4 * 2**20

#: The sweeper's pause, and the time that a sweep may take.
_SWEEP_S = 15.0

_SETTINGS: dict[str, object] = {
    "cache_max_bytes": _CEILING_BYTES,
    "originals_max_bytes": 150_000,
    "min_free_bytes": 0,
    "min_ttl": 1,
    "default_ttl": 2,
    "connect_timeout_s": 1,
    "read_timeout_s": 1.5,
    "fetch_timeout_s": 2,
    "max_source_bytes": 2_000_000,
    "allow_addresses": "127.0.0.0/8",
}


@dataclass(slots=True)
class Soak:
    """
    One run.

    Args:
        folder: With `root`, `cache`, `tmp` and `log`.
        master: Process id of the service.
        traffic: Its clients.
        dice: Draws who is killed.
        report: Called with a line for each rest point.
    """

    folder: Path
    master: int
    traffic: Traffic
    dice: random.Random
    report: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    kills: dict[str, list[float]] = field(default_factory=dict)

    async def run(self, seconds: float) -> None:
        """Soak the service for some seconds."""
        tasks = [asyncio.create_task(self.traffic.client()) for _ in range(_CLIENTS)]
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.traffic.go()
                acting = [asyncio.create_task(act) for act in (self._change(), self._break(), *map(self._kill, _KILLS))]
                await asyncio.sleep(min(_REST_EVERY_S, max(0.0, end - time.monotonic())))
                for task in acting:
                    task.cancel()
                await asyncio.wait(acting)
                self.traffic.break_origin(broken=False)
                await self.traffic.rest()
                await self._measure()
                for task in tasks:
                    if task.done():
                        task.result()  # raises: a client goes on until it is cancelled
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _change(self) -> None:
        while True:
            await asyncio.sleep(_CHANGE_EVERY_S)
            self.traffic.change_one()

    async def _break(self) -> None:
        """Break the origin for a while in every other turn between two rests."""
        if len(self.samples) % 2:
            await asyncio.sleep(_BROKEN_S)
            self.traffic.break_origin(broken=True)
            await asyncio.sleep(_BROKEN_S)
            self.traffic.break_origin(broken=False)

    async def _kill(self, role: Role) -> None:
        """Kill a process when its turn has come. The turns go on over the rests."""
        while True:
            times = self.kills.setdefault(role.value, [])
            due = (times[-1] if times else 0.0) + _KILLS[role]
            await asyncio.sleep(max(0.0, due - self._now()))
            found = [each for each in family(self.master, self.folder / "cache") if each.role is role]
            found.sort(key=lambda each: each.started)
            victims = found[1:] if role is Role.WORKER else found
            if victims:
                with suppress(ProcessLookupError):
                    os.kill(self.dice.choice(victims).pid, signal.SIGKILL)
            times.append(self._now())

    async def _measure(self) -> None:
        processes = await self._settled()
        cache, now, tally = self.folder / "cache", time.monotonic(), self.traffic.tally
        sample = Sample(
            at=self._now(),
            renders=tally.renders,
            memory={each.pid: each.memory_bytes for each in processes},
            descriptors={each.pid: each.descriptors for each in processes},
            temporary=self._temporary(),
            stored_bytes=_stored_bytes(cache),
            recent_bytes=sum(size for at, size in tally.stored if now - at < _SWEEP_S),
            zombies=zombies(self.master, cache),
        )
        self.samples.append(sample)
        parts = ", ".join(f"{role.value} {_mib(processes, role):5.1f}" for role in Role)
        self.report(
            f"{sample.at:5.0f} s  {sample.renders:6} renders  {sample.memory_bytes / 2**20:6.1f} MiB ({parts})  "
            f"{sum(sample.descriptors.values()):3} descriptors  {len(sample.temporary)} temporary files  "
            f"{sample.stored_bytes / 2**20:5.1f} MiB stored  {len(tally.wrong)} wrong"
        )

    async def _settled(self) -> list[Process]:
        """Return the processes when no descriptor was opened or closed for a second."""
        before: dict[int, int] = {}
        processes: list[Process] = []
        for _ in range(10):
            processes = family(self.master, self.folder / "cache")
            held = {each.pid: each.descriptors for each in processes}
            if held == before:
                break
            before = held
            await asyncio.sleep(1)
        return processes

    def _temporary(self) -> dict[str, int]:
        found = {}
        for folder in (self.folder / "cache" / "tmp", self.folder / "tmp"):
            for path in folder.rglob("*"):
                if path.is_file() and path.suffix not in (".lock", ".id"):
                    pid = path.name.partition("-")[0]
                    found[str(path.relative_to(self.folder))] = int(pid) if pid.isdigit() else 0
        return found

    def _now(self) -> float:
        return time.monotonic() - self.began

    def course(self) -> Course:
        """Return what happened."""
        tally = self.traffic.tally
        log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        wrong = [*tally.wrong, *(["the log has a traceback"] if "Traceback" in log else [])]
        return Course(self.samples, _CEILING_BYTES, wrong, self.kills, frozenset(tally.failed), tally.lost, _CLIENTS)


async def soak(folder: Path, seconds: float, *, seed: int, report: Callable[[str], None]) -> tuple[Course, Traffic]:
    """
    Run a service and soak it.

    Args:
        folder: An empty folder with a short path: sockets lie in it.
        report: Called with a line for each rest point.
    """
    for name in ("root", "tmp"):
        (folder / name).mkdir()
    async with origin_running() as origin:
        settings = {**_SETTINGS, "allow": f"http://127.0.0.1:{origin.port}/**"}
        root, cache, log, tmp = (folder / name for name in ("root", "cache", "log", "tmp"))
        with service(root, cache, log=log, tmp=tmp, **settings) as (base, process):
            dice = random.Random(seed)
            traffic = Traffic(int(base.rpartition(":")[2]), root, origin, dice)
            run = Soak(folder, process.pid, traffic, dice, report)
            await run.run(seconds)
            return run.course(), run.traffic


def main() -> int:
    """Soak and judge; return 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--self-test", action="store_true", help="judge a series that leaks")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    logging.basicConfig()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        work = soak(
            Path(name), 60 * arguments.minutes, seed=arguments.seed, report=lambda line: print(line, flush=True)
        )
        course, traffic = asyncio.run(work)
        log = Path(name, "log").read_text(encoding="utf-8", errors="replace")
    print(", ".join(f"{count} {status}" for status, count in sorted(traffic.tally.statuses.items())))
    print(
        f"{course.lost} lost, {len(course.failed)} failed renders, killed:",
        {k: len(v) for k, v in course.kills.items()},
    )
    status = _print_judgement(course)
    if status:
        print(log[-5_000:])
    return status


def self_test() -> int:
    """Judge a series that leaks and one that does not; return 0 if both were judged rightly."""
    found = complaints(Course(leaking(), _CEILING_BYTES))
    without_leak = complaints(Course(leaking(bytes_per_1000=0), _CEILING_BYTES))
    print(*found, *without_leak, sep="\n")
    if not found or without_leak:
        print("self-test failed: " + ("a leak was not noticed" if not found else "a series without a leak was refused"))
        return 1
    print("self-test passed: the leak was noticed, and a series without a leak was accepted")
    return 0


def leaking(bytes_per_1000: float = 3 * 2**20) -> list[Sample]:
    """Return the samples of a service that keeps this much after a thousand renders, beside some noise."""
    dice = random.Random(1)
    renders = range(0, 10_000, 250)
    return [
        Sample(
            at=each / 20,
            renders=each,
            memory={1: round(2e8 + bytes_per_1000 * each / 1000 + dice.uniform(-4e6, 4e6))},
            descriptors={1: 20},
            temporary={},
            stored_bytes=0,
            recent_bytes=0,
        )
        for each in renders
    ]


def _print_judgement(course: Course) -> int:
    counted = [(each.renders, each.memory_bytes) for each in warm(course.samples)]
    half = counted[len(counted) // 2 :]
    print(
        f"memory after 2,000 renders: {growth_per_1000(counted) / 2**20:+.2f} MiB per 1,000 renders, "
        f"in the second half {growth_per_1000(half) / 2**20:+.2f}"
    )
    found = complaints(course)
    print(*found[:50], sep="\n")
    print("passed" if not found else f"{len(found)} complaints")
    return 1 if found else 0


def _mib(processes: list[Process], role: Role) -> float:
    return sum(each.memory_bytes for each in processes if each.role is role) / 2**20


def _stored_bytes(cache: Path) -> int:
    total = 0
    for path in (cache / "current").rglob("*"):
        with suppress(OSError):
            if path.is_file() and path.name != "original":
                total += path.stat().st_size
    return total


if __name__ == "__main__":
    sys.exit(main())
