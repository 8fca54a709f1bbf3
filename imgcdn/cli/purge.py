"""`imgcdn purge URL-OR-PATH... | --all`: ask a running service to purge pictures."""

import argparse
import json
import sys
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from imgcdn.cli import serve
from imgcdn.config import load_rooms
from imgcdn.errors import ConfigError

NAME = "purge"
HELP = "remove stored pictures of a running service, or mark them as stale"

_FAILED = 1
_OK = 200

#: A purge of everything looks at every record.
_TIMEOUT_S = 600.0

#: A longer response is not one of the service.
_MAX_RESPONSE = 65_536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "The token is that of the setting admin_token. A picture that is removed (--hard) is fetched and rendered "
        "anew. One that is marked as stale (--soft) is still shown, where that is allowed, while its origin is asked."
    )
    parser.add_argument(
        "sources", nargs="*", metavar="URL-OR-PATH", help="originals: /photo.jpg, or https://a.example/photo.jpg"
    )
    parser.add_argument("--all", action="store_true", help="purge every picture")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--soft", action="store_true", help="mark as stale (the default with --all)")
    how.add_argument("--hard", action="store_true", help="remove (the default without --all)")
    parser.add_argument(
        "--server", metavar="URL", default="http://127.0.0.1:8000", help="the service (default: %(default)s)"
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="file with settings (default: imgcdn.toml, if it exists)"
    )


def run(options: argparse.Namespace) -> int:
    """
    Purge one target after the other, and print what was purged. The first failure ends the command.

    Raises:
        ConfigError: There is no token, a setting is not valid, or the arguments do not fit together.
    """
    if bool(options.sources) is options.all:
        raise ConfigError("purge needs the paths or URLs of originals, or --all, and not both")
    token = load_rooms("web", file=serve.config_file(options)).web.admin_token
    if not token:
        raise ConfigError("admin_token is empty; set IMGCDN_ADMIN_TOKEN to that of the service")
    soft = options.soft or (options.all and not options.hard)
    for target in [None] if options.all else options.sources:
        order = {"all": True, "soft": soft} if target is None else {"source": target, "soft": soft}
        try:
            print(_sentence(target or "everything", _purge(options.server, order, token.text), soft=soft))
        except (OSError, HTTPException, ValueError) as error:
            print(f"imgcdn: {target or 'everything'} was not purged: {error}", file=sys.stderr)
            return _FAILED
    return 0


def _purge(server: str, order: object, token: str) -> dict[str, int]:
    """
    Send an order. A redirect is not followed, because another host must not get the token.

    Raises:
        OSError, HTTPException: The service cannot be reached.
        ValueError: It refused, or did not answer as the service does.
    """
    url = urlsplit(server)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise ValueError(f"--server must be a URL such as http://127.0.0.1:8000, not {server!r}")
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = kind(url.hostname, url.port, timeout=_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"{url.path.rstrip('/')}/-/purge", json.dumps(order), headers)
        return _read(connection.getresponse())
    except ConnectionRefusedError as error:
        raise ValueError(f"nothing listens at {server}; name the service by --server") from error
    finally:
        connection.close()


def _read(response: HTTPResponse) -> dict[str, int]:
    try:
        fields = json.loads(response.read(_MAX_RESPONSE))
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise ValueError(f"the server answered {response.status}, and not as an imgcdn does; check --server")
    if response.status == _OK:
        return fields
    hints = {401: "; its admin_token is another one", 404: "; it has no admin_token"}
    raise ValueError(f"the service answered {response.status}: {fields.get('detail')}{hints.get(response.status, '')}")


def _sentence(name: str, purged: dict[str, int], *, soft: bool) -> str:
    counts = f"{purged.get('sources')} sources, {purged.get('variants')} variants, {purged.get('bytes')} bytes"
    return f"{name}: {counts} {'marked as stale' if soft else 'removed'}"
