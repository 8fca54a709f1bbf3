"""The settings of HTTP."""

import ipaddress
import re
from dataclasses import dataclass, replace
from enum import Enum

from imgcdn.core.setting import (
    Mistake,
    Secret,
    address,
    byte_count,
    checked,
    choice,
    header_value,
    integer,
    network,
    seconds,
    setting,
)

_YEAR_S = 31_536_000

#: What the paths of the service begin with. A prefix that begins so could not be told from them.
OWN_PATHS = ("/img", "/.netlify", "/_image", "/-", "/favicon.ico")

#: The word in `trusted_proxies` for clients that connect through a Unix socket.
UNIX = "unix:"


class AccessLog(Enum):
    """Which requests are logged: all, those not answered from the cache, or none."""

    ALL = 1
    MISSES = 2
    OFF = 3


class LogFormat(Enum):
    """How log lines are written: for people, or for machines."""

    TEXT = 1
    JSON = 2


class Welcome(Enum):
    """Whether the welcome page lists pictures: always, never, or where only this machine can see it."""

    AUTO = 1
    TRUE = 2
    FALSE = 3


def _welcome(raw: object) -> Welcome:
    """Read true, false or auto."""
    return choice(Welcome)(str(raw).lower() if isinstance(raw, bool) else raw)


def _is_loopback(bind: str) -> bool:
    """Tell whether only this machine can reach an address."""
    host = bind.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which may have any address, or a Unix socket, which is for a proxy
        return False


def _path_prefix(raw: object) -> str:
    """Read a path without a slash at its end; empty for none."""
    if isinstance(raw, str) and f"/{raw[1:].partition('/')[0]}" in OWN_PATHS:
        raise Mistake(f"must not begin with a path of the service ({', '.join(OWN_PATHS)})", raw)
    if isinstance(raw, str) and re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", raw):
        return raw
    raise Mistake("must be a path such as /images, without a slash at its end", raw)


def _admin_token(raw: object) -> Secret:
    """Read a token. No message shows it, so `Mistake` is never given the value."""
    if raw in ("", Secret()):
        return Secret()
    if not isinstance(raw, str):
        raise Mistake('must be text, { file = "PATH" } or { env = "VARIABLE" }')
    if not re.fullmatch(r"[!-~]{16,1000}", raw):
        raise Mistake("must have 16 to 1000 visible ASCII characters; `openssl rand -hex 32` makes one")
    return Secret(raw)


def _trusted_proxy(text: str) -> None:
    if text == UNIX.removesuffix(":"):
        raise ValueError(f"{text!r} is not a network; write {UNIX} for all clients of a Unix socket")
    if text != UNIX:
        network(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where the service listens, how patient it is with clients, and what it says to caches."""

    bind: str = setting("127.0.0.1:8000", address, "Address to listen on: HOST:PORT, [IPV6]:PORT or unix:/PATH.")
    path_prefix: str = setting(
        "",
        _path_prefix,
        "Path under which a proxy offers the service, such as `/images`. Links of its pages begin with it. Requests "
        "may arrive with or without it.",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        checked(_trusted_proxy),
        "Networks of proxies, such as `10.0.0.0/8`, and `unix:` for all clients of a Unix socket. Their "
        "`X-Forwarded-For` names the client, for turns, budgets and the log, and their `X-Request-Id` is taken over.",
    )
    admin_token: Secret = setting(
        Secret(),
        _admin_token,
        'Token for requests that purge, of at least 16 characters, or `{ file = "PATH" }` or `{ env = "VARIABLE" }` '
        "for one that is there. Without it, nothing can be purged over HTTP.",
    )
    workers: int = setting(2, integer(1, 256), "HTTP worker processes.")
    header_timeout_s: float = setting(
        10.0,
        seconds(0.1, 600),
        "Seconds that a client has for the head of a request; then its connection is closed.",
    )
    idle_timeout_s: float = setting(
        15.0, seconds(0.1, 600), "Seconds for which an idle connection is kept open for its next request."
    )
    write_timeout_s: float = setting(
        30.0,
        seconds(0.1, 600),
        "Seconds that a client has to read each 32 KiB of a response; then its connection is closed.",
    )
    max_connections: int = setting(
        2000,
        integer(1, 1_000_000),
        "Connections that one worker keeps open. When more come, those that waited longest for their client are "
        "closed.",
    )
    max_unsent_bytes: int = setting(
        32 * 2**20,
        byte_count,
        "Memory of one worker for pictures that could not be stored and that clients read slowly. Above it, the "
        "clients that stalled first are disconnected.",
    )
    drain_timeout_s: float = setting(
        30.0, seconds(0, 600), "Seconds that running requests get to finish after SIGTERM."
    )
    max_age_s: int = setting(
        3600, integer(0, _YEAR_S), "Seconds for which a browser may keep a response without asking again."
    )
    access_log: AccessLog = setting(
        AccessLog.MISSES,
        choice(AccessLog),
        "Which requests are logged: all (`all`), those not answered from the cache (`misses`) or none (`off`).",
    )
    log_format: LogFormat = setting(
        LogFormat.TEXT, choice(LogFormat), "How log lines are written: for people (`text`) or for machines (`json`)."
    )
    welcome: Welcome = setting(
        Welcome.AUTO,
        _welcome,
        "Whether the page at `/` lists pictures of the root (`true`, `false`). With `auto`, it does so only if `bind` "
        "is a loopback address and in use: not with a socket from systemd, and not inside another server.",
    )
    cache_control: str = setting(
        "",
        header_value,
        "`Cache-Control` of images, word for word, such as `public, max-age=0, must-revalidate`. By default it follows "
        "from `max_age_s` and from what the origin said. A private image is `no-store` in any case.",
    )

    @property
    def lists_pictures(self) -> bool:
        """Whether the welcome page lists pictures."""
        return _is_loopback(self.bind) if self.welcome is Welcome.AUTO else self.welcome is Welcome.TRUE

    def without_bind(self) -> "WebSettings":
        """Return the settings of a service whose address another program chooses, so that `bind` proves nothing."""
        return replace(self, welcome=Welcome.FALSE) if self.welcome is Welcome.AUTO else self
