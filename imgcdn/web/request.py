"""An HTTP request, independent of any framework, and how to read it from WSGI and ASGI."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import quote
from wsgiref.types import WSGIEnvironment

_READ_HEADERS = ("ACCEPT", "IF_NONE_MATCH", "IF_MODIFIED_SINCE", "CDN_LOOP", "SAVE_DATA")


class Request(NamedTuple):
    """
    One HTTP request, independent of any framework.

    Args:
        method: The method, as it was sent.
        target: The raw path and query, as they came over the wire: percent-encoded.
        headers: Values by lower-case names; those of a repeated header are joined with a comma.
    """

    method: str
    target: str
    headers: Mapping[bytes, bytes]

    @property
    def path(self) -> str:
        """The raw path."""
        return self.target.partition("?")[0]

    def header(self, name: bytes) -> str | None:
        """Return the value of a header; None when it was not sent."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


def from_environ(environ: WSGIEnvironment) -> Request:
    """
    Read a request from its WSGI environ.

    PATH_INFO is already decoded and has lost %2F. Most servers also pass the raw target.
    """
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if not target.startswith("/"):
        path = quote(
            (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"), safe="/:@!$&'()*+,;=~"
        )
        target = f"{path}?{environ.get('QUERY_STRING', '')}".rstrip("?")
    named = ((name.lower().replace("_", "-").encode(), environ.get(f"HTTP_{name}")) for name in _READ_HEADERS)
    headers = {name: value.encode("latin-1") for name, value in named if value is not None}
    return Request(environ["REQUEST_METHOD"], target, headers)


def from_scope(scope: MutableMapping[str, Any]) -> Request:
    """Read a request from its ASGI scope. The path stays percent-encoded."""
    target = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    if scope["query_string"]:
        target = f"{target}?{scope['query_string'].decode('latin-1')}"
    return Request(scope["method"], target, _join_repeated(scope["headers"]))


def _join_repeated(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers as a dict, with the values of a repeated header joined (RFC 9110, section 5.3)."""
    pairs = list(pairs)
    headers = dict(pairs)
    if len(headers) < len(pairs):
        headers = {name: b", ".join(value for other, value in pairs if other == name) for name in headers}
    return headers
