"""`imgcdn serve [FOLDER]`: run the service."""

import argparse
import os
from pathlib import Path
from urllib.parse import quote

from imgcdn import __version__
from imgcdn.config import Config, load

NAME = "serve"
HELP = "serve the pictures in a folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("root", nargs="?", metavar="FOLDER", help="folder with the originals (default: sample_images)")
    parser.add_argument("--bind", metavar="HOST:PORT", help="address to listen on, or unix:/PATH")
    parser.add_argument("--cache-dir", metavar="DIR", help="folder for what is kept")
    parser.add_argument("--allow", metavar="PATTERN", action="append", help="remote URLs that may be fetched")
    parser.add_argument("--workers", metavar="N", help="HTTP worker processes")
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings (default: imgcdn.toml, if it is there)")


def run(options: argparse.Namespace) -> int:
    """
    Serve until the process is told to stop.

    Raises:
        ConfigError: The settings cannot work.
    """
    config = load(flags(options), file=config_file(options))
    from imgcdn.web.logs import configure  # `imgcdn --version` needs no web framework
    from imgcdn.web.server import serve  # nor a server

    configure(config.web.log_format)
    serve(config, when_ready=lambda address: _announce(config, address))
    return 0


def flags(options: argparse.Namespace) -> dict[str, object]:
    """Return the settings that the command line gives."""
    return {name: getattr(options, name) for name in ("root", "bind", "cache_dir", "allow", "workers")}


def config_file(options: argparse.Namespace) -> Path | None:
    """Return the file that --config or IMGCDN_CONFIG names; None for neither."""
    named = options.config or os.environ.get("IMGCDN_CONFIG")
    return Path(named) if named else None


def _announce(config: Config, address: str) -> None:
    """Print where the service is and what to try."""
    print(f"imgcdn {__version__} serves {config.origins.root} on {address}", flush=True)
    # 0.0.0.0 stands for all addresses; a browser cannot connect to it.
    address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")  # not bound to
    if not address.startswith("unix:"):
        print(f"  http://{address}/", flush=True)
        from imgcdn.origins.local import pictures

        for name in list(pictures(config.origins.root))[:2]:
            print(f"  http://{address}/img/{quote(name)}?w=640", flush=True)
