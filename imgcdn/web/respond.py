"""The one exit of every response: the headers that all responses have, the line in the access log, and the counts."""

import logging
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache

from imgcdn.core.redaction import redact, redact_host
from imgcdn.errors import ImageError, ImgcdnError, InternalError
from imgcdn.web.counts import Counts
from imgcdn.web.limits import MAX_TARGET_LENGTH
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
        source_host: Returns the host of a request's source; empty for a file, and for a request that was not parsed.
        left_s: Returns the seconds after which a request's URL expires; None if it does not.
    """

    def __init__(
        self,
        access_log: AccessLog,
        proxies: Proxies,
        source_host: Callable[[Request], str],
        left_s: Callable[[Request], int | None],
    ) -> None:
        self.counts = Counts()
        self._access_log = access_log
        self._proxies = proxies
        self._source_host = source_host
        self._left_s = left_s

    def finish(self, response: Response, request: Request, *, at_once: bool) -> Response:
        """
        Return a response as it is sent.

        Args:
            at_once: Whether nothing had to be made for it. Such responses are logged only on demand.
        """
        self.counts.add(response.status, response.cache)
        response = _complete(response, request)
        if self._access_log is AccessLog.ALL or (self._access_log is AccessLog.MISSES and not at_once):
            self._write(logging.INFO, response, request)
        return response

    def refuse(self, error: ImgcdnError, request: Request) -> Response:
        """Return the response for an error, as it is sent."""
        response = _complete(refuse(error, request, left_s=self._left_s(request)), request)
        self.counts.add_error(response.status)
        if self._access_log is not AccessLog.OFF:
            self._write(_level_of(error), response, request, error.log)
        return response

    def fail(self, request: Request) -> Response:
        """Return the response for an unexpected exception. Call this from its `except`."""
        _log.exception("a request failed", extra={"request_id": request.id})
        return self.refuse(InternalError("The request failed. The log has the reason."), request)

    def note_departure(self, request: Request) -> None:
        """Count and log a request whose client left before its response."""
        self.counts.left += 1
        if self._access_log is not AccessLog.OFF:
            self._write(logging.INFO, Response(_CLIENT_LEFT, [], b""), request, "the client left")

    def _write(self, level: int, response: Response, request: Request, note: str = "") -> None:
        headers = dict(response.headers)
        method, target = request.method[:_MAX_LOGGED], _for_log(request.target)
        _log.log(
            level,
            "%s %s",
            method,
            target,
            extra={
                "status": response.status,
                "cache": headers.get(b"cache-status", b"-").decode().removeprefix("imgcdn; "),
                "format": headers.get(b"content-type", b"-").decode(),
                "source_host": self._source_host(request),
                "bytes": len(response.body),
                "total_ms": round((time.perf_counter() - request.received_at) * 1000, 1),
                "client": self._proxies.client(request.peer, request.headers),
                "request_id": request.id,
                "note": redact(note),
                "method": method,
                "target": target,
                "host": redact_host(request.header(b"host") or "-")[:_MAX_LOGGED],
                "user_agent": _for_log(request.header(b"user-agent") or "-"),
            },
        )


def _for_log(text: str) -> str:
    """
    Return a text of a client's choice without secrets, cut.

    They are removed here and in `web.logs`: a mounted service is logged by the handlers of its site.
    """
    return redact(text[:MAX_TARGET_LENGTH])[:_MAX_LOGGED]


def _level_of(error: ImgcdnError) -> int:
    """Return the level for an operator: our own failures are errors, originals that cannot be shown are warnings."""
    if error.status >= _SERVER_ERRORS:
        return logging.ERROR
    return logging.WARNING if isinstance(error, ImageError) else logging.INFO


def _complete(response: Response, request: Request) -> Response:
    # Date is the time of this response: Last-Modified may not be later (RFC 9110, section 8.8.2.1).
    common = _common_headers(int(time.time()))
    headers = [*response.headers, *common, (b"x-request-id", request.id.encode())]
    # The response to HEAD is that to GET without its body (RFC 9110, section 9.3.2).
    body = b"" if request.method == "HEAD" else response.body
    return Response(response.status, headers, body, response.cache)  # `_replace` takes 0.4 microseconds longer


@lru_cache(maxsize=2)
def _common_headers(unix_time: int) -> tuple[Header, ...]:
    return (b"date", formatdate(unix_time, usegmt=True).encode()), (b"server", b"imgcdn")
