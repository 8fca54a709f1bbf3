"""
Images that can be answered at once: stored variants, 304 and errors. No framework, no thread, no lock.

A hit looks up one memo with its raw target, a second one with its `Accept`, and then the store.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from imgcdn import dialects
from imgcdn.core.memo import MIB, Memo, bytes_of
from imgcdn.core.request.loops import MAX_CDN_LOOP_LENGTH, is_loop
from imgcdn.core.request.negotiation import MAX_ACCEPT_LENGTH, ClientClass, client_class
from imgcdn.core.request.save_data import lower_quality, wants_less
from imgcdn.core.request.settings import RequestSettings
from imgcdn.dialects.base import ImageRequest, Target
from imgcdn.errors import Forbidden, MethodNotAllowed, TargetTooLong
from imgcdn.service.assembly import Parts
from imgcdn.service.delivery import Delivery
from imgcdn.web.admin import check_token
from imgcdn.web.conditions import is_conditional
from imgcdn.web.limits import MAX_TARGET_LENGTH
from imgcdn.web.request import Request
from imgcdn.web.responses import Lifetimes, Response, deliver, options
from imgcdn.web.settings import WebSettings

_METHODS = ("GET", "HEAD")

#: The method by which a picture's source is purged, with all variants. Proxies and CDNs use this name, too.
PURGE = "PURGE"


class Hits:
    """
    Answers requests for images that need no render.

    Args:
        settings: The lifetimes for caches.
        request_settings: What a request may ask for.
        parts: The service and its components.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        settings: WebSettings,
        request_settings: RequestSettings,
        parts: Parts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._request_settings = request_settings
        self._parts = parts
        self._service = parts.service
        stale_s = int(parts.catalog.stale_use.while_revalidate_s)
        self._lifetimes = Lifetimes(settings.max_age_s, stale_s, settings.cache_control)
        self._rules = request_settings.rules
        self._signatures = request_settings.signatures
        self._clock = clock
        self._admin_token = settings.admin_token
        self._allowed = (*_METHODS, "OPTIONS", PURGE) if settings.admin_token else (*_METHODS, "OPTIONS")
        # The key has everything that the result of a parse depends on.
        self._requests: Memo[tuple[str, bool], ImageRequest] = Memo(
            12 * MIB, lambda key, image: bytes_of(key, key[0]) + image.memory_bytes
        )
        self._classes: Memo[str, ClientClass] = Memo(MIB, bytes_of)

    def is_image(self, request: Request) -> bool:
        """Tell whether a request's path belongs to a dialect."""
        if self._requests.get((request.target, False)) is not None:
            return True
        return dialects.find(Target.read(request.target)) is not None

    def answer(self, request: Request) -> Response | None:
        """
        Return the response for an image; None when it must be rendered, or purged.

        Raises:
            ImgcdnError: The request is not valid or not allowed, or its source has a negative entry.
        """
        if request.method == "OPTIONS":
            return options(request)
        if request.method == PURGE and self._admin_token:
            check_token(request, self._admin_token)
            self.parse(request)
            return None
        if request.method not in _METHODS:
            raise MethodNotAllowed("Use GET or HEAD.", allowed=self._allowed)
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

    def parse(self, request: Request) -> tuple[ImageRequest, ClientClass]:
        """
        Parse a request whose path belongs to a dialect.

        Raises:
            RequestError: The request is not valid.
        """
        headers = request.headers
        if b"cdn-loop" in headers:
            self._refuse_loop(request.header(b"cdn-loop") or "")
        thrifty = self._request_settings.save_data and wants_less(request.header(b"save-data"))
        image = self._requests.get((request.target, thrifty))
        if image is None:
            image = self._parse_target(request.target)
            if thrifty:
                image = replace(image, params=lower_quality(image.params))
            self._requests.put((request.target, thrifty), image)
        # At every request, because a parse is memoised and a URL expires afterwards.
        if image.expires is not None and image.expires <= self._clock():
            raise Forbidden(f"the signed URL has expired; its exp is {image.expires}")
        return image, self._client_class(request.header(b"accept"))

    def _refuse_loop(self, header: str) -> None:
        if len(header) > MAX_CDN_LOOP_LENGTH:
            raise Forbidden(
                f"the request's CDN-Loop has more than {MAX_CDN_LOOP_LENGTH:,} characters, so it was not read; many "
                "CDNs in a row, or the client, made it that long"
            )
        if is_loop(header, self._parts.loop_id):
            raise Forbidden("this service asked itself: an allowed URL or a mount leads here")

    def source_host(self, request: Request) -> str:
        """
        Return the host of the source of a request that was parsed; empty for a file.

        It is also empty for a request that could not be parsed. To parse it again, for its line in the log alone, would
        double its cost.
        """
        image = self._parsed(request)
        return "" if image is None else self._parts.catalog.host(image.source)

    def left_s(self, request: Request) -> int | None:
        """Return the seconds after which the URL of a request expires; None if it does not, 0 if that is not known."""
        image = self._parsed(request)
        if image is None:  # it failed before it could be parsed
            return 0 if "exp=" in request.target or "%" in request.target else None
        return self._left_s(image)

    def _parsed(self, request: Request) -> ImageRequest | None:
        keys = ((request.target, False), (request.target, True))
        return next(filter(None, map(self._requests.get, keys)), None)

    def _left_s(self, image: ImageRequest) -> int | None:
        return None if image.expires is None else max(0, int(image.expires - self._clock()))

    def respond(self, delivery: Delivery, image: ImageRequest, request: Request) -> Response:
        """Return the response for a delivery of the service."""
        save_data = self._request_settings.save_data
        return deliver(delivery, image, request, self._lifetimes, save_data=save_data, left_s=self._left_s(image))

    def _parse_target(self, raw: str) -> ImageRequest:
        if len(raw) > MAX_TARGET_LENGTH:
            raise TargetTooLong(f"A URL may have up to {MAX_TARGET_LENGTH} characters.")
        target = Target.read(raw)
        # Checked before a dialect reads the target: no dialect can skip it, and a 403 reveals nothing about the URL.
        expires = self._signatures.check(target.path, target.query)
        parsed = dialects.parse(target, self._rules)
        return replace(parsed, source=self._parts.routes.route(parsed.source), expires=expires)

    def _client_class(self, accept: str | None) -> ClientClass:
        accept = accept or ""
        client = self._classes.get(accept)
        if client is None:
            client = client_class(accept, self._request_settings.formats)
            if len(accept) <= MAX_ACCEPT_LENGTH:
                self._classes.put(accept, client)
        return client
