"""
The whole service as a WSGI application, for any WSGI server, and for mounting into a Django or Flask site.

What can be answered at once is answered in the server's thread. For the rest, the service's event loop runs in a thread
of its own, which starts with the first request: that comes after the server has forked. When the process exits, the
service stops by itself.
"""

import asyncio
import re
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIEnvironment

from imgcdn.config import Config, load
from imgcdn.errors import ContentTooLarge
from imgcdn.service.assembly import assemble
from imgcdn.web.front import Front
from imgcdn.web.limits import MAX_BODY_BYTES
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
        #: Its one thread has nothing to do, and ends when the interpreter begins to exit (`_run`).
        self._until_exit = ThreadPoolExecutor(1, thread_name_prefix="until-exit")
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
                request = request._replace(body=_read_body(environ), received_at=time.perf_counter())
        except ContentTooLarge as error:
            return front.refuse(error, request)
        return front.answer(request) or self._wait(request)

    def _wait(self, request: Request) -> Response:
        return asyncio.run_coroutine_threadsafe(self._front.wait(request), self._started_loop()).result()

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        """Return the service's event loop. The first request starts it, with all that runs in the background."""
        with self._lock:
            if self._loop is None:
                idle = self._until_exit.submit(threading.current_thread).result()
                ready: Future[asyncio.AbstractEventLoop] = Future()
                threading.Thread(target=lambda: asyncio.run(self._run(ready, idle)), name="service").start()
                self._loop = ready.result()
            return self._loop

    async def _run(self, ready: "Future[asyncio.AbstractEventLoop]", idle: threading.Thread) -> None:
        """
        Run the service until the interpreter begins to exit.

        `atexit` would come too late. Python joins the threads of all executors before it (documentation of
        ThreadPoolExecutor), and a fetch may keep one of them for as long as `fetch_timeout_s`. But it tells all of them
        before it joins the first, and an idle one ends at once.
        """
        loop, exiting = asyncio.get_running_loop(), asyncio.Event()

        def watch() -> None:
            idle.join()
            loop.call_soon_threadsafe(exiting.set)

        threading.Thread(target=watch, name="until-exit", daemon=True).start()
        ready.set_result(loop)
        await self._front.start()
        await exiting.wait()
        await self._front.stop()


def _read_body(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > MAX_BODY_BYTES:
        raise ContentTooLarge(f"A body may have up to {MAX_BODY_BYTES} bytes.")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body
