"""`imgcdn check [FOLDER]`: read the settings as `serve` would, and show each of them with where it was written."""

import argparse
import sys
from dataclasses import fields

from imgcdn.cli import serve
from imgcdn.config import ROOMS, Explained, as_toml, explain

NAME = "check"
HELP = "show the settings that serve would run with, or every mistake in them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes: the same as `serve`."""
    serve.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """
    Print the settings in the form of imgcdn.toml, and to stderr what works but was hardly meant so.

    Raises:
        ConfigError: The settings cannot work.
    """
    config, explained = explain(serve.flags(options), file=serve.config_file(options))
    settings = {each.name: each for each in explained}
    for room, kind in ROOMS.items():
        print(f"# {room}")
        for name in (field.name for field in fields(kind)):
            print(_line(settings[name]))
    for warning in config.origins.warnings():
        print(f"imgcdn: warning: {warning}", file=sys.stderr)
    return 0


def _line(setting: Explained) -> str:
    # A secret is a comment, because it is not written and cannot be read back.
    comment = "# " if setting.name in ("signing_keys", "admin_token") and setting.value else ""
    given_by = f"  # {setting.given_by}" if setting.given_by else ""
    return f"{comment}{setting.name} = {as_toml(setting.value)}{given_by}"
