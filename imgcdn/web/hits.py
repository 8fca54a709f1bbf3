"""
What can be answered at once: variants that are there, 304, refusals, health. No framework, no thread, no lock.

The same object stands in front of the ASGI edge and of the WSGI application.
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

#: Longer targets are parsed every time: remembered, they would be memory for anybody to fill.
_MEMO_TARGET_LENGTH = 512
_METHODS = ("GET", "HEAD")


class Hits:
    """
    Answers requests for what is there.

    Args:
        settings: What is said to caches, and what is logged.
        asked: What a request may ask for.
        parts: The service, and what it may fetch.
        draining: Tells whether the process is about to stop.
    """

    def __init__(
        self,
        settings: WebSettings,
        asked: RequestSettings,
        parts: Parts,
        *,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._asked = asked
        self._parts = parts
        self._service = parts.service
        self._context = Context(parts, draining)
        self._lifetimes = Lifetimes(settings.max_age_s, settings.stale_while_revalidate_s, settings.cache_control)
        self._rules = asked.rules
        # By all that a parse depends on.
        self._requests: Memo[tuple[Target, bool], ImageRequest] = Memo(16_384)
        self._classes: Memo[str | None, ClientClass] = Memo(1_024)

    def answer(self, request: Request) -> Response | None:
        """Return the response, or None when it has to be made or is a page's."""
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
        Read an image request: one whose path belongs to a dialect.

        Raises:
            RequestError: It is not valid.
        """
        if len(request.target) > MAX_TARGET_LENGTH:
            raise TargetTooLong(f"A URL may have up to {MAX_TARGET_LENGTH} characters.")
        if b"cdn-loop" in request.headers and is_loop(request.header(b"cdn-loop"), self._parts.loop_id):
            raise Forbidden("this service asked itself: an allowed URL or a mount leads here")
        target = Target.read(request.target)
        thrifty = self._asked.save_data and wants_less(request.header(b"save-data"))
        image = self._requests.get((target, thrifty))
        if image is None:
            image = self._parsed(target)
            if thrifty:
                image = replace(image, params=lower_quality(image.params))
            if len(request.target) <= _MEMO_TARGET_LENGTH:
                self._requests.put((target, thrifty), image)
        return image, self._client_class(request.header(b"accept"))

    def _parsed(self, target: Target) -> ImageRequest:
        parsed = dialects.parse(target, self._rules)
        return replace(parsed, source=self._parts.routes.route(parsed.source))

    def respond(self, delivery: Delivery, image: ImageRequest, request: Request) -> Response:
        """Return the answer for what the service delivered."""
        return deliver(delivery, image, request, self._lifetimes, save_data=self._asked.save_data)

    def _image(self, request: Request) -> Response | None:
        if request.method == "OPTIONS":
            return options()
        if request.method not in _METHODS:
            raise MethodNotAllowed("Use GET or HEAD.")
        image, client = self.parse(request)
        if request.method == "HEAD" or is_conditional(request):
            found = self._service.lookup(image, client, body=False)
            if found is None:
                return None
            response = self.respond(found, image, request)
            if response.status == 304 or request.method == "HEAD":
                return response
        found = self._service.lookup(image, client)
        return None if found is None else self.respond(found, image, request)

    def _client_class(self, accept: str | None) -> ClientClass:
        known = self._classes.get(accept)
        if known is None:
            known = client_class(accept, self._asked.formats)
            if accept is None or len(accept) <= _MEMO_TARGET_LENGTH:
                self._classes.put(accept, known)
        return known
