"""The service within this process, without a socket: bytes of a connection in, responses out."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from imgcdn import dialects
from imgcdn.config import load
from imgcdn.dialects.base import Target
from imgcdn.service.assembly import Parts, assemble
from imgcdn.web.front import Front
from imgcdn.web.http1 import Incoming, RequestReader
from imgcdn.web.proxies import Peer
from imgcdn.web.request import Request
from imgcdn.web.responses import Response
from tests.support import pictures

#: The target of a picture that is stored.
STORED = "/img/photo.png?w=40"

#: The only peer whose X-Forwarded-For is read.
_PROXY = Peer("192.0.2.1", trusted=True)

_VERSION_UNKNOWN = 505


class Served:
    """
    A front over a folder with one picture.

    Args:
        parts: Of the service.
        front: Answers requests.
        runner: The event loop.
    """

    def __init__(self, parts: Parts, front: Front, runner: asyncio.Runner) -> None:
        self.parts = parts
        self.front = front
        self._runner = runner

    def reader(self) -> RequestReader:
        """Return what reads the requests of a new connection."""
        return RequestReader(_PROXY, self.front.ids, self.front.takes_body)

    def answers(self, data: bytes) -> list[Response]:
        """Return the responses to the bytes of one connection, without those that need a render."""
        reader = self.reader()
        reader.feed(data)
        found = []
        while (incoming := reader.next()) is not None:
            response = self._answer(incoming)
            if response is not None:
                check_response(response, incoming.request)
                found.append(response)
        return found

    def answer(self, request: Request) -> Response | None:
        """Return the response to one request; None if it needs a render."""
        return self._answer(Incoming(request._replace(peer=_PROXY, id="fuzz")))

    def wait(self, request: Request) -> Response:
        """Return the response to a request after everything that it needs."""
        return self._runner.run(self.front.wait(request))

    def _answer(self, incoming: Incoming) -> Response | None:
        request = incoming.request
        if incoming.error is not None:
            return self.front.refuse(incoming.error, request)
        if incoming.is_expecting:
            return None
        response = self.front.answer(request)
        if response is None and dialects.find(Target.read(request.target)) is None:
            return self.wait(request)  # a page
        return response


@contextlib.contextmanager
def served(**settings: object) -> Iterator[Served]:
    """Serve a folder with `photo.png`, of which one variant is stored (`STORED`)."""
    with tempfile.TemporaryDirectory(prefix="imgcdn-fuzz-") as name, asyncio.Runner() as runner:
        root = Path(name, "root")
        root.mkdir()
        (root / "photo.png").write_bytes(pictures.png())
        (root.parent / "secret.png").write_bytes(pictures.png())
        flags = {"root": str(root), "cache_dir": str(Path(name, "cache")), "min_free_bytes": 0, "access_log": "off"}
        config = load({**flags, **settings}, environ={})
        parts = assemble(config)
        front = Front(config.web, config.request, parts, max_waiting=config.service.max_waiting)
        service = Served(parts, front, runner)
        try:
            stored = service.wait(Request("GET", STORED, {}))
            assert stored.status == 200
            yield service
        finally:
            runner.run(_end(parts))


async def _end(parts: Parts) -> None:
    await parts.flights.stop()
    parts.catalog.close()
    parts.renderers.disconnect()


def check_response(response: Response, request: Request) -> None:
    """Check what holds for every response to foreign input."""
    assert response.status < 500 or response.status == _VERSION_UNKNOWN, f"{response.status} to {request}"
    headers = dict(response.headers)
    assert len(headers) == len(response.headers), "a header is repeated"
    for name, value in response.headers:
        assert not any(byte in b"\r\n\0" for byte in name + value), f"{name!r}: {value!r}"
    if request.method != "HEAD" and b"content-length" in headers:
        assert int(headers[b"content-length"]) == len(response.body)
