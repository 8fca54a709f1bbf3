"""An HTTP request, independent of any server or framework, and how to read it from WSGI and ASGI."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import quote
from wsgiref.types import WSGIEnvironment

from imgcdn.errors import ContentTooLarge
from imgcdn.web.proxies import Peer
from imgcdn.web.settings import UNIX

#: The peer of a request before its server has set one.
UNKNOWN_PEER = Peer(UNIX, trusted=False)

#: Characters that a path may have as they are (RFC 3986, section 3.3).
_PATH_CHARACTERS = "/:@!$&'()*+,;=~"


class Request(NamedTuple):
    """
    One HTTP request, independent of any server or framework.

    Args:
        method: The method, as it was sent.
        target: The raw path and query, as they came over the wire: percent-encoded.
        headers: Values by lower-case names; those of a repeated header are joined with a comma.
        body: What was sent with POST; at most 64 KB.
        peer: The other end of the connection.
        id: Names the request in the log and in `X-Request-Id`.
        received_at: `time.perf_counter()` when the request was complete.
        mounted_at: The path that links to the service begin with, such as `/images`; empty at the root of a host.
    """

    method: str
    target: str
    headers: Mapping[bytes, bytes]
    body: bytes = b""
    peer: Peer = UNKNOWN_PEER
    id: str = ""
    received_at: float = 0.0
    mounted_at: str = ""

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

    PATH_INFO is already decoded and has lost %2F. Most servers also pass the raw target, which begins with the path
    that the application is mounted at.
    """
    mounted_at = quote(environ.get("SCRIPT_NAME", "").encode("latin-1"), safe=_PATH_CHARACTERS)
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if target.startswith("/") and _is_below(target, mounted_at):
        target = without_prefix(target, mounted_at)
    else:
        path = quote(environ.get("PATH_INFO", "").encode("latin-1"), safe=_PATH_CHARACTERS)
        query = environ.get("QUERY_STRING", "")
        target = f"{path or '/'}?{query}" if query else path or "/"
    headers = {
        name[len("HTTP_") :].lower().replace("_", "-").encode(): value.encode("latin-1")
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return Request(environ["REQUEST_METHOD"], target, headers, mounted_at=mounted_at)


def from_scope(scope: MutableMapping[str, Any]) -> Request:
    """Read a request from its ASGI scope. The target stays percent-encoded and begins after the path of the mount."""
    target = (scope.get("raw_path") or quote(scope["path"], safe=_PATH_CHARACTERS).encode()).decode("latin-1")
    mounted_at = quote(scope.get("root_path", ""), safe=_PATH_CHARACTERS)
    target = without_prefix(target, mounted_at)
    if scope["query_string"]:
        target = f"{target}?{scope['query_string'].decode('latin-1')}"
    return Request(scope["method"], target, _join_repeated(scope["headers"]), mounted_at=mounted_at)


def length_is_unknown() -> ContentTooLarge:
    """Return the error for a body that is sent in chunks: how long it will be is not known beforehand."""
    return ContentTooLarge("Send no body, or one with a Content-Length.")


def check_length_is_known(request: Request) -> None:
    """
    Check that a request's body, if it has one, has a length. Not every server hands on a body that has none.

    Raises:
        ContentTooLarge: It is sent in chunks.
    """
    if b"transfer-encoding" in request.headers:
        raise length_is_unknown()


def without_prefix(target: str, prefix: str) -> str:
    """
    Return a raw target without the path that the service is mounted at; one that does not lie beneath it is unchanged.

    >>> without_prefix("/images/img/a.jpg?w=9", "/images")
    '/img/a.jpg?w=9'
    >>> without_prefix("/imagesize", "/images")
    '/imagesize'
    """
    if not _is_below(target, prefix):
        return target
    rest = target[len(prefix) :]
    return rest if rest.startswith("/") else f"/{rest}"


def _is_below(target: str, prefix: str) -> bool:
    """Tell whether a target lies at or beneath a path; every target lies beneath the empty one."""
    return not prefix or (target.startswith(prefix) and target[len(prefix) : len(prefix) + 1] in ("", "/", "?"))


def _join_repeated(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers as a dict, with the values of a repeated header joined (RFC 9110, section 5.3)."""
    headers: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        headers.setdefault(name, []).append(value)
    return {name: b", ".join(values) for name, values in headers.items()}
