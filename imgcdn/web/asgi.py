"""
The ASGI application. It answers hits at once, waits for renders without a thread, and leaves the rest to Flask.

A request that needs a render is counted before any work is done for it. It gets 503 when too many are already waiting.
It waits as a task of the event loop, so a thousand waiting requests hold no thread and delay no hit.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from a2wsgi import WSGIMiddleware

from imgcdn.config import Config
from imgcdn.errors import ImgcdnError, InternalError, Overloaded
from imgcdn.service.assembly import Parts
from imgcdn.web.hits import Hits
from imgcdn.web.logs import access
from imgcdn.web.loop import ServiceLoop
from imgcdn.web.pages import create_pages
from imgcdn.web.request import Request, from_scope
from imgcdn.web.responses import Response, refuse

_log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: Threads for the Flask application, which serves pages. Pictures need none.
_PAGE_THREADS = 4


class Edge:
    """
    The service as an ASGI application; each worker process has one.

    Args:
        config: The settings.
        parts: The service and its components.
    """

    def __init__(self, config: Config, parts: Parts) -> None:
        self.draining = False
        self.waiting = 0
        self._config = config
        self._parts = parts
        self._hits = Hits(config.web, config.request, parts, draining=lambda: self.draining)
        self._loop = ServiceLoop(parts)
        self._pages = WSGIMiddleware(create_pages(parts, self._loop).wsgi_app, workers=_PAGE_THREADS)  # type: ignore[arg-type]  # a2wsgi declares its own types of WSGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(from_scope(scope), receive)
        if response is None:
            await self._pages(scope, receive, send)  # type: ignore[arg-type]  # a2wsgi declares its own types of ASGI
        else:
            await _send(response, send)

    async def _response(self, request: Request, receive: Receive) -> Response | None:
        """Return the response for an image or an endpoint; None when the pages answer."""
        began = time.perf_counter()
        try:
            response = self._hits.answer(request)
            if response is None and self._hits.is_image(request):
                response = await self._respond_after_render(request, receive, began)
        except Exception:  # noqa: BLE001  # the last resort of a request: 500 to the client, the traceback to the log
            _log.exception("a request failed")
            response = refuse(InternalError("The request failed. The log has the reason."), request)
            access(self._config.web, request, response, began)
        return response

    async def _respond_after_render(self, request: Request, receive: Receive, began: float) -> Response:
        note = ""
        try:
            response = await self._wait(request, receive)
        except ImgcdnError as error:
            response, note = refuse(error, request), error.log
        access(self._config.web, request, response, began, note=note)
        return response

    async def _wait(self, request: Request, receive: Receive) -> Response:
        """Wait for the picture, or for the client to leave, whichever is first."""
        if self.waiting >= self._config.service.max_waiting:
            raise Overloaded("Too many requests are waiting for pictures. Try again in a second.")
        image, client = self._hits.parse(request)
        self.waiting += 1
        work = asyncio.ensure_future(self._parts.service.get(image, client))
        disconnect = asyncio.ensure_future(_wait_for_disconnect(receive))
        try:
            await asyncio.wait((work, disconnect), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise Overloaded("The client left.")
            return self._hits.respond(work.result(), image, request)
        finally:
            self.waiting -= 1
            work.cancel()
            disconnect.cancel()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._loop.bind(asyncio.get_running_loop())
        await self._parts.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._parts.stop()
        await send({"type": "lifespan.shutdown.complete"})


@lru_cache(maxsize=2)
def _http_date(unix_time: int) -> bytes:
    return formatdate(unix_time, usegmt=True).encode()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(response: Response, send: Send) -> None:
    # gunicorn's Date may be a second old, but Last-Modified must not be later than Date (RFC 9110, section 8.8.2.1).
    headers = [*response.headers, (b"date", _http_date(int(time.time()))), (b"server", b"imgcdn")]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    # ASGI requires bytes. Our connections also take a body that stays on disk, and send slices of it.
    await send({"type": "http.response.body", "body": response.body})
