"""The program `imgcdn`, also as `python -m imgcdn`: the command line, behind handlers for the signals that stop it."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> int:
    """Run the command line and return its exit status."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, _leave)
    from imgcdn import cli  # noqa: PLC0415  # takes a quarter of a second, in which a signal may come

    return cli.main()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """
    End a command that has nothing under way yet. A server replaces this handler by its own.

    Not sys.exit: Python drops an exception that a handler raises within a callback of the garbage collector, and the
    signal would be lost.
    """
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
