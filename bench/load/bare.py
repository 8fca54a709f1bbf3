"""The least that a service of files could do: an ASGI callable that opens, reads and returns one file."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

_PATH = os.environ.get("BARE_FILE", "")
Message = MutableMapping[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer every request with the file that BARE_FILE names."""
    if scope["type"] != "http":
        return
    with open(_PATH, "rb") as file:
        body = file.read()
    headers = [(b"content-type", b"image/webp"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
