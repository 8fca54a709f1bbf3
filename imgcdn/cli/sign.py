"""`imgcdn sign [URL]...`: sign URLs with a key from the settings."""

import argparse
import re
import sys
import time
from pathlib import Path
from urllib.parse import quote, unquote

from imgcdn.cli import serve
from imgcdn.config import Config, load_rooms
from imgcdn.core.request.parameters import EXPIRY
from imgcdn.core.request.signing import SigningKey, sign
from imgcdn.dialects import DIALECTS, find
from imgcdn.dialects.base import Target
from imgcdn.errors import ConfigError, InvalidParam

NAME = "sign"
HELP = "sign URLs with a key from the settings"

_FAILED = 1
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_URL = re.compile(r"((?:https?:)?//[^/?#]+)?(/[^#]*)", re.IGNORECASE)

# Characters that stay as they are: those of a URL, and the escapes that it has already (RFC 3986, section 2).
_URL_CHARACTERS = "%/?:@!$&'()*+,;=~"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = (
        "The keys are those of the setting signing_keys. The signed URLs are printed, one on each line. The host may "
        "be left out ('/img/cat.jpg?w=640'): the signature does not cover it."
    )
    parser.add_argument(
        "urls", nargs="*", metavar="URL", help="URLs to sign (default: each line of the standard input)"
    )
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument(
        "--expires-in", metavar="TIME", type=_duration, help="the URL expires after this time: 90s, 15m, 1h or 7d"
    )
    ends.add_argument("--exp", metavar="TIMESTAMP", type=_timestamp, help="the URL expires at this unix time")
    parser.add_argument("--kid", metavar="ID", help="the key to sign with (default: the first of signing_keys)")
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="file with settings (default: imgcdn.toml, if it exists)"
    )


def run(options: argparse.Namespace) -> int:
    """
    Print the signed URLs.

    Line n of the output belongs to line n of the input. So an empty line gives an empty line, and the first URL that
    cannot be signed ends the output.

    Raises:
        ConfigError: There is no such key, or a setting is not valid.
    """
    config = load_rooms("request", "web", file=serve.config_file(options))
    key = _key(config, options.kid)
    exp = options.exp if options.expires_in is None else int(time.time()) + options.expires_in
    for url in options.urls or map(str.strip, sys.stdin):
        try:
            is_empty_line = not url and not options.urls
            print("" if is_empty_line else _signed(url, key, exp=exp, path_prefix=config.web.path_prefix))
        except ValueError as error:
            print(f"imgcdn: {url} {error}", file=sys.stderr)
            return _FAILED
    return 0


def _key(config: Config, kid: str | None) -> SigningKey:
    keys = {key.kid: key for key in config.request.signing_keys}
    if not keys:
        raise ConfigError(
            "signing_keys is empty; set IMGCDN_SIGNING_KEYS=KID:HEX, with a key from `openssl rand -hex 32`"
        )
    if kid is None:
        return config.request.signing_keys[0]
    if kid not in keys:
        raise ConfigError(f"--kid must be one of {', '.join(keys)}, not {kid!r}")
    return keys[kid]


def _signed(url: str, key: SigningKey, *, exp: int | None, path_prefix: str) -> str:
    """
    Sign a URL as a browser would send it.

    Raises:
        ValueError: It is not the URL of a picture, or a browser would send another one.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError("is not a URL to sign; write https://HOST/PATH or /PATH, without a # part")
    written = quote(match[2], safe=_URL_CHARACTERS)
    target = written.removeprefix(path_prefix) if written.startswith(f"{path_prefix}/") else written
    if find(Target.read(target)) is None:
        paths = ", ".join(dialect.PREFIX for dialect in DIALECTS)
        raise ValueError(
            f"is not the URL of a picture: after path_prefix ({path_prefix or 'empty'}) comes one of {paths}"
        )
    if {".", ".."} & {unquote(segment) for segment in Target.read(target).path.split("/")}:
        raise ValueError("has . or .. in its path, which a browser takes away; write the path without them")
    before = written.removesuffix(target)
    return f"{match[1] or ''}{before}{sign(target, key, exp=exp)}"


def _duration(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 15m, 1h or 7d")
    seconds = int(match[1]) * _SECONDS[match[2]]
    try:
        EXPIRY.parse(str(int(time.time()) + seconds), "exp")
    except InvalidParam:
        raise argparse.ArgumentTypeError(f"{text!r} is too long; for a URL that never expires, omit it") from None
    return seconds


def _timestamp(text: str) -> int:
    try:
        exp = EXPIRY.parse(text, "exp")
    except InvalidParam:
        raise argparse.ArgumentTypeError(f"{text!r} is not {EXPIRY.summary}") from None
    if exp <= time.time():
        raise argparse.ArgumentTypeError(f"{text} has passed; give a unix time in the future")
    return exp
