"""
Fuzz one target with atheris, which changes inputs so that they reach other branches of our code.

    pip install atheris
    python -m scripts.fuzz_coverage bytes [-max_total_time=60] [-seed=7] [CORPUS FOLDER]

What follows the target are the options of libFuzzer. It runs until it is stopped, unless -max_total_time is given.
atheris is no dependency of the tests: it has wheels for some versions of Python only.
"""

import logging
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["imgcdn"]):
    from tests.fuzz.targets import TARGETS

from hypothesis import HealthCheck, given, settings


def main() -> None:
    """Fuzz the target that the command line names; does not return."""
    logging.disable()
    names = {target.name: target for target in TARGETS}
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in names:
        sys.exit(f"name a target: {', '.join(names)}")
    target = names[name]
    with target.opens() as check:

        @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(target.inputs)
        def check_one(value: Any) -> None:
            check(value)

        run: Any = check_one  # hypothesis adds the attribute
        atheris.Setup([sys.argv[0], *sys.argv[2:]], run.hypothesis.fuzz_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
