"""
The whole service as an ASGI application, for any ASGI server, and for mounting into a FastAPI or Starlette site.

It starts with its first request, because a mounted application is not told when its server starts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from imgcdn.config import Config, load
from imgcdn.errors import ContentTooLarge
from imgcdn.service.assembly import assemble
from imgcdn.web.front import Front
from imgcdn.web.limits import MAX_BODY_BYTES
from imgcdn.web.request import Request, check_length_is_known, from_scope
from imgcdn.web.responses import Response, slices

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def create_asgi_app(config: Config | None = None) -> "AsgiApplication":
    """
    Build the whole service as an ASGI application.

    Args:
        config: The settings; None to load them from the environment and imgcdn.toml.

    Raises:
        ConfigError: A setting is not valid, or two of them conflict.
    """
    config = config or load()
    web = config.web.without_bind()
    return AsgiApplication(Front(web, config.request, assemble(config), max_waiting=config.service.max_waiting))


class AsgiApplication:
    """
    The service behind ASGI's interface, version 3.

    Args:
        front: Answers the requests.
    """

    def __init__(self, front: Front) -> None:
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._front.start()
            response = await self._respond(scope, receive)
            if response is not None:
                await _send(response, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        front = self._front
        request = front.identify(from_scope(scope), (scope.get("client") or ("",))[0])
        try:
            check_length_is_known(request)
            if front.takes_body(request):
                request = request._replace(body=await _read_body(receive), received_at=time.perf_counter())
        except ContentTooLarge as error:
            return front.refuse(error, request)
        except ConnectionResetError:
            return None
        return front.answer(request) or await self._wait(request, receive)

    async def _wait(self, request: Request, receive: Receive) -> Response | None:
        """Wait for the response, or for the client to leave, whichever is first."""
        work = asyncio.ensure_future(self._front.wait(request))
        departure = asyncio.ensure_future(_wait_for_departure(receive))
        try:
            await asyncio.wait((work, departure), return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else None
        finally:
            work.cancel()
            departure.cancel()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._front.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._front.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def _read_body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise ContentTooLarge(f"A body may have up to {MAX_BODY_BYTES} bytes.")
        if not message.get("more_body", False):
            return body


async def _wait_for_departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(response: Response, send: Send) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    # A large body stays on disk, and only slices of it are read.
    for piece in slices(response.body):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
