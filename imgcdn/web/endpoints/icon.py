"""The icon that a browser asks for by itself when somebody opens an image in a tab of its own."""

from importlib.resources import files

from imgcdn.web.endpoints.base import Context
from imgcdn.web.request import Request
from imgcdn.web.responses import Response

_ICON = files("imgcdn.web.pages").joinpath("static/icon.svg").read_bytes()

_HEADERS = [
    (b"content-type", b"image/svg+xml"),
    (b"content-length", str(len(_ICON)).encode()),
    (b"cache-control", b"public, max-age=86400"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox"),
]


def icon(context: Context, request: Request) -> Response:
    """Answer with the icon of the welcome page."""
    return Response(200, list(_HEADERS), _ICON)
