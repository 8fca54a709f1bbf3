"""
The front: it answers every request of one process, whatever server the request came through.

What can be answered at once is answered by a plain call. A render and a page are waited for in a task of the event
loop, so a thousand waiting requests hold no thread and delay no hit.
"""

import asyncio
import logging
import time
from inspect import iscoroutinefunction

from imgcdn.core.request.settings import RequestSettings
from imgcdn.errors import ImgcdnError, MethodNotAllowed, SourceNotFound
from imgcdn.service.admission import Admission
from imgcdn.service.assembly import Parts
from imgcdn.web import router
from imgcdn.web.endpoints import purge
from imgcdn.web.endpoints.base import Context
from imgcdn.web.hits import PURGE, Hits
from imgcdn.web.logs import request_id
from imgcdn.web.pages import Pages
from imgcdn.web.proxies import Proxies, RequestIds
from imgcdn.web.request import Request, without_prefix
from imgcdn.web.respond import Exit
from imgcdn.web.responses import Response, options
from imgcdn.web.settings import WebSettings

_log = logging.getLogger(__name__)


class Front:
    """
    The service as a function from requests to responses.

    Args:
        settings: Lifetimes, the log, proxies.
        request_settings: What a request may ask for.
        max_waiting: How many requests may wait for a render.
        parts: The service and its components.
    """

    def __init__(
        self, settings: WebSettings, request_settings: RequestSettings, parts: Parts, *, max_waiting: int
    ) -> None:
        self.draining = False
        self.ids = RequestIds()
        self.proxies = Proxies(settings.trusted_proxies)
        self._prefix = settings.path_prefix
        self._admission = Admission(max_waiting, parts.flights)
        self._parts = parts
        self._hits = Hits(settings, request_settings, parts)
        self._context = Context(parts, lambda: self.draining, settings.admin_token)
        self._pages = Pages(parts, request_settings, lists_pictures=settings.lists_pictures)
        self._exit = Exit(settings.access_log, self.proxies, self._hits.source_host, self._hits.left_s)
        self._starting: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a client waits for a picture, a page or a purge."""
        return bool(self._admission.waiting or self._pages.waiting or self._parts.purging.waiting)

    async def start(self) -> None:
        """Start what runs in the background, on the running event loop. Requests can be answered before it is done."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._parts.start())
        await self._starting

    async def stop(self) -> None:
        """End what is under way and what runs in the background. Requests that still wait get 503."""
        if self._starting is None:
            return
        await self._parts.stop()
        if self._exit.counts.total or self._exit.counts.left:
            _log.info("%s", self._exit.counts.summary())

    def answer(self, request: Request) -> Response | None:
        """Return the response; None when it has to be waited for (`wait`)."""
        request = self._at_its_prefix(request)
        # For lines that are written on the way. It costs 0.06 microseconds.
        request_id.set(request.id)
        try:
            response = self._answer(request)
        except ImgcdnError as error:
            return self._exit.refuse(error, request)
        except Exception:  # noqa: BLE001  # the last resort of a request: 500 to the client, the traceback to the log
            return self._exit.fail(request)
        return None if response is None else self._exit.finish(response, request, at_once=True)

    async def wait(self, request: Request) -> Response:
        """
        Return the response to a request that `answer` left open.

        If this is cancelled, because the client has left, work that others wait for goes on, and other work gives way.
        """
        request = self._at_its_prefix(request)
        request_id.set(request.id)
        try:
            response = await self._awaited(request)
        except ImgcdnError as error:
            return self._exit.refuse(error, request)
        except asyncio.CancelledError:
            self._exit.note_departure(request)
            raise
        except Exception:  # noqa: BLE001  # the last resort of a request, as above
            return self._exit.fail(request)
        return self._exit.finish(response, request, at_once=False)

    def identify(self, request: Request, address: str) -> Request:
        """
        Return a request with its peer and its id, for a server that hands over requests one by one.

        Args:
            address: The peer's address; empty for a Unix socket.
        """
        peer = self.proxies.peer(address)
        return request._replace(peer=peer, id=self.ids.next(peer, request.headers), received_at=time.perf_counter())

    def takes_body(self, request: Request) -> bool:
        """Tell whether the body of a request is read: only that of POST to a path that takes it."""
        if request.method != "POST":
            return False
        route = router.find(self._at_its_prefix(request).path)
        return route is not None and "POST" in route.methods and self._offers(route)

    def refuse(self, error: ImgcdnError, request: Request) -> Response:
        """Return the response to a request that a server could not read."""
        return self._exit.refuse(error, self._at_its_prefix(request))

    def _answer(self, request: Request) -> Response | None:
        if self._hits.is_image(request):
            return self._hits.answer(request)
        if request.target == "*":  # RFC 9110, section 9.3.7: about the server as a whole
            return options(request)
        route = router.find(request.path)
        if route is None and request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("Use GET or HEAD.", allowed=("GET", "HEAD"))
        if route is None or not self._offers(route):
            raise SourceNotFound("There is nothing here. Pictures are at /img?url=/photo.jpg")
        route.check_method(request)
        if route.endpoint is None or iscoroutinefunction(route.endpoint):
            return None
        response = route.endpoint(self._context, request)
        assert isinstance(response, Response)
        return response

    def _offers(self, route: router.Route) -> bool:
        """Tell whether there is something at a path: without a token, what needs it is not there."""
        return not route.is_admin or bool(self._context.admin_token)

    async def _awaited(self, request: Request) -> Response:
        if self._hits.is_image(request):
            return await (self._purge(request) if request.method == PURGE else self._render(request))
        route = router.find(request.path)
        if route is not None and iscoroutinefunction(route.endpoint):
            response: Response = await route.endpoint(self._context, request)
            return response
        return await self._pages.answer(request)

    async def _purge(self, request: Request) -> Response:
        image, _ = self._hits.parse(request)
        return purge.report(await self._parts.purging.purge(image.source, soft=False))

    async def _render(self, request: Request) -> Response:
        image, client = self._hits.parse(request)
        service = self._parts.service
        with self._admission.admit(service.group(image.source)):
            address = self.proxies.client_network(request.peer, request.headers)
            return self._hits.respond(await service.get(image, client, address=address), image, request)

    def _at_its_prefix(self, request: Request) -> Request:
        """Take away the path prefix, which some proxies pass on and others do not."""
        prefix = self._prefix
        if not prefix:
            return request
        target = without_prefix(request.target, prefix)
        return request._replace(target=target, mounted_at=prefix + request.mounted_at)
