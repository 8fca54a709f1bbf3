"""The command line. Each command is a module and one line in `COMMANDS`."""

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Protocol

from imgcdn import __version__
from imgcdn.cli import check, purge, serve, sign
from imgcdn.config import DECLARED
from imgcdn.errors import ConfigError, ListenError

_EXIT_FAILED = 1
_EXIT_USAGE = 2


class Command(Protocol):
    """A module that holds one command. Imports that only `run` needs are inside `run`, so `--help` loads little."""

    NAME: str
    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Run the command and return its exit status."""


COMMANDS: tuple[Command, ...] = (serve, check, sign, purge)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A folder's name may have characters that the terminal cannot show, or bytes that are not text.
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(_about_unknown(unknown))
    command = next((each for each in COMMANDS if options.command == each.NAME), None)
    if command is None:
        parser.print_help()
        return _EXIT_USAGE
    try:
        status = command.run(options)
        sys.stdout.flush()
        return status
    except ConfigError as error:
        for problem in error.problems:
            print(f"imgcdn: {problem}", file=sys.stderr)
        return _EXIT_USAGE
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough. Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_FAILED
    except ListenError as error:
        print(f"imgcdn: {error.detail}", file=sys.stderr)
        return _EXIT_FAILED


def _about_unknown(arguments: Sequence[str]) -> str:
    """Return the message about arguments that no command takes. Most settings are no arguments."""
    message = f"unrecognized arguments: {' '.join(arguments)}"
    names = (argument.partition("=")[0].removeprefix("--").replace("-", "_") for argument in arguments)
    name = next((name for name in names if name in DECLARED), None)
    if name is None:
        return message
    return (
        f"{message}; {name} is a setting that the command line does not take: write it into imgcdn.toml, or set the "
        f"variable IMGCDN_{name.upper()}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="imgcdn", description="A self-hosted image CDN.")
    parser.add_argument("--version", action="version", version=f"imgcdn {__version__}")
    commands = parser.add_subparsers(dest="command")
    for command in COMMANDS:
        command.add_arguments(commands.add_parser(command.NAME, help=command.HELP))
    return parser
