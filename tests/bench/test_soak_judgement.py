"""What counts as a leak, a swapped or a stale picture in a soak."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from bench.load.soak import leaking, self_test
from bench.load.soaking.judgement import Course, Sample, complaints, growth_per_1000

CEILING = 10**7
MIB = 2**20


def samples(
    memory: Callable[[int], Mapping[int, float]] = lambda renders: {1: 2e8}, *, count: int = 40, every: int = 250
) -> list[Sample]:
    """Return a sample after every 250 renders; `memory` says what each process holds then."""
    return [
        Sample(
            at=15.0 * number,
            renders=every * number,
            memory={pid: round(held) for pid, held in memory(every * number).items()},
            descriptors={1: 20, 2: 30},
            temporary={},
            stored_bytes=CEILING,
            recent_bytes=0,
        )
        for number in range(count)
    ]


def noisy(renders: int) -> dict[int, float]:
    """Two workers with noise of 5 MB, and children that are killed now and then."""
    dice = random.Random(renders)
    return {
        1: 5e7 + dice.uniform(-5e6, 5e6),
        2: 5e7 + dice.uniform(-5e6, 5e6),
        100 + renders // 500: dice.choice((3e7, 9e7)),
    }


def warming(renders: int) -> dict[int, float]:
    """A process that grows by 30 MB in its first 2,000 renders, and not after them."""
    return {1: 1e8 + 3e7 * min(renders, 2_000) / 2_000}


def hidden(renders: int) -> dict[int, float]:
    """A process that keeps 2 MiB of each 1,000 renders, beside one that is killed and begins smaller each time."""
    return {1: 5e7 + 2 * MIB * renders / 1000, 2: 9e7 - 2 * MIB * renders / 1000}


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        pytest.param(lambda renders: {1: 2e8}, [], id="flat"),
        pytest.param(noisy, [], id="flat with noise"),
        pytest.param(warming, [], id="warm after 2,000 renders"),
        pytest.param(lambda renders: {1: 2e8 + 0.8 * MIB * renders / 1000}, [], id="0.8 MiB per 1,000"),
        pytest.param(
            lambda renders: {1: 2e8 + 1.2 * MIB * renders / 1000},
            ["memory grows by 1.20", "process 1 grows by 1.20"],
            id="1.2 MiB per 1,000",
        ),
        pytest.param(hidden, ["process 1 grows by 2.00"], id="hidden by another process"),
    ],
)
def test_memory_may_grow_by_one_mib_per_1000_renders(
    memory: Callable[[int], dict[int, float]], expected: list[str]
) -> None:
    found = complaints(Course(samples(memory), CEILING))

    assert len(found) == len(expected)
    assert all(part in complaint for part, complaint in zip(expected, found, strict=True))


def test_the_self_test_succeeds_if_the_leak_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    assert self_test() == 0
    *complained, verdict = capsys.readouterr().out.splitlines()
    assert [line for line in complained if "grows by" not in line] == []
    assert verdict.startswith("self-test passed")


def test_the_series_of_the_self_test_leaks() -> None:
    assert "memory grows by" in complaints(Course(leaking(), CEILING))[0]
    assert complaints(Course(leaking(bytes_per_1000=0), CEILING)) == []


def test_too_short_a_run_is_no_proof() -> None:
    assert "run it for longer" in complaints(Course(samples(count=11), CEILING))[0]


def test_the_growth_is_that_of_most_pairs() -> None:
    held = [(1000 * number, 2 * MIB * number) for number in range(12)]
    held[4] = 4000, 10**9
    held[9] = 9000, 0

    assert growth_per_1000(held) == pytest.approx(2 * MIB)
    assert growth_per_1000(held[:1]) == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"descriptors": {1: 20, 2: 37}}, "process 2 holds 37 descriptors, after 30", id="descriptors"),
        pytest.param({"descriptors": {1: 20, 2: 36}}, "", id="six kept connections"),
        pytest.param({"descriptors": {1: 20, 3: 90}}, "", id="a new process"),
        pytest.param({"temporary": {"tmp/1-a": 1}}, "the temporary file tmp/1-a was left", id="a file"),
        pytest.param({"temporary": {"tmp/7-a": 7}}, "", id="a file of a process that was killed"),
        pytest.param({"temporary": {"tmp/a": 0}}, "the temporary file tmp/a was left", id="a file of nobody"),
        pytest.param({"stored_bytes": CEILING + 1}, "above 10,000,000", id="a store above its ceiling"),
        pytest.param({"stored_bytes": CEILING + 9, "recent_bytes": 9}, "", id="a store that is about to be swept"),
        pytest.param({"zombies": 1}, "1 ended processes are zombies", id="a zombie"),
    ],
)
def test_nothing_else_may_be_left(change: dict[str, object], expected: str) -> None:
    before = samples()
    after = [replace(each, **change) for each in before[-14:]]  # type: ignore[arg-type]  # the table names fields
    found = complaints(Course([*before[:-14], *after], CEILING))

    assert bool(found) == bool(expected)
    assert all(expected in each for each in found)


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        pytest.param({"wrong": ["/img/a is wrong"]}, "/img/a is wrong", id="a wrong answer"),
        pytest.param({"failed": frozenset("ab"), "kills": {"child": [1.0]}}, "2 renders failed, and 1", id="renders"),
        pytest.param({"failed": frozenset("a"), "kills": {"child": [1.0]}}, "", id="the render of a killed child"),
        pytest.param({"lost": 9, "clients": 8, "kills": {"worker": [1.0]}}, "9 requests were lost", id="requests"),
        pytest.param({"lost": 8, "clients": 8, "kills": {"worker": [1.0]}}, "", id="those of a killed worker"),
    ],
)
def test_only_a_kill_excuses_a_failure(course: dict[str, object], expected: str) -> None:
    found = complaints(replace(Course(samples(), CEILING), **course))  # type: ignore[arg-type]  # as above

    assert bool(found) == bool(expected)
    assert all(expected in each for each in found)
