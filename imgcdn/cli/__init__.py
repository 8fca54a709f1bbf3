"""The command line: `imgcdn serve [FOLDER]`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from imgcdn import __version__
from imgcdn.config import Config, load
from imgcdn.errors import ConfigError
from imgcdn.origins.local import pictures

_EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return _EXIT_USAGE
    try:
        return _serve(options)
    except ConfigError as error:
        for problem in error.problems:
            print(f"imgcdn: {problem}", file=sys.stderr)
        return _EXIT_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="imgcdn", description="A self-hosted image CDN.")
    parser.add_argument("--version", action="version", version=f"imgcdn {__version__}")
    commands = parser.add_subparsers(dest="command")
    serve = commands.add_parser("serve", help="serve the pictures in a folder")
    serve.add_argument("root", nargs="?", metavar="FOLDER", help="folder with the originals (default: sample_images)")
    serve.add_argument("--bind", metavar="HOST:PORT", help="address to listen on, or unix:/PATH")
    serve.add_argument("--cache-dir", metavar="DIR", help="folder for what was rendered")
    serve.add_argument("--allow", metavar="PATTERN", action="append", help="remote URLs that may be fetched")
    serve.add_argument("--workers", metavar="N", help="HTTP worker processes")
    serve.add_argument("--config", metavar="FILE", type=Path, help="settings (default: imgcdn.toml, if it is there)")
    return parser


def _serve(options: argparse.Namespace) -> int:
    flags = {name: getattr(options, name) for name in ("root", "bind", "cache_dir", "allow", "workers")}
    file = options.config or (Path(os.environ["IMGCDN_CONFIG"]) if os.environ.get("IMGCDN_CONFIG") else None)
    config = load(flags, file=file)
    from imgcdn.web.logs import configure  # `imgcdn --version` needs no web framework
    from imgcdn.web.server import serve  # nor a server

    configure(config.web.log_format)
    serve(config, when_ready=lambda address: _announce(config, address))
    return 0


def _announce(config: Config, address: str) -> None:
    """Print where the service is and what to try."""
    print(f"imgcdn {__version__} serves {config.origins.root} on {address}", flush=True)
    # An address that stands for all of them is none that a browser can ask.
    address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")  # not bound to
    if not address.startswith("unix:"):
        print(f"  http://{address}/", flush=True)
        for name in list(pictures(config.origins.root))[:2]:
            print(f"  http://{address}/img/{quote(name)}?w=640", flush=True)
