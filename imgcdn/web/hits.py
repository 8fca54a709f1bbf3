"""
Responses that can be given at once: stored variants, 304, errors and endpoints. No framework, no thread, no lock.

The ASGI application and the WSGI application both try them first.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from imgcdn import dialects
from imgcdn.core.memo import Memo
from imgcdn.core.request.negotiation import ClientClass, client_class
from imgcdn.core.request.save_data import lower_quality, wants_less
from imgcdn.core.request.settings import RequestSettings
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.errors import Forbidden, ImgcdnError, MethodNotAllowed, TargetTooLong
from imgcdn.origins.http import is_loop
from imgcdn.service.assembly import Parts
from imgcdn.service.images import Delivery
from imgcdn.web import router
from imgcdn.web.endpoints.base import Context
from imgcdn.web.logs import access
from imgcdn.web.request import Request
from imgcdn.web.responses import Lifetimes, Response, deliver, is_conditional, options, refuse
from imgcdn.web.settings import AccessLog, WebSettings

MAX_TARGET_LENGTH = 8_000

#: Longer targets are parsed every time. If they were memoised, a client could fill the memory with them.
_MEMO_TARGET_LENGTH = 512
_METHODS = ("GET", "HEAD")


class Hits:
    """
    Answers the requests that need neither a render nor a page.

    Args:
        settings: The lifetimes for caches, and which requests are logged.
        request_settings: What a request may ask for.
        parts: The service and its components.
        draining: Returns whether the process is about to stop.
    """

    def __init__(
        self,
        settings: WebSettings,
        request_settings: RequestSettings,
        parts: Parts,
        *,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._request_settings = request_settings
        self._parts = parts
        self._service = parts.service
        self._context = Context(parts, draining)
        self._lifetimes = Lifetimes(settings.max_age_s, settings.stale_while_revalidate_s, settings.cache_control)
        self._rules = request_settings.rules
        # The key has everything that the result of a parse depends on.
        self._requests: Memo[tuple[Target, bool], ImageRequest] = Memo(16_384)
        self._classes: Memo[str | None, ClientClass] = Memo(1_024)

    def answer(self, request: Request) -> Response | None:
        """Return the response; None when it needs a render or belongs to a page."""
        route = router.find(request.path)
        if route is None and not self.is_image(request):
            return None
        began = time.perf_counter()
        try:
            response = self._image(request) if route is None else route.answer(self._context, request)
        except ImgcdnError as error:
            response = refuse(error, request)
            access(self._settings, request, response, began, note=error.log)
            return response
        if route is None and response is not None and self._settings.access_log is AccessLog.ALL:
            access(self._settings, request, response, began)
        return response

    def is_image(self, request: Request) -> bool:
        """Tell whether a request's path belongs to a dialect."""
        return dialects.find(Target.read(request.target)) is not None

    def parse(self, request: Request) -> tuple[ImageRequest, ClientClass]:
        """
        Parse a request whose path belongs to a dialect.

        Raises:
            RequestError: The request is not valid.
        """
        if len(request.target) > MAX_TARGET_LENGTH:
            raise TargetTooLong(f"A URL may have up to {MAX_TARGET_LENGTH} characters.")
        if b"cdn-loop" in request.headers and is_loop(request.header(b"cdn-loop"), self._parts.loop_id):
            raise Forbidden("this service asked itself: an allowed URL or a mount leads here")
        target = Target.read(request.target)
        thrifty = self._request_settings.save_data and wants_less(request.header(b"save-data"))
        image = self._requests.get((target, thrifty))
        if image is None:
            image = self._parse_target(target)
            if thrifty:
                image = replace(image, params=lower_quality(image.params))
            if len(request.target) <= _MEMO_TARGET_LENGTH:
                self._requests.put((target, thrifty), image)
        return image, self._client_class(request.header(b"accept"))

    def _parse_target(self, target: Target) -> ImageRequest:
        parsed = dialects.parse(target, self._rules)
        return replace(parsed, source=self._parts.routes.route(parsed.source))

    def respond(self, delivery: Delivery, image: ImageRequest, request: Request) -> Response:
        """Return the response for a delivery of the service."""
        return deliver(delivery, image, request, self._lifetimes, save_data=self._request_settings.save_data)

    def _image(self, request: Request) -> Response | None:
        if request.method == "OPTIONS":
            return options()
        if request.method not in _METHODS:
            raise MethodNotAllowed("Use GET or HEAD.")
        image, client = self.parse(request)
        if request.method == "HEAD" or is_conditional(request):
            delivery = self._service.lookup(image, client, body=False)
            if delivery is None:
                return None
            response = self.respond(delivery, image, request)
            if response.status == 304 or request.method == "HEAD":
                return response
        delivery = self._service.lookup(image, client)
        return None if delivery is None else self.respond(delivery, image, request)

    def _client_class(self, accept: str | None) -> ClientClass:
        client = self._classes.get(accept)
        if client is None:
            client = client_class(accept, self._request_settings.formats)
            if accept is None or len(accept) <= _MEMO_TARGET_LENGTH:
                self._classes.put(accept, client)
        return client
