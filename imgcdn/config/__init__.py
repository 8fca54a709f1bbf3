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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from imgcdn.config import parsers
from imgcdn.config.parsers import setting
from imgcdn.core.output.formats import NEGOTIATED, WEBP
from imgcdn.core.request.allowlist import Allowlist
from imgcdn.core.request.params import DEFAULT_TARGET
from imgcdn.core.request.routes import Mount
from imgcdn.core.request.rules import Preset, Rules
from imgcdn.core.request.url import parse_override
from imgcdn.core.request.widths import LADDER, WidthPolicy, Widths
from imgcdn.core.values import Effort
from imgcdn.errors import ConfigError, InvalidParam

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one service. `load` checks values; build one directly only with values known to be good."""

    bind: str = setting("127.0.0.1:8000", parsers.address, "Address to listen on: HOST:PORT or unix:/PATH.")
    root: Path = setting(Path("sample_images"), parsers.folder, "Folder with the originals.")
    cache_dir: Path = setting(
        Path(".imgcdn-cache"), parsers.folder, "Folder for what was rendered; a new or empty one, or one of ours."
    )
    allow: tuple[str, ...] = setting(
        (),
        parsers.each(lambda pattern: Allowlist([pattern])),
        "Patterns of remote URLs that may be fetched, such as `https://images.example.com/**`. None: no remote fetch.",
    )
    mounts: tuple[Mount, ...] = setting(
        (), parsers.mounts, "Paths that are fetched from a base URL, such as `/cms=https://cms.internal/media`."
    )
    allow_addresses: tuple[str, ...] = setting(
        (),
        parsers.each(ipaddress.ip_network),
        "Networks that may be connected to though they are not public, as CIDRs.",
    )
    resolve: tuple[str, ...] = setting(
        (), parsers.each(parse_override), "Addresses of hosts, HOST:PORT:ADDRESS, instead of a look-up."
    )
    ca_bundle: str = setting("", parsers.optional_text, "PEM file of the authorities that sign origins' certificates.")
    cache_max_bytes: int = setting(
        2**30,
        parsers.byte_count,
        "Ceiling of the cache; the least recently used variants go first. 0: nothing is kept.",
    )
    originals_max_bytes: int = setting(
        2**30, parsers.byte_count, "Ceiling of remote originals kept; the least recently used go first."
    )
    min_free_bytes: int = setting(256 * 2**20, parsers.byte_count, "Room left free on the cache's disk.")
    workers: int = setting(2, parsers.integer(1, 256), "HTTP worker processes.")
    renderers: int = setting(
        _cpu_count,
        parsers.integer(1, 256),
        "Pictures rendered at the same time, whatever the number of workers.",
    )
    render_queue: int = setting(
        64, parsers.integer(1, 10_000), "Renders that may wait for a renderer; more are refused with 503."
    )
    renderer_memory_bytes: int = setting(
        4 * 2**30, parsers.byte_count, "Address space of one render child; an original that needs more is refused."
    )
    max_waiting: int = setting(
        512,
        parsers.integer(1, 100_000),
        "Requests in one worker that may wait for a render; more are refused with 503.",
    )
    render_timeout_s: float = setting(
        10.0, parsers.seconds(0.1, 600), "Wall-clock seconds for one render; then it is killed."
    )
    request_timeout_s: float = setting(
        25.0, parsers.seconds(0.1, 600), "Wall-clock seconds for one request, waiting included."
    )
    fetchers: int = setting(32, parsers.integer(1, 1024), "Originals that one worker fetches at the same time.")
    fetches_per_host: int = setting(8, parsers.integer(1, 1024), "Of these, from one origin host.")
    connect_timeout_s: float = setting(3.0, parsers.seconds(0.1, 600), "Seconds for connecting to an origin.")
    read_timeout_s: float = setting(10.0, parsers.seconds(0.1, 600), "Seconds in which an origin may send nothing.")
    fetch_timeout_s: float = setting(
        15.0, parsers.seconds(0.1, 600), "Wall-clock seconds for one fetch, redirects included."
    )
    min_ttl: int = setting(
        60, parsers.integer(0, 31_536_000), "Seconds for which a remote original is fresh, at least."
    )
    default_ttl: int = setting(3600, parsers.integer(0, 31_536_000), "Likewise, where its origin says nothing.")
    max_ttl: int = setting(31_536_000, parsers.integer(0, 31_536_000), "Likewise, at most.")
    header_timeout_s: float = setting(
        10.0,
        parsers.seconds(0.1, 600),
        "Seconds a client has for the head of a request; then its connection is closed.",
    )
    idle_timeout_s: float = setting(15.0, parsers.seconds(0.1, 600), "Seconds a connection is kept for a next request.")
    write_timeout_s: float = setting(
        30.0,
        parsers.seconds(0.1, 600),
        "Seconds a client has for each 32 KiB of an answer; then its connection is closed.",
    )
    max_connections: int = setting(
        2000,
        parsers.integer(1, 1_000_000),
        "Connections that one worker keeps; when more come, those that have waited longest for their client go.",
    )
    max_unsent_bytes: int = setting(
        32 * 2**20,
        parsers.byte_count,
        "Bytes of pictures that could not be stored and that one worker holds for slow readers; above that, those who "
        "stalled first go.",
    )
    drain_timeout_s: float = setting(
        30.0, parsers.seconds(0, 600), "Seconds that running requests get to finish after SIGTERM."
    )
    formats: tuple[str, ...] = setting(
        tuple(fmt.name for fmt in NEGOTIATED),
        parsers.names(*(fmt.name for fmt in NEGOTIATED)),
        "Negotiated formats, the favourite first.",
    )
    animation_formats: tuple[str, ...] = setting(
        (WEBP.name,),
        parsers.names(*(fmt.name for fmt in NEGOTIATED)),
        "Those that animations may become; every frame of an avif costs several times a webp's time.",
    )
    avif_min_pixels: int = setting(
        4096, parsers.integer(0, 10**9), "Outputs with fewer pixels are webp before they are avif."
    )
    avif_max_pixels: int = setting(
        20_000_000, parsers.integer(0, 10**9), "Outputs with more pixels are webp before they are avif."
    )
    effort: str = setting(
        "fast",
        parsers.choice(*(effort.name.lower() for effort in Effort)),
        "How long encoders try: as little as they can while a client waits (fast), or for smaller files (thorough).",
    )
    thorough_s_per_megapixel: float = setting(
        6.0,
        parsers.seconds(0.05, 60),
        "Seconds that `thorough` may spend on a megapixel (a measured estimate); at most a third of render_timeout_s.",
    )
    max_dimension: int = setting(8192, parsers.integer(1, 16_383), "Largest w and h that may be asked for, in pixels.")
    width_policy: str = setting(
        "any",
        parsers.choice(*(policy.value for policy in WidthPolicy)),
        "Whether `w` and `h` (times `dpr`) that are not in `widths` are served (any), rounded up (snap) or refused "
        "(strict).",
    )
    widths: tuple[int, ...] = setting(LADDER, parsers.widths, "The ladder of `width_policy`, in pixels.")
    presets: tuple[Preset, ...] = setting(
        (), parsers.presets, "Names for sets of parameters, such as `thumb=w=200&h=200&fit=cover`, then `p=thumb`."
    )
    auto_target: int = setting(
        DEFAULT_TARGET,
        parsers.integer(40, 90),
        "SSIMULACRA2 that `q=auto` aims at: 50 is medium quality, 70 high, 90 as good as lossless.",
    )
    save_data: bool = setting(
        False, parsers.switch, "Whether `Save-Data: on` in a request lowers the quality; it joins `Vary` then."
    )
    params: str = setting(
        "any", parsers.choice("any", "presets"), "Whether a URL may ask for any output, or for presets alone."
    )
    max_pixels: int = setting(
        64_000_000, parsers.integer(1, 10**9), "Pixels times frames of an original; larger ones are refused."
    )
    max_source_bytes: int = setting(32 * 10**6, parsers.byte_count, "Bytes of an original; larger ones are refused.")
    max_age_s: int = setting(
        3600, parsers.integer(0, 31_536_000), "Seconds a browser may keep an answer without asking again."
    )
    stale_while_revalidate_s: int = setting(
        86_400, parsers.integer(0, 31_536_000), "Seconds after that in which it may show the old one while it asks."
    )
    color: str = setting(
        "srgb",
        parsers.choice("srgb", "keep"),
        "What becomes of a colour profile: pixels are converted to sRGB, or kept and the profile with them.",
    )
    access_log: str = setting("misses", parsers.choice("all", "misses", "off"), "Which requests are logged.")
    log_format: str = setting("text", parsers.choice("text", "json"), "How log lines are written.")

    def __post_init__(self) -> None:
        """Make the folders absolute, so that a later chdir moves nothing."""
        for name in ("root", "cache_dir"):
            object.__setattr__(self, name, Path(os.path.abspath(getattr(self, name))))

    @property
    def rules(self) -> Rules:
        """What is admitted of the parameters."""
        widths = Widths(WidthPolicy(self.width_policy), self.widths)
        return Rules(self.max_dimension, self.presets, self.params == "presets", widths, self.auto_target)


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
    if config.width_policy != "any" and config.widths[-1] > config.max_dimension:
        yield ("width_policy", "widths", "max_dimension"), "widths must not be above max_dimension"
    for preset in config.presets:
        try:
            config.rules.params({"p": preset.name})
        except InvalidParam as error:
            yield ("presets", "widths", "max_dimension"), f"presets: {preset.name}: {error.detail}"
