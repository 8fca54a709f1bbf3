"""
The whole service as a WSGI application, for any WSGI server, and for mounting into a Django or Flask site.

What can be answered at once is answered in the server's thread. For the rest, the service's event loop runs in a thread
of its own, which starts with the first request: that comes after the server has forked.
"""

import asyncio
import re
import threading
from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

from imgcdn.config import Config, load
from imgcdn.errors import ContentTooLarge
from imgcdn.service.assembly import assemble
from imgcdn.web.front import Front
from imgcdn.web.http1 import MAX_BODY_BYTES
from imgcdn.web.request import Request, check_length_is_known, from_environ
from imgcdn.web.responses import Response, slices


def create_app(config: Config | None = None) -> "WsgiApplication":
    """
    Build the whole service as a WSGI application.

    Args:
        config: The settings; None to load them from the environment and imgcdn.toml.

    Raises:
        ConfigError: A setting is not valid, or two of them conflict.
    """
    config = config or load()
    web = config.web.without_bind()
    return WsgiApplication(Front(web, config.request, assemble(config), max_waiting=config.service.max_waiting))


class WsgiApplication:
    """
    The service behind WSGI's interface (PEP 3333).

    Args:
        front: Answers the requests.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._loop is None:
            self._started_loop()
        response = self._respond(environ)
        headers = [(name.decode().title(), value.decode("latin-1")) for name, value in response.headers]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return slices(response.body)

    def _respond(self, environ: WSGIEnvironment) -> Response:
        front = self._front
        request = front.identify(from_environ(environ), environ.get("REMOTE_ADDR", ""))
        try:
            check_length_is_known(request)
            if front.takes_body(request):
                request = request._replace(body=_read_body(environ))
        except ContentTooLarge as error:
            return front.refuse(error, request)
        return front.answer(request) or self._wait(request)

    def _wait(self, request: Request) -> Response:
        return asyncio.run_coroutine_threadsafe(self._front.wait(request), self._started_loop()).result()

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        """Return the service's event loop. The first request starts it, with all that runs in the background."""
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="service", daemon=True).start()
                asyncio.run_coroutine_threadsafe(self._front.start(), loop).result()
                self._loop = loop
            return self._loop


def _read_body(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > MAX_BODY_BYTES:
        raise ContentTooLarge(f"A body may have up to {MAX_BODY_BYTES} bytes.")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body
