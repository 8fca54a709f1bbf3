"""The settings of the HTTP edge."""

from dataclasses import dataclass
from enum import Enum

from imgcdn.core.setting import address, byte_count, choice, header_value, integer, seconds, setting

_YEAR_S = 31_536_000


class AccessLog(Enum):
    """Which requests are logged: all, those not answered from the cache, or none."""

    ALL = 1
    MISSES = 2
    OFF = 3


class LogFormat(Enum):
    """How log lines are written: for people, or for machines."""

    TEXT = 1
    JSON = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where the service listens, how patient it is with clients, and what it says to caches."""

    bind: str = setting("127.0.0.1:8000", address, "Address to listen on: HOST:PORT, [IPV6]:PORT or unix:/PATH.")
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
    stale_while_revalidate_s: int = setting(
        86_400,
        integer(0, _YEAR_S),
        "Seconds after `max_age_s` for which a browser may show the old response while it asks for a new one.",
    )
    access_log: AccessLog = setting(
        AccessLog.MISSES,
        choice(AccessLog),
        "Which requests are logged: all (`all`), those not answered from the cache (`misses`) or none (`off`).",
    )
    log_format: LogFormat = setting(
        LogFormat.TEXT, choice(LogFormat), "How log lines are written: for people (`text`) or for machines (`json`)."
    )
    cache_control: str = setting(
        "",
        header_value,
        "`Cache-Control` of images, word for word, such as `public, max-age=0, must-revalidate`. By default it follows "
        "from `max_age_s` and from what the origin said. A private image is `no-store` in any case.",
    )
