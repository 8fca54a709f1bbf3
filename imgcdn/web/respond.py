"""The one exit of every response: the headers that all responses have, and the line in the access log."""

import logging
import time
from email.utils import formatdate
from functools import lru_cache

from imgcdn.errors import ImageError, ImgcdnError, InternalError
from imgcdn.web.proxies import Proxies
from imgcdn.web.request import Request
from imgcdn.web.responses import Header, Response, refuse
from imgcdn.web.settings import AccessLog

_log = logging.getLogger("imgcdn.access")

#: The status in the log when the client left before its response, as nginx writes it. It is never sent.
_CLIENT_LEFT = 499

_MAX_LOGGED = 500
_SERVER_ERRORS = 500


class Exit:
    """
    Finishes every response.

    Args:
        access_log: Which requests are logged.
        proxies: Which proxies are believed about the client.
    """

    def __init__(self, access_log: AccessLog, proxies: Proxies) -> None:
        self._access_log = access_log
        self._proxies = proxies

    def leave(self, response: Response, request: Request, began: float, *, at_once: bool) -> Response:
        """
        Return a response as it leaves.

        Args:
            began: `time.perf_counter()` when the request was complete.
            at_once: Whether nothing had to be made for it. Such responses are logged only on demand.
        """
        if self._access_log is AccessLog.ALL or (self._access_log is AccessLog.MISSES and not at_once):
            self._write(logging.INFO, response, request, began)
        return _finish(response, request)

    def refuse(self, error: ImgcdnError, request: Request, began: float) -> Response:
        """Return the response for an error, as it leaves."""
        response = refuse(error, request)
        if self._access_log is not AccessLog.OFF:
            self._write(_level_of(error), response, request, began, error.log)
        return _finish(response, request)

    def fail(self, request: Request, began: float) -> Response:
        """Return the response for an exception that nobody expected. Call this from its `except`."""
        _log.exception("a request failed", extra={"request_id": request.id})
        return self.refuse(InternalError("The request failed. The log has the reason."), request, began)

    def note_departure(self, request: Request, began: float) -> None:
        """Log a request whose client left before its response."""
        if self._access_log is not AccessLog.OFF:
            self._write(logging.INFO, Response(_CLIENT_LEFT, [], b""), request, began, "the client left")

    def _write(self, level: int, response: Response, request: Request, began: float, note: str = "") -> None:
        headers = dict(response.headers)
        method, target = request.method[:_MAX_LOGGED], request.target[:_MAX_LOGGED]
        _log.log(
            level,
            "%s %s",
            method,
            target,
            extra={
                "status": response.status,
                "cache": headers.get(b"cache-status", b"-").decode().removeprefix("imgcdn; "),
                "format": headers.get(b"content-type", b"-").decode(),
                "bytes": len(response.body),
                "total_ms": round((time.perf_counter() - began) * 1000, 1),
                "client": self._proxies.client(request.peer, request.headers),
                "request_id": request.id,
                "note": note,
                "method": method,
                "target": target,
                "host": (request.header(b"host") or "-")[:_MAX_LOGGED],
                "user_agent": (request.header(b"user-agent") or "-")[:_MAX_LOGGED],
            },
        )


def _level_of(error: ImgcdnError) -> int:
    """Return the level for an operator: our own failures are errors, originals that cannot be shown are warnings."""
    if error.status >= _SERVER_ERRORS:
        return logging.ERROR
    return logging.WARNING if isinstance(error, ImageError) else logging.INFO


def _finish(response: Response, request: Request) -> Response:
    # Date is the time of this response: Last-Modified may not be later (RFC 9110, section 8.8.2.1).
    common = _common_headers(int(time.time()))
    return response._replace(headers=[*response.headers, *common, (b"x-request-id", request.id.encode())])


@lru_cache(maxsize=2)
def _common_headers(unix_time: int) -> tuple[Header, ...]:
    return (b"date", formatdate(unix_time, usegmt=True).encode()), (b"server", b"imgcdn")
