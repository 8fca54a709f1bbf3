"""
Every setting, declared once.

One field of `Config` is one key of imgcdn.toml, one `IMGCDN_*` variable and, where it is named there, one flag of the
command line. The README's table and the parser come from this declaration.
"""

import ipaddress
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from imgcdn.core.allowlist import Allowlist, parse_override, parse_remote
from imgcdn.core.formats import NEGOTIATED
from imgcdn.core.routes import Mount
from imgcdn.errors import ConfigError, Forbidden, InvalidParam

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
DEFAULT_FILE = "imgcdn.toml"

#: Where Linux tells a container its share of the CPUs: "quota period" in microseconds, or "max period".
_CPU_SHARE = Path("/sys/fs/cgroup/cpu.max")

# What Kubernetes sets in every pod beside a Service that is named imgcdn; "IMGCDN_PORT" holds a URL there.
_SERVICE_LINK = re.compile(r"service_(host|port(_\w+)?)=.*|port=[a-z]+://.*|port_[0-9]+_(tcp|udp|sctp)(_\w+)?=.*")


def _cpu_count(share: Path = _CPU_SHARE) -> int:
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, _, period = share.read_text(encoding="ascii").strip().partition(" ")
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or no limit: "max"
        return count


def _text(raw: object) -> str:
    if not isinstance(raw, str) or not raw:
        raise ValueError("must be text")
    return raw


def _folder(raw: object) -> Path:
    text = _text(raw)
    if "\0" in text:
        raise ValueError("must be a path")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # pathlib's word for a ~user that does not exist
        raise ValueError("must be a path whose ~ has a home folder") from error


def _bind(raw: object) -> str:
    text = _text(raw)
    if re.fullmatch(r"unix:/.+", text):
        return text
    match = re.fullmatch(r"(?:[^\s:\[\]]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text)
    if match and int(match[1]) < 65_536:
        return text
    raise ValueError("must be HOST:PORT, [IPV6]:PORT or unix:/PATH")


def _integer(low: int, high: int) -> Callable[[object], int]:
    def parse(raw: object) -> int:
        if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,18}", raw):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool) or not low <= raw <= high:
            raise ValueError(f"must be an integer from {low} to {high}")
        return raw

    return parse


def _seconds(low: float, high: float) -> Callable[[object], float]:
    def parse(raw: object) -> float:
        if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", raw):
            raw = float(raw)
        if not isinstance(raw, int | float) or isinstance(raw, bool) or not low <= raw <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return float(raw)

    return parse


