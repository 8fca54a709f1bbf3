"""Check every import statement of the package against the table of allowed imports."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import PACKAGE

_BASE = {"core", "errors"}
_WORKERS = {"engine", "origins", "renderers", "store"}
_WITH_SETTINGS = ("origins", "renderers", "service", "store", "web")
_BELOW_SERVICE = _BASE | _WORKERS | {"dialects", "markup"}

#: Room -> what it may import beside itself: whole rooms, or one module of a room ("store/files"). A row for a single
#: module ("renderers/child") replaces the row of its room. "imgcdn" is the package's __init__.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "core": {"errors"},
    "core/setting": set(),
    "core/memo": set(),
    "referred": {"core/setting", "core/setting_tables"},
    "config": _BASE | {"referred"} | {f"{room}/settings" for room in _WITH_SETTINGS},
    "dialects": _BASE,
    "markup": _BASE,
    "engine": _BASE,
    "store": _BASE,
    "renderers": _BASE,
    "renderers/client": _BASE | {"store/opening"},
    "renderers/child": _BASE | {"engine", "store/files", "store/opening"},
    "renderers/inherited": _BASE | {"engine"},
    "origins": _BASE | {"store", "renderers"},
    "service": _BELOW_SERVICE,
    "service/assembly": _BELOW_SERVICE | {"config"},
    "web": _BELOW_SERVICE | {"service"},
    "web/wsgi": _BELOW_SERVICE | {"service", "config"},
    "web/asgi": _BELOW_SERVICE | {"service", "config"},
    "web/server": _BELOW_SERVICE | {"service", "config"},
    "cli": _BELOW_SERVICE | {"service", "web", "config"},
    "__main__": {"cli"},
    "imgcdn": {"markup"},
    # config imports them, so what they import is loaded by every command.
    **{f"{room}/settings": _BASE for room in _WITH_SETTINGS},
    "origins/entries": _BASE | {"referred"},
}

#: Library -> the rooms that may import it. No room may import a library that is not listed.
LIBRARIES: dict[str, set[str]] = {
    "PIL": {"engine"},
    "pillow_avif": {"engine"},
    "cykooz_resizer": {"engine"},
    "requests": {"origins"},
    "urllib3": {"origins"},
    "flask": {"web"},
    "werkzeug": {"web"},
    "gunicorn": {"web"},
    "httptools": {"web"},
}

#: Rooms without clock, disk, network, processes or logs, and all of the standard library that they may use.
PURE_ROOMS = {"errors", "core", "dialects"}
PURE_MODULES = frozenset(
    [
        "__future__",
        "abc",
        "base64",
        "binascii",
        "bisect",
        "calendar",
        "collections",
        "collections.abc",
        "contextlib",
        "dataclasses",
        "decimal",
        "difflib",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "struct",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
        "zlib",
    ]
)


#: Module of a pure room -> further modules that it may use.
PURE_EXCEPTIONS = {
    "core/setting": {"pathlib"},  # some settings are folders, and it returns them as paths
    "core/memo": {"sys", "threading"},  # it measures values, and threads share it
}


def _room_of(path: Path) -> str:
    """Return the row for a path relative to the package; `imgcdn` for its `__init__.py`."""
    if path.parts == ("__init__.py",):
        return "imgcdn"
    module = path.with_suffix("").as_posix()
    return module if module in ROOMS else path.parts[0].removesuffix(".py")


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted module) of each import; `from imgcdn import core` counts as `imgcdn.core`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            splits = module in ("imgcdn", "urllib")
            yield from ((node.lineno, f"{module}.{alias.name}" if splits else module) for alias in node.names)


def _objection(room: str, module: str) -> str | None:
    """Say why this room may not import this module; None if it may."""
    top, _, rest = module.partition(".")
    if not top:
        return "relative imports hide which room they reach"
    if top == "imgcdn":
        other = rest.partition(".")[0]
        if other == "__version__":
            return f"{room} is pure" if room in PURE_ROOMS else None
        wanted = rest.replace(".", "/") + "/"
        allowed = any(wanted.startswith(f"{each}/") for each in ROOMS[room] | {room.partition("/")[0]})
        return None if allowed else f"{room} may not import {other or 'the whole package'}"
    if top in sys.stdlib_module_names:
        usable = PURE_MODULES | PURE_EXCEPTIONS.get(room, set())
        return f"{room} is pure" if room.partition("/")[0] in PURE_ROOMS and module not in usable else None
    return None if room.partition("/")[0] in LIBRARIES.get(top, set()) else f"{room} may not import the library {top}"


def violations(path: Path, text: str) -> list[str]:
    """Return one line for each import that the table forbids; `path` is relative to the package."""
    room = _room_of(path)
    if room not in ROOMS:
        return [f"{path}: {room} is not a room of the house"]
    objections = {(line, module, _objection(room, module)) for line, module in _imports(ast.parse(text))}
    return [f"{path}:{line}: import {module}: {why}" for line, module, why in sorted(objections, key=str) if why]


def test_the_table_allows_every_import() -> None:
    modules = sorted(PACKAGE.rglob("*.py"))
    assert modules
    violation_lines = [
        line for path in modules for line in violations(path.relative_to(PACKAGE), path.read_text("utf-8"))
    ]
    assert not violation_lines, "\n".join(violation_lines)


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        pytest.param("core/output/plan.py", "import os", "core is pure", id="core and the disk"),
        pytest.param("core/output/plan.py", "from time import time", "core is pure", id="core and the clock"),
        pytest.param("core/output/plan.py", "def f():\n    import logging", "core is pure", id="within a function"),
        pytest.param("core/output/plan.py", "from urllib import request", "core is pure", id="core and the network"),
        pytest.param("core/output/plan.py", "from imgcdn import config", "may not import config", id="upward"),
        pytest.param(
            "core/output/plan.py", "import imgcdn.config", "may not import config", id="upward, in another spelling"
        ),
        pytest.param(
            "renderers/child.py", "from imgcdn.store.disk import DiskStore", "import store", id="child and store"
        ),
        pytest.param("renderers/broker.py", "from imgcdn.engine.probe import probe", "import engine", id="the broker"),
        pytest.param("errors.py", "from imgcdn.core import plan", "may not import core", id="errors import nothing"),
        pytest.param("engine/decode.py", "from imgcdn.store.disk import Disk", "may not import store", id="sideways"),
        pytest.param("store/disk.py", "from imgcdn.config import Config", "may not import config", id="a worker"),
        pytest.param(
            "origins/settings.py", "from imgcdn.store.disk import DiskStore", "may not import store", id="settings"
        ),
        pytest.param("service/images.py", "import imgcdn.web.wsgi", "may not import web", id="service and web"),
        pytest.param("web/wsgi.py", "from imgcdn import cli", "may not import cli", id="web and cli"),
        pytest.param("service/images.py", "from PIL import Image", "the library PIL", id="pillow beside the engine"),
        pytest.param("cli/serve.py", "import flask", "the library flask", id="flask beside the web"),
        pytest.param("engine/decode.py", "import scipy.ndimage", "the library scipy", id="an unlisted library"),
        pytest.param("engine/decode.py", "from . import encode", "relative imports", id="relative"),
        pytest.param("web/wsgi.py", "import imgcdn", "the whole package", id="the package itself"),
        pytest.param("shed/spade.py", "", "not a room of the house", id="an unlisted folder"),
    ],
)
def test_a_violation_is_caught(path: str, text: str, why: str) -> None:
    [violation_lines] = violations(Path(path), text)
    assert why in violation_lines


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("core/output/plan.py", "import re\nfrom urllib.parse import unquote", id="core and pure modules"),
        pytest.param(
            "core/output/plan.py", "from imgcdn.core import params\nimport imgcdn.errors", id="core and errors"
        ),
        pytest.param("engine/decode.py", "from PIL import Image\nimport pillow_avif, os", id="engine and pillow"),
        pytest.param("origins/http.py", "from imgcdn import __version__", id="the version"),
        pytest.param("renderers/child.py", "from imgcdn.engine.probe import probe", id="the child and the engine"),
        pytest.param("renderers/child.py", "from imgcdn.store.files import write_file", id="the child and one module"),
        pytest.param("service/images.py", "from imgcdn import engine, store", id="service and the workers"),
        pytest.param("cli/serve.py", "from imgcdn.web import asgi", id="cli and web"),
        pytest.param("__main__.py", "from imgcdn.cli import main", id="the entry point"),
        pytest.param("__init__.py", "from imgcdn.markup import ImageCDN", id="the public surface"),
    ],
)
def test_an_allowed_import_passes(path: str, text: str) -> None:
    assert violations(Path(path), text) == []
