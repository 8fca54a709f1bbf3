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
from imgcdn.dialects.grammar import ImageRequest
from imgcdn.errors import Forbidden, ImgcdnError, MethodNotAllowed, TargetTooLong
from imgcdn.origins.http import is_loop
from imgcdn.service.assembly import Parts
from imgcdn.service.images import Delivery
from imgcdn.web.logs import access
from imgcdn.web.responses import Lifetimes, Request, Response, deliver, document, is_conditional, options, refuse
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
        self._draining = draining
        self._lifetimes = Lifetimes(settings.max_age_s, settings.stale_while_revalidate_s)
        self._rules = asked.rules
        self._requests: Memo[str, ImageRequest] = Memo(16_384)
        self._thrifty: Memo[str, ImageRequest] = Memo(16_384)
        self._classes: Memo[str | None, ClientClass] = Memo(1_024)

    def answer(self, request: Request) -> Response | None:
        """Return the answer, or None when it has to be made or is somebody else's."""
        path = request.target.partition("?")[0]
        if path == "/-/healthz":
            return document(200, {"status": "alive"}, request)
        if path == "/-/readyz":
            return self._ready(request)
        if dialects.find(path) is None:
            return None
        began = time.perf_counter()
        try:
            response = self._image(request)
        except ImgcdnError as error:
            response = refuse(error, request)
            access(self._settings, request, response, began, note=error.log)
            return response
        if response is not None and self._settings.access_log is AccessLog.ALL:
            access(self._settings, request, response, began)
        return response

    def parse(self, request: Request) -> tuple[ImageRequest, ClientClass]:
        """
        Read an image request: one whose path belongs to a grammar.

        Raises:
            RequestError: It is not valid.
        """
        if len(request.target) > MAX_TARGET_LENGTH:
            raise TargetTooLong(f"A URL may have up to {MAX_TARGET_LENGTH} characters.")
        if b"cdn-loop" in request.headers and is_loop(request.header(b"cdn-loop"), self._parts.loop_id):
            raise Forbidden("this service asked itself: an allowed URL or a mount leads here")
        thrifty = self._asked.save_data and wants_less(request.header(b"save-data"))
        requests = self._thrifty if thrifty else self._requests
        image = requests.get(request.target)
        if image is None:
            image = self._parsed(request.target)
            if thrifty:
                image = replace(image, params=lower_quality(image.params))
            if len(request.target) <= _MEMO_TARGET_LENGTH:
                requests.put(request.target, image)
        return image, self._client_class(request.header(b"accept"))

    def _parsed(self, target: str) -> ImageRequest:
        grammar = dialects.find(target.partition("?")[0])
        assert grammar is not None
        parsed = grammar.parse(target, self._rules)
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

    def _ready(self, request: Request) -> Response:
        if self._draining():
            return document(503, {"status": "draining", "degraded": []}, request)
        trouble = self._service.store.probe_writing()
        degraded = ["storage"] if trouble else []
        return document(200, {"status": "ready", "degraded": degraded}, request)
