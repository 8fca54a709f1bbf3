"""
The judgement of a soak: pure functions from what was measured to complaints.

A sample is taken at a rest point, at which no request is under way. Then memory, descriptors and temporary files are
what the service holds for good, without what it needs for its work.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

#: What the service may hold more after a thousand renders, once its memos and its children are warm.
MOST_BYTES_PER_1000 = 2**20
WARM_AFTER_RENDERS = 2_000

#: Descriptors that a process may hold more at the end than at the beginning: connections to origins that are kept.
_MOST_DESCRIPTORS = 6

#: Renders that may fail for each child that is killed: its own.
_FAILED_A_KILL = 1

_FEWEST_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One measurement, at a rest point.

    Args:
        at: Seconds since the beginning.
        renders: Renders so far.
        memory: Process id -> its bytes of memory.
        descriptors: Process id -> its open descriptors.
        temporary: Name of a temporary file -> id of the process that named it; 0 if the name has none.
        stored_bytes: Bytes of variants and records in the store.
        recent_bytes: The part of them that was stored after the last sweep may have begun.
        zombies: Ended processes whose exit status nobody has read.
    """

    at: float
    renders: int
    memory: Mapping[int, int]
    descriptors: Mapping[int, int]
    temporary: Mapping[str, int]
    stored_bytes: int
    recent_bytes: int
    zombies: int = 0

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory of all processes together."""
        return sum(self.memory.values())


@dataclass(frozen=True, slots=True)
class Course:
    """
    What happened in a soak.

    Args:
        samples: In their order.
        ceiling_bytes: The limit of the store.
        wrong: Answers that were wrong, and why.
        kills: Kind of process -> when one was killed, in seconds since the beginning.
        failed: Targets whose render failed.
        lost: Requests without a response.
        clients: How many requests may be under way.
    """

    samples: Sequence[Sample]
    ceiling_bytes: int
    wrong: Sequence[str] = ()
    kills: Mapping[str, Sequence[float]] = field(default_factory=dict)
    failed: frozenset[str] = frozenset()
    lost: int = 0
    clients: int = 1


def complaints(course: Course) -> list[str]:
    """Return what is wrong with a soak; empty if nothing is."""
    return [
        *_about_memory(course.samples),
        *_about_descriptors(course.samples),
        *_about_files(course.samples),
        *_about_store(course.samples, course.ceiling_bytes),
        *_about_answers(course),
    ]


def growth_per_1000(held: Sequence[tuple[int, int]]) -> float:
    """
    Return how many bytes more are held after each thousand renders: the median slope of all pairs (Theil and Sen).

    Up to a quarter of the measurements may be off by any amount, as after a kill.

    Args:
        held: Renders so far, and the bytes that are held then.
    """
    slopes = [
        1000 * (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in combinations(held, 2)
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes) if slopes else 0.0


def warm(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples that count for memory."""
    return [each for each in samples if each.renders >= WARM_AFTER_RENDERS]


def _about_memory(samples: Sequence[Sample]) -> Iterator[str]:
    counted = warm(samples)
    if len(counted) < _FEWEST_SAMPLES:
        yield f"only {len(counted)} samples after {WARM_AFTER_RENDERS} renders: run it for longer"
        return
    series = {"memory": [(each.renders, each.memory_bytes) for each in counted]}
    # What one process keeps could be hidden by the kills of others. The oldest worker and the master are never killed.
    for pid in sorted(set.intersection(*(set(each.memory) for each in counted))):
        series[f"the memory of process {pid}"] = [(each.renders, each.memory[pid]) for each in counted]
    for name, held in series.items():
        grown = growth_per_1000(held)
        if grown > MOST_BYTES_PER_1000:
            yield f"{name} grows by {grown / 2**20:.2f} MiB per 1,000 renders"


def _about_descriptors(samples: Sequence[Sample]) -> Iterator[str]:
    """Compare what each process holds at least, at the beginning and at the end of its life."""
    pids = {pid for each in samples for pid in each.descriptors}
    for pid in sorted(pids):
        held = [each.descriptors[pid] for each in samples if pid in each.descriptors]
        third = len(held) // 3
        if third and min(held[-third:]) > min(held[:third]) + _MOST_DESCRIPTORS:
            yield f"process {pid} holds {min(held[-third:])} descriptors, after {min(held[:third])}"


def _about_files(samples: Sequence[Sample]) -> Iterator[str]:
    """No request is under way, so only a process that was killed may have left files."""
    for each in samples[-1:]:
        for name, pid in sorted(each.temporary.items()):
            if not pid or pid in each.memory:
                yield f"the temporary file {name} was left, and no process that named it was killed"
        if each.zombies:
            yield f"{each.zombies} ended processes are zombies"


def _about_store(samples: Sequence[Sample], ceiling_bytes: int) -> Iterator[str]:
    for each in samples:
        if each.stored_bytes > ceiling_bytes + each.recent_bytes:
            yield f"the store has {each.stored_bytes:,} bytes at second {each.at:.0f}, above {ceiling_bytes:,}"


def _about_answers(course: Course) -> Iterator[str]:
    yield from course.wrong
    permitted = _FAILED_A_KILL * len(course.kills.get("child", ()))
    if len(course.failed) > permitted:
        yield f"{len(course.failed)} renders failed, and {permitted} children were killed"
    permitted = course.clients * len(course.kills.get("worker", ()))
    if course.lost > permitted:
        yield f"{course.lost} requests were lost, and a kill of a worker may lose {course.clients}"
