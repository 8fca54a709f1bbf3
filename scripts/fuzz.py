"""
Fuzz the places where the service reads what others have written.

    python -m scripts.fuzz [--seconds 60] [--seed 7] [--target bytes]

Each target of `tests/fuzz/targets.py` gets this many seconds, and at least one round of 500 inputs. Prints its seed
and how many inputs were checked. A wrong reaction ends the target: the smallest input that gets it is printed, and goes
into the target's `cases`. The last line says whether there was one, and the exit status is then 1.
"""

import argparse
import logging
import secrets
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

from tests.fuzz.target import Target, attempt
from tests.fuzz.targets import TARGETS

#: Inputs that follow from one seed. After them the seed is raised by one.
_A_ROUND = 500


def main() -> int:
    """Fuzz and print; return 1 if an input got a wrong reaction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the first round")
    parser.add_argument("--target", choices=[target.name for target in TARGETS], help="this target alone")
    arguments = parser.parse_args()
    logging.disable()  # the service warns of each damaged file
    chosen = [target for target in TARGETS if arguments.target in (None, target.name)]
    failed = [target.name for target in chosen if not fuzz(target, arguments.seed, arguments.seconds)]
    print(verdict(len(chosen), failed))
    return 1 if failed else 0


def verdict(count: int, failed: Sequence[str]) -> str:
    """
    Return the last line of a run.

    >>> verdict(14, []), verdict(14, ["bytes"])
    ('passed: 14 of 14 targets', 'FAILED: 1 of 14 targets: bytes')
    """
    if failed:
        return f"FAILED: {len(failed)} of {count} targets: {', '.join(failed)}"
    return f"passed: {count} of {count} targets"


def fuzz(target: Target[Any], seed: int, seconds: float) -> bool:
    """Fuzz a target for this long, at least one round, and print; return whether every reaction was right."""
    count, last = 0, seed
    try:
        with target.opens() as check:
            end = time.monotonic() + seconds  # to open a target may take longer than that
            while last == seed or time.monotonic() < end:
                count += attempt(target.inputs, check, seed=last, examples=_A_ROUND)
                last += 1
    except Exception:  # noqa: BLE001  # whatever it is, it is what we look for
        traceback.print_exc()
        print(f"{target.name:20} FAILED after {count:9,} inputs, with seed {last}", flush=True)
        return False
    print(f"{target.name:20} {count:9,} inputs, seeds {seed} to {last - 1}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
