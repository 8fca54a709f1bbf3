"""
The settings of all rooms: gathered from flags, variables, a file and defaults, then checked and explained.

Each room declares its settings in `<room>/settings.py`. All names share one flat list: a setting is one key of
imgcdn.toml, one `IMGCDN_*` variable and, for some settings, one flag of the command line.
"""

import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Protocol, get_type_hints

from imgcdn.core.output.settings import OutputSettings
from imgcdn.core.request.allowlist import Pattern
from imgcdn.core.request.routes import Mount
from imgcdn.core.request.rules import Preset
from imgcdn.core.request.settings import RequestSettings
from imgcdn.core.request.signing import SigningKey
from imgcdn.core.setting import Mistake, Problem, Secret, word_of
from imgcdn.core.setting_tables import key_part
from imgcdn.errors import ConfigError
from imgcdn.origins.settings import OriginSettings
from imgcdn.referred import with_text, with_texts
from imgcdn.renderers.settings import Allowance, RendererSettings
from imgcdn.service.settings import ServiceSettings
from imgcdn.store.settings import StoreSettings
from imgcdn.web.settings import WebSettings

DEFAULT_FILE = "imgcdn.toml"

_PREFIX = "IMGCDN_"

#: Settings that the command line takes as an argument without a flag -> the name that `--help` gives it.
_ARGUMENTS = {"root": "FOLDER"}

#: Settings of earlier versions -> what has replaced them. The nearest name would mislead.
_RETIRED = {
    "render_queue": (
        "was removed, so leave it out; a request is refused if its picture would not be ready within request_timeout_s"
    ),
}

#: Settings that may refer to a secret -> what follows the references in a value.
_REFERRING: Mapping[str, Callable[[object], object]] = {"signing_keys": with_texts, "admin_token": with_text}

# Kubernetes sets these variables in every pod beside a Service named imgcdn. Its IMGCDN_PORT, for example, is a URL.
_SERVICE_LINK = re.compile(r"service_(host|port(_\w+)?)=.*|port=[a-z]+://.*|port_[0-9]+_(tcp|udp|sctp)(_\w+)?=.*")


