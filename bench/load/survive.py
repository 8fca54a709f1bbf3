"""
Whether a service survives damaged originals: no response but 503 and 504 may say that it is at fault.

    python -m bench.load.survive [--count 2000] [--seed 1]

First every file of the corpus (or of `sample_images`) and every drawn picture is requested, then damaged copies of the
small ones. Each is requested once in a size, a format and with a step of the pipeline drawn by lot. Prints how many
responses had each status, and returns 1 if one was wrong or a worker died.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.load.asking import Broken, Client
from bench.load.mutations import damaged, drawn, whole
from bench.load.processes import Role, family
from bench.load.running import service

_CLIENTS = 4
_ACCEPTS = ("image/avif,image/webp,*/*", "image/webp,*/*", "*/*")
_SIZES = (
    "w=40",
    "w=1",
    "h=33",
    "w=50&h=50&fit=cover",
    "w=60&h=20&fit=pad&bg=fff",
    "w=30&position=smart&h=30&fit=cover",
    "",
)
_STEPS = ("", "", "trim=10", "rotate=90&flip=h", "blur=2", "grayscale=1", "q=auto", "still=1", "crop=0.1,0.1,0.5,0.5")
_FORMATS = (
    "",
    "",
    "fm=jpg",
    "fm=png",
    "fm=webp",
    "fm=avif",
    "fm=gif",
    "fm=json",
    "fm=lqip",
    "fm=blurhash",
    "fm=thumbhash",
)

_OUR_FAULT = 500
_PERMITTED = (503, 504)


@dataclass(frozen=True, slots=True)
class Survival:
    """
    What came of it.

    Args:
        statuses: Status -> number of responses.
        wrong: Targets whose response was wrong, and why.
        workers_lost: Workers that are not the ones of the beginning.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    workers_lost: int = 0


def main() -> int:
    """Measure and print; return 1 if a response was wrong or a worker died."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        outcome = survive(Path(name), [*_files(whole()), *drawn()], arguments.count, arguments.seed)
    for status, count in sorted(outcome.statuses.items()):
        print(f"{status}: {count} responses")
    print(*outcome.wrong, sep="\n")
    print(f"{len(outcome.wrong)} wrong responses, {outcome.workers_lost} workers died")
    return 1 if outcome.wrong or outcome.workers_lost else 0


def survive(folder: Path, originals: Iterable[bytes], count: int, seed: int) -> Survival:
    """
    Serve originals and damaged pictures, and request each.

    Args:
        folder: An empty folder.
        count: How many damaged pictures there are.
        seed: Of the damage and of the requests.
    """
    root, cache = folder / "root", folder / "cache"
    root.mkdir()
    names = []
    for number, data in enumerate([*originals, *damaged(count, seed)]):
        names.append(str(number))
        (root / names[-1]).write_bytes(data)
    with service(root, cache, min_free_bytes=0) as (base, process):
        before = _workers(process.pid, cache)
        outcome = asyncio.run(_ask_all(int(base.rpartition(":")[2]), names, random.Random(seed)))
        after = _workers(process.pid, cache)
    shutil.rmtree(root)
    return Survival(outcome.statuses, outcome.wrong, len(before - after))


def _files(paths: Iterable[Path]) -> Iterator[bytes]:
    return (path.read_bytes() for path in paths)


def _workers(master: int, cache: Path) -> set[int]:
    return {each.pid for each in family(master, cache) if each.role is Role.WORKER}


async def _ask_all(port: int, names: list[str], dice: random.Random) -> Survival:
    outcome, waiting = Survival(), [(_target(name, dice), dice.choice(_ACCEPTS)) for name in reversed(names)]

    async def client() -> None:
        connection = Client(port)
        while waiting:
            target, accept = waiting.pop()
            await _ask(connection, target, accept, outcome)
        await connection.leave()

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    last = Client(port)
    await _ask(last, "/-/readyz", "*/*", outcome)
    await last.leave()
    return outcome


def _target(name: str, dice: random.Random) -> str:
    params = filter(None, (dice.choice(_SIZES), dice.choice(_STEPS), dice.choice(_FORMATS)))
    return f"/img/{name}?{'&'.join(params)}"


async def _ask(connection: Client, target: str, accept: str, outcome: Survival) -> None:
    try:
        reply = await connection.ask(target, {"Accept": accept})
    except (Broken, TimeoutError) as error:
        outcome.wrong.append(f"{target}: {error!r}")
        return
    outcome.statuses[reply.status] += 1
    if reply.status >= _OUR_FAULT and reply.status not in _PERMITTED:
        outcome.wrong.append(
            f"{target} with Accept: {accept} got {reply.status}: {reply.body.decode(errors='replace')}"
        )


if __name__ == "__main__":
    sys.exit(main())
