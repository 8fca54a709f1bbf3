"""`imgcdn serve [FOLDER]`: run the service."""

import argparse
import gc
import logging
import os
from pathlib import Path
from urllib.parse import quote

from imgcdn import __version__
from imgcdn.config import DECLARED, Config, load

_log = logging.getLogger(__name__)

NAME = "serve"
HELP = "serve the pictures in a folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "Every other setting is a key of imgcdn.toml (max_pixels = 1000000) or a variable (IMGCDN_MAX_PIXELS=1000000). "
        "`imgcdn check` lists all settings."
    )
    default = DECLARED["root"][1].default
    parser.add_argument("root", nargs="?", metavar="FOLDER", help=f"folder with the originals (default: {default})")
    parser.add_argument("--bind", metavar="HOST:PORT", help="address to listen on, or unix:/PATH")
    parser.add_argument("--cache-dir", metavar="DIR", help="folder of the cache")
    parser.add_argument("--allow", metavar="PATTERN", action="append", help="remote URLs that may be fetched")
    parser.add_argument("--workers", metavar="N", help="HTTP worker processes")
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="file with settings (default: imgcdn.toml, if it exists)"
    )


def run(options: argparse.Namespace) -> int:
    """
    Serve until the process is told to stop.

    Raises:
        ConfigError: A setting is not valid, or two of them conflict.
    """
    config = load(flags(options), file=config_file(options))
    # `web.server` turns it on again. Until then nearly every new object lives as long as the process, and the search
    # for garbage takes a tenth of the time of the start.
    gc.disable()
    # Imported here, so that `imgcdn --version` loads neither Flask nor gunicorn.
    from imgcdn.web.codecs import log_versions_soon
    from imgcdn.web.logs import configure
    from imgcdn.web.server import serve

    configure(config.web.log_format)
    for warning in config.origins.warnings():
        _log.warning("%s", warning)

    def announce(address: str) -> None:
        _announce(config, address)
        log_versions_soon(config.web.log_format)

    serve(config, when_ready=announce)
    return 0


def flags(options: argparse.Namespace) -> dict[str, object]:
    """Return the settings that were given on the command line."""
    return {name: value for name, value in vars(options).items() if name in DECLARED}


def config_file(options: argparse.Namespace) -> Path | None:
    """Return the file that --config or IMGCDN_CONFIG names; None when neither is given."""
    named = options.config or os.environ.get("IMGCDN_CONFIG")
    return Path(named) if named else None


def _announce(config: Config, address: str) -> None:
    """Print the address of the service, and URLs to try."""
    print(f"imgcdn {__version__} serves {config.origins.root} on {address}", flush=True)
    # 0.0.0.0 stands for all addresses; a browser cannot connect to it.
    address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
    if not address.startswith("unix:"):
        base = f"http://{address}{config.web.path_prefix}"
        print(f"  {base}/", flush=True)
        from imgcdn.origins.listing import first_pictures

        if not config.request.is_open:
            return
        for name in first_pictures(config.origins.root, 2):
            print(f"  {base}/img/{quote(name)}?w={config.request.example_width}", flush=True)
