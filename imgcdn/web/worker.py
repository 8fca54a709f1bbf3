"""The gunicorn worker: gunicorn's own asgi worker, with our connections and a drain that a load balancer can see."""

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

from imgcdn.web.connections import Connection, Connections

#: What stops a worker. Held over its fork (`web.server`).
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

_PAUSE_S = 0.05

#: Connections that may wait to be accepted, by any worker; the kernel has a bound of its own.
_BACKLOG = 2_048

#: Open files of a worker that are neither connections nor what these read.
_OTHER_FILES = 128

#: New objects after which the collector looks at them, and how often it looks at older ones.
_GARBAGE = (20_000, 50, 100)


class EdgeWorker(ASGIWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Keeps answering while what is under way finishes: readyz with 503, so that no new work is sent here."""

    app: Any
    asgi: Any
    alive: bool
    servers: list[asyncio.Server]
    loop: asyncio.AbstractEventLoop
    _connections: Connections
    _main: "asyncio.Task[None] | None" = None

    def load_wsgi(self) -> None:
        super().load_wsgi()
        settings = self.app.config.web
        open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Two files each: the socket, and a large picture on its way.
        self._connections = Connections(settings, min(settings.max_connections, (open_files - _OTHER_FILES) // 2))
        self._connections.watch(self.loop)

    def init_signals(self) -> None:
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def handle_exit_signal(self) -> None:
        """Start to drain (SIGTERM)."""
        self.asgi.draining = True
        self._connections.close_idle()
        super().handle_exit_signal()
        # gunicorn's way out of the second for which it sleeps between two looks at `alive`. Not before it listens:
        # while it starts, nothing expects to be cancelled, and the first look is about to come.
        if self._main is not None and self.servers:
            self._main.cancel()

    async def _serve(self) -> None:
        self._main = asyncio.current_task()
        # What is here now stays. Looking through it for garbage whenever 700 objects have come doubled the longest wait
        # for an answer while 500 connections arrive.
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        await super()._serve()

    def _setup_event_loop(self) -> None:
        self.loop = _Loop(lambda: Connection(self, self._connections))
        asyncio.set_event_loop(self.loop)

    async def _shutdown(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.cfg.graceful_timeout
        while self.asgi.waiting and loop.time() < deadline and not self._quick_shutdown:
            self.notify()
            await asyncio.sleep(_PAUSE_S)
        self._connections.close_waiting()
        await super()._shutdown()


class _Loop(asyncio.SelectorEventLoop):
    """
    An event loop whose servers speak our protocol.

    gunicorn names its protocol class in the middle of the coroutine that is the worker. Between that and the socket
    stands one documented call, which this answers; the other ways were to copy the coroutine or to patch its module.

    Args:
        connection: Makes the protocol of one connection.
    """

    def __init__(self, connection: Callable[[], asyncio.BaseProtocol]) -> None:
        super().__init__()
        self._connection = connection

    async def create_server(  # type: ignore[override]  # only as gunicorn calls it
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], *, sock: socket.socket, **options: Any
    ) -> asyncio.Server:
        server = await super().create_server(self._connection, sock=sock, **options)
        # asyncio has set the backlog to 100, by which it also means how many it accepts before it does anything else.
        sock.listen(_BACKLOG)
        return server