def _bytes(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    match = re.fullmatch(r"([0-9]{1,18}) ?([A-Za-z]{0,3})", raw) if isinstance(raw, str) else None
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError("must be a number of bytes, such as 500000, 512MB or 2GiB")
    return int(match[1]) * _UNITS[match[2].lower()]


def _choice(*choices: str) -> Callable[[object], str]:
    def parse(raw: object) -> str:
        if raw not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(raw)

    return parse


def _names(*choices: str) -> Callable[[object], tuple[str, ...]]:
    def parse(raw: object) -> tuple[str, ...]:
        items = raw.split() if isinstance(raw, str) else raw
        # Counted, not put into sets: TOML may nest lists, which do not hash.
        if not isinstance(items, list | tuple) or any(x not in choices or items.count(x) > 1 for x in items):
            raise ValueError(f"must list some of {', '.join(choices)}, each once")
        return tuple(items)

    return parse


def _optional_text(raw: object) -> str:
    return "" if raw == "" else _text(raw)


def _list(raw: object) -> list[str]:
    items = raw.split() if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of texts")
    return list(items)


def _each(check: Callable[[str], object]) -> Callable[[object], tuple[str, ...]]:
    """Parse a list each of whose items must please `check`, which raises ValueError otherwise."""

    def parse(raw: object) -> tuple[str, ...]:
        items = _list(raw)
        for item in items:
            check(item)
        return tuple(items)

    return parse


def _mounts(raw: object) -> tuple[Mount, ...]:
    items = [f"{prefix}={base}" for prefix, base in raw.items()] if isinstance(raw, dict) else _list(raw)
    return tuple(_mount(item) for item in items)


def _mount(text: str) -> Mount:
    prefix, _, base = text.partition("=")
    if not re.fullmatch(r"(/[^/.][^/]*)+/?", prefix):
        raise ValueError(f"must map paths such as /cms to base URLs; {prefix!r} is no path")
    try:
        return Mount(prefix.strip("/"), parse_remote(base))
    except (InvalidParam, Forbidden) as error:
        raise ValueError(f"must map {prefix} to a base URL: {error.log or error.detail}") from error


def setting(default: Any, parse: Callable[[object], Any], help: str) -> Any:
    """Declare one field of `Config`."""
    metadata = {"parse": parse, "help": help}
    return (
        field(default_factory=default, metadata=metadata)
        if callable(default)
        else field(default=default, metadata=metadata)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one service. `load` checks values; build one directly only with values known to be good."""

    bind: str = setting("127.0.0.1:8000", _bind, "Address to listen on: HOST:PORT or unix:/PATH.")
    root: Path = setting(Path("sample_images"), _folder, "Folder with the originals.")
    cache_dir: Path = setting(
        Path(".imgcdn-cache"), _folder, "Folder for what was rendered; a new or empty one, or one of ours."
    )
    allow: tuple[str, ...] = setting(
        (),
        _each(lambda pattern: Allowlist([pattern])),
        "Patterns of remote URLs that may be fetched, such as `https://images.example.com/**`. None: no remote fetch.",
    )
    mounts: tuple[Mount, ...] = setting(
        (), _mounts, "Paths that are fetched from a base URL, such as `/cms=https://cms.internal/media`."
    )
    allow_addresses: tuple[str, ...] = setting(
        (), _each(ipaddress.ip_network), "Networks that may be connected to though they are not public, as CIDRs."
    )
    resolve: tuple[str, ...] = setting(
        (), _each(parse_override), "Addresses of hosts, HOST:PORT:ADDRESS, instead of a look-up."
    )
    ca_bundle: str = setting("", _optional_text, "PEM file of the authorities that sign origins' certificates.")
    cache_max_bytes: int = setting(
        2**30, _bytes, "Ceiling of the cache; the least recently used variants go first. 0: nothing is kept."
    )
    originals_max_bytes: int = setting(
        2**30, _bytes, "Ceiling of remote originals kept; the least recently used go first."
    )
    min_free_bytes: int = setting(256 * 2**20, _bytes, "Room left free on the cache's disk.")
    workers: int = setting(2, _integer(1, 256), "HTTP worker processes.")
    renderers: int = setting(
        _cpu_count,
        _integer(1, 256),
        "Pictures rendered at the same time, whatever the number of workers.",
    )
    render_queue: int = setting(
        64, _integer(1, 10_000), "Renders that may wait for a renderer; more are refused with 503."
    )
    renderer_memory_bytes: int = setting(
        4 * 2**30, _bytes, "Address space of one render child; an original that needs more is refused."
    )
    max_waiting: int = setting(
        512, _integer(1, 100_000), "Requests in one worker that may wait for a render; more are refused with 503."
    )
    render_timeout_s: float = setting(10.0, _seconds(0.1, 600), "Wall-clock seconds for one render; then it is killed.")
    request_timeout_s: float = setting(
        25.0, _seconds(0.1, 600), "Wall-clock seconds for one request, waiting included."
    )
    fetchers: int = setting(32, _integer(1, 1024), "Originals that one worker fetches at the same time.")
    fetches_per_host: int = setting(8, _integer(1, 1024), "Of these, from one origin host.")
    connect_timeout_s: float = setting(3.0, _seconds(0.1, 600), "Seconds for connecting to an origin.")
    read_timeout_s: float = setting(10.0, _seconds(0.1, 600), "Seconds in which an origin may send nothing.")
    fetch_timeout_s: float = setting(15.0, _seconds(0.1, 600), "Wall-clock seconds for one fetch, redirects included.")
    min_ttl: int = setting(60, _integer(0, 31_536_000), "Seconds for which a remote original is fresh, at least.")
    default_ttl: int = setting(3600, _integer(0, 31_536_000), "Likewise, where its origin says nothing.")
    max_ttl: int = setting(31_536_000, _integer(0, 31_536_000), "Likewise, at most.")
    header_timeout_s: float = setting(
        10.0, _seconds(0.1, 600), "Seconds a client has for the head of a request; then its connection is closed."
    )
    idle_timeout_s: float = setting(15.0, _seconds(0.1, 600), "Seconds a connection is kept for a next request.")
    write_timeout_s: float = setting(
        30.0, _seconds(0.1, 600), "Seconds a client has for each 32 KiB of an answer; then its connection is closed."
    )
    max_connections: int = setting(
        2000,
        _integer(1, 1_000_000),
        "Connections that one worker keeps; when more come, those that have waited longest for their client go.",
    )
    max_unsent_bytes: int = setting(
        32 * 2**20,
        _bytes,
        "Bytes of large pictures that one worker holds for slow readers; above that, those who stalled first go.",
    )
    drain_timeout_s: float = setting(
        30.0, _seconds(0, 600), "Seconds that running requests get to finish after SIGTERM."
    )
    formats: tuple[str, ...] = setting(
        tuple(fmt.name for fmt in NEGOTIATED),
        _names(*(fmt.name for fmt in NEGOTIATED)),
        "Negotiated formats, the favourite first.",
    )
    avif_min_pixels: int = setting(
        65_536, _integer(0, 10**9), "Outputs with fewer pixels are webp before they are avif."
    )
    avif_max_pixels: int = setting(
        20_000_000, _integer(0, 10**9), "Outputs with more pixels are webp before they are avif."
    )
    max_dimension: int = setting(8192, _integer(1, 16_383), "Largest w and h that may be asked for, in pixels.")
    max_pixels: int = setting(
        64_000_000, _integer(1, 10**9), "Pixels times frames of an original; larger ones are refused."
    )
    max_source_bytes: int = setting(32 * 10**6, _bytes, "Bytes of an original; larger ones are refused.")
    max_age_s: int = setting(
        3600, _integer(0, 31_536_000), "Seconds a browser may keep an answer without asking again."
    )
    stale_while_revalidate_s: int = setting(
        86_400, _integer(0, 31_536_000), "Seconds after that in which it may show the old one while it asks."
    )
    access_log: str = setting("misses", _choice("all", "misses", "off"), "Which requests are logged.")
    log_format: str = setting("text", _choice("text", "json"), "How log lines are written.")

    def __post_init__(self) -> None:
        """Make the folders absolute, so that a later chdir moves nothing."""
        for name in ("root", "cache_dir"):
            object.__setattr__(self, name, Path(os.path.abspath(getattr(self, name))))


def load(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Config:
    """
    Gather the settings: flags before `IMGCDN_*` variables before the file before defaults.

    Args:
        flags: Values from the command line; None counts as not given.
        environ: Default: the process's environment.
        file: A TOML file that must exist; None for imgcdn.toml in the current folder, where there is one.

    Raises:
        ConfigError: With every mistake in all of them.
    """
    problems: list[str] = []
    values: dict[str, object] = {}
    refused: set[str] = set()
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    layers: list[list[tuple[str, str, object]]] = [
        _from_file(file, problems),
        [(name, f"IMGCDN_{name.upper()}", value) for name, value in _from_environ(environ)],
        [(name, f"--{name.replace('_', '-')}", value) for name, value in given.items()],
    ]
    for name, written, raw in (item for layer in layers for item in layer):
        try:
            values[name] = _read(name, raw)
        except ValueError as error:
            refused.add(name)
            problems.append(f"{written} {error}")
    config = Config(**values)  # type: ignore[arg-type]  # each value went through its field's parser
    problems += [text for names, text in _impossible(config) if refused.isdisjoint(names)]
    if problems:
        raise ConfigError(tuple(problems))
    return config


def _from_file(file: Path | None, problems: list[str]) -> list[tuple[str, str, object]]:
    path = file or Path(DEFAULT_FILE)
    if file is None and not path.is_file():
        return []
    try:
        keys = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path}: cannot be read: {error}")
        return []
    return [(name, f"{path}: {name}", value) for name, value in keys.items()]


def _from_environ(environ: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield our variables; IMGCDN_TEST_* belong to the test suite, IMGCDN_CONFIG to the command line."""
    for variable, value in environ.items():
        name = variable.removeprefix("IMGCDN_").lower()
        theirs = name == "config" or name.startswith("test_") or _SERVICE_LINK.fullmatch(f"{name}={value}")
        if variable.startswith("IMGCDN_") and not theirs:
            yield name, value


def _read(name: str, raw: object) -> object:
    declared = {item.name: item for item in fields(Config)}
    if name not in declared:
        close = get_close_matches(name, declared, n=1)
        raise ValueError("is not a setting" + (f"; did you mean {close[0]}?" if close else ""))
    try:
        return declared[name].metadata["parse"](raw)
    except ValueError as error:
        raise ValueError(f"{error}, not {raw!r}") from error


def _impossible(config: Config) -> Iterable[tuple[tuple[str, ...], str]]:
    """Yield what no field can see alone: the fields concerned, and what is wrong with them."""
    if not config.root.is_dir():
        yield ("root",), f"root: there is no folder {config.root}; name one: imgcdn serve FOLDER"
    if config.root.resolve().is_relative_to(config.cache_dir.resolve()):
        yield ("root", "cache_dir"), f"cache_dir: {config.cache_dir} holds the originals; name another folder"
    if config.ca_bundle and not Path(config.ca_bundle).is_file():
        yield ("ca_bundle",), f"ca_bundle: there is no file {config.ca_bundle}"
    if not config.min_ttl <= config.default_ttl <= config.max_ttl:
        yield ("min_ttl", "default_ttl", "max_ttl"), "min_ttl, default_ttl and max_ttl must ascend"
    if config.render_timeout_s > config.request_timeout_s:
        yield ("render_timeout_s", "request_timeout_s"), "render_timeout_s must not be above request_timeout_s"