class _Settings(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one service. `load` checks values; build one directly only with values known to be good."""

    web: WebSettings = field(default_factory=WebSettings)
    origins: OriginSettings = field(default_factory=OriginSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    request: RequestSettings = field(default_factory=RequestSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    renderers: RendererSettings = field(default_factory=RendererSettings)
    service: ServiceSettings = field(default_factory=ServiceSettings)


#: The rooms' settings by their names in `Config`, in the order of README's tables.
ROOMS: dict[str, type[_Settings]] = get_type_hints(Config)

#: Setting -> (name of its room in `Config`, its declaration).
DECLARED = {each.name: (room, each) for room, kind in ROOMS.items() for each in fields(kind)}


@dataclass(frozen=True, slots=True)
class Explained:
    """
    The value of one setting, and where it was given.

    Args:
        name: Name of the setting.
        value: The value that the service uses.
        given_by: Where it was written: a flag, a variable, or a file and its key; empty for the default.
    """

    name: str
    value: object
    given_by: str


def as_toml(value: object) -> str:
    """
    Write the value of a setting as imgcdn.toml has it. A secret is not written.

    >>> as_toml(("avif", "webp")), as_toml(True), as_toml(2.5)
    ('["avif", "webp"]', 'true', '2.5')
    """
    if isinstance(value, Enum):
        return json.dumps(word_of(value))
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Secret):
        return json.dumps("..." if value else "")
    if isinstance(value, SigningKey):
        return json.dumps(f"{value.kid}:...")
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key_part(name)[1:]} = {as_toml(each)}' for name, each in value.items())} }}"
    if isinstance(value, Pattern):
        return as_toml(value.written)
    if isinstance(value, tuple) and all(isinstance(item, Preset | Mount | Allowance) for item in value) and value:
        return as_toml(dict(map(_entry, value)))
    if isinstance(value, tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    return json.dumps(str(value), ensure_ascii=False)


def _entry(item: Preset | Mount | Allowance) -> tuple[str, object]:
    if isinstance(item, Allowance):
        return item.name, item.amount
    if isinstance(item, Preset):
        return item.name, "&".join(f"{key}={value}" for key, value in item.arguments)
    return f"/{item.prefix}", item.written


@dataclass(slots=True)
class _Gathered:
    """The values and the mistakes of all layers. A value in a later layer replaces that of an earlier one."""

    values: dict[str, object] = field(default_factory=dict)
    given_by: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def load(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Config:
    """
    Gather the settings. Flags override `IMGCDN_*` variables, variables override the file, and the file the defaults.

    Args:
        flags: Values from the command line; None counts as not given.
        environ: Environment variables; None for those of the process.
        file: A TOML file, which must exist; None for imgcdn.toml in the current folder, if it exists.

    Raises:
        ConfigError: There are mistakes. The error lists every one, from all layers.
    """
    return explain(flags, environ, file)[0]


def load_rooms(*rooms: str, environ: Mapping[str, str] | None = None, file: Path | None = None) -> Config:
    """
    Gather the settings for a command that serves nothing.

    Each value is checked, but not whether the values work together. The settings of other rooms are not read, and have
    their defaults: what they name, such as a file with the header of an origin, may be on the service's machine alone.

    Args:
        rooms: The rooms whose settings the command needs.
        environ, file: As for `load`.

    Raises:
        ConfigError: As for `load`.
    """
    gathered = _gather({}, os.environ if environ is None else environ, file, rooms)
    if gathered.problems:
        raise ConfigError(tuple(gathered.problems))
    return _compose(gathered.values)


def explain(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> tuple[Config, list[Explained]]:
    """
    Gather the settings, and say where each of them was given.

    Args:
        flags, environ, file: As for `load`.

    Raises:
        ConfigError: As for `load`.
    """
    gathered = _gather(flags or {}, os.environ if environ is None else environ, file)
    config = _compose(gathered.values)
    gathered.problems += [text for names, text in _problems(config) if gathered.refused.isdisjoint(names)]
    if gathered.problems:
        raise ConfigError(tuple(gathered.problems))
    explained = [
        Explained(name, getattr(getattr(config, room), name), gathered.given_by.get(name, ""))
        for name, (room, _) in DECLARED.items()
    ]
    return config, explained


def _gather(
    flags: Mapping[str, object], environ: Mapping[str, str], file: Path | None, rooms: Collection[str] = tuple(ROOMS)
) -> _Gathered:
    gathered = _Gathered()
    given = {name: value for name, value in flags.items() if value is not None}
    from_file = _from_file(file, gathered.problems)
    is_unreadable = bool(gathered.problems)
    layers: list[list[tuple[str, str, object]]] = [
        from_file,
        [(name, _variable(name), value) for name, value in _from_environ(environ)],
        [(name, _ARGUMENTS.get(name) or f"--{name.replace('_', '-')}", value) for name, value in given.items()],
    ]
    for name, written, raw in (item for layer in layers for item in layer):
        if name in DECLARED and DECLARED[name][0] not in rooms:
            continue
        try:
            gathered.values[name] = _read(name, raw, as_variable=written.startswith(_PREFIX))
            gathered.given_by[name] = written
        except Mistake as mistake:
            gathered.refused.add(name)
            gathered.problems += [_sentence(written, each) + _about_place(name, each) for each in mistake.all]
    if is_unreadable:  # it may contain any setting that is given nowhere else, so the default must not be judged
        gathered.refused.update(DECLARED.keys() - gathered.given_by.keys())
    return gathered


def _variable(name: str) -> str:
    return f"{_PREFIX}{name.upper()}"


def _sentence(written: str, mistake: Mistake) -> str:
    """Name the setting as it was written and the part that is wrong, then say what is wrong."""
    return f"{written}{mistake.part}{':' if mistake.complete else ''} {mistake.text}"


def _about_place(setting: str, mistake: Mistake) -> str:
    """Return what to do about a setting that was written below a [table], and so became a part of it."""
    name = mistake.part.rpartition(".")[2]
    is_misplaced = setting in ("allow", "mounts") and name in DECLARED
    return f"; if the setting {name} is meant, write it above the first [table]" if is_misplaced else ""


def _compose(values: Mapping[str, object]) -> Config:
    rooms = {
        room: kind(**{each.name: values[each.name] for each in fields(kind) if each.name in values})
        for room, kind in ROOMS.items()
    }
    return Config(**rooms)  # type: ignore[arg-type]  # each value went through its field's parser


def _from_file(file: Path | None, problems: list[str]) -> list[tuple[str, str, object]]:
    path = file or Path(DEFAULT_FILE)
    if file is None and not os.path.isfile(path):  # Path.is_file raises in a folder that may not be entered
        return []
    try:
        keys = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin a file with a byte order mark
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
        return []
    except UnicodeDecodeError as error:
        problems.append(f"{path}: cannot be read: {error}; save it as UTF-8")
        return []
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{path}: cannot be read: {error}; write each setting as NAME = VALUE, with text in quotes")
        return []
    except ValueError:  # int()'s, which tomllib does not translate
        problems.append(f"{path}: cannot be read: a number has more than {sys.get_int_max_str_digits()} digits")
        return []
    except RecursionError:
        problems.append(f"{path}: cannot be read: its lists or tables are nested too deeply")
        return []
    return [(name, f"{path}: {name}", value) for name, value in keys.items()]


def _from_environ(environ: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield the variables that give settings. IMGCDN_TEST_* is for the tests, IMGCDN_CONFIG for the command line."""
    for variable, value in environ.items():
        name = variable.removeprefix(_PREFIX).lower()
        is_other = name == "config" or name.startswith("test_") or _SERVICE_LINK.fullmatch(f"{name}={value}")
        if variable.startswith(_PREFIX) and not is_other:
            yield name, value


def _read(name: str, raw: object, *, as_variable: bool) -> object:
    if name not in DECLARED:
        raise _unknown(name, raw, as_variable=as_variable)
    follow = _REFERRING.get(name)
    return DECLARED[name][1].metadata["parse"](raw if follow is None else follow(raw))


def _unknown(name: str, raw: object, *, as_variable: bool) -> Mistake:
    if name in _RETIRED:
        return Mistake(_RETIRED[name])
    close = get_close_matches(name, DECLARED, n=1)
    if close:
        return Mistake(f"is not a setting; did you mean {_variable(close[0]) if as_variable else close[0]}?")
    if isinstance(raw, dict):
        return Mistake("is not a setting; settings have no sections, so write them above the first [table]")
    return Mistake("is not a setting")


def _problems(config: Config) -> Iterable[Problem]:
    """Yield the mistakes in combinations of settings: the settings concerned, and what is wrong."""
    yield from config.origins.problems()
    root, cache_dir = config.origins.root, config.store.cache_dir
    # os.path.realpath, because Path.resolve raises for a link that leads to itself.
    if Path(os.path.realpath(root)).is_relative_to(os.path.realpath(cache_dir)):
        yield ("root", "cache_dir"), f"cache_dir: {cache_dir} holds the originals; name another folder"
    render_s, request_s = config.renderers.render_timeout_s, config.service.request_timeout_s
    if render_s > request_s:
        text = f"render_timeout_s must not be above request_timeout_s, which is {request_s:g}; it is {render_s:g}"
        yield ("render_timeout_s", "request_timeout_s"), text
    yield from config.request.problems()
