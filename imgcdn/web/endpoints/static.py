"""The files of the pages, read once: style sheet, script and icon. No path is looked up on disk."""

import hashlib
from importlib.resources import files

from imgcdn.errors import SourceNotFound
from imgcdn.web.conditions import names_tag
from imgcdn.web.endpoints.base import Context
from imgcdn.web.request import Request
from imgcdn.web.responses import STATIC_PATH, Header, Response

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_FILES = {file.name: file.read_bytes() for file in files("imgcdn.web.pages").joinpath("static").iterdir()}
_TAGS = {name: f'"{hashlib.sha256(data).hexdigest()[:32]}"' for name, data in _FILES.items()}

#: A browser asks for the icon by itself, so it may keep it. The other files must fit the pages of this release.
_ICON, _ICON_CACHE_CONTROL = "icon.svg", "public, max-age=86400"
_CACHE_CONTROL = "no-cache"


def static(context: Context, request: Request) -> Response:
    """
    Answer with a file of the pages.

    Raises:
        SourceNotFound: There is no such file.
    """
    name = request.path.removeprefix(STATIC_PATH)
    if name not in _FILES:
        raise SourceNotFound("There is no such file.")
    return _answer(name, _CACHE_CONTROL, request)


def icon(context: Context, request: Request) -> Response:
    """Answer with the icon, which a browser asks for when somebody opens an image in a tab of its own."""
    return _answer(_ICON, _ICON_CACHE_CONTROL, request)


def _answer(name: str, cache_control: str, request: Request) -> Response:
    shared: list[Header] = [(b"etag", _TAGS[name].encode()), (b"cache-control", cache_control.encode())]
    if names_tag(request.header(b"if-none-match"), _TAGS[name]):
        return Response(304, shared, b"")
    data = _FILES[name]
    described: list[Header] = [
        (b"content-type", _TYPES[name.rpartition(".")[2]].encode()),
        (b"content-length", str(len(data)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox"),
    ]
    return Response(200, [*described, *shared], data)
