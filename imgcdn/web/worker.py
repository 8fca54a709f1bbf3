"""The gunicorn worker: one event loop that serves connections, and a drain that a load balancer can see."""

import asyncio
import gc
import os
import resource
import signal
import socket
from typing import Any

from gunicorn.workers.base import Worker

from imgcdn.renderers.parent import end_with_parent
from imgcdn.web.connections import Connections
from imgcdn.web.front import Front
from imgcdn.web.listening import BACKLOG
from imgcdn.web.protocol import Connection

#: The signals that stop a worker. `web.server` blocks them before the fork; `init_signals` unblocks them.
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

#: Sent to the workers when their master does something that does not concern them.
_IGNORED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)

_HEARTBEAT_S = 1.0
_PAUSE_S = 0.05

#: Open files of a worker besides its connections and the pictures that it sends.
_OTHER_FILES = 128

#: New objects after which the collector looks at them, and how often it looks at older ones.
_GARBAGE = (20_000, 50, 100)


class HttpWorker(Worker):  # type: ignore[misc]  # gunicorn ships no types
    """
    Serves until it is told to stop, then finishes what is under way.

    While it drains, it still answers new requests: readyz with 503, so that a load balancer sends no more.
    """

    app: Any
    cfg: Any
    ppid: int
    sockets: list[Any]
    wsgi: Front

    def init_process(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        super().init_process()

    def init_signals(self) -> None:
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        for number in STOPPING:
            self._loop.add_signal_handler(number, self._stopping.set)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        settings = self.app.config.web
        open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Two files each: the socket, and a large picture on its way.
        peers = Connections(settings, min(settings.max_connections, (open_files - _OTHER_FILES) // 2))
        await self.wsgi.start()
        # The objects that exist now live as long as the process. To look through them for garbage after every 700 new
        # objects doubled the longest wait for a response while 500 connections arrived.
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        servers = [await self._listen(each.sock, peers) for each in self.sockets]
        peers.watch(self._loop)
        self._beat()
        # The kernel forgets this when the user id changes, so it comes after init_process.
        end_with_parent(signal.SIGTERM)
        if self._is_orphaned():
            self._stopping.set()
        await self._stopping.wait()
        await self._drain(servers, peers)

    async def _listen(self, listener: socket.socket, peers: Connections) -> asyncio.Server:
        create = self._loop.create_unix_server if listener.family == socket.AF_UNIX else self._loop.create_server
        server: asyncio.Server = await create(lambda: Connection(self.wsgi, peers), sock=listener)
        # asyncio listens with a backlog of 100, because it also accepts that many connections in a row. Raise the
        # kernel's queue alone. To accept fewer in a row divides a burst no better, since the worker that wakes first
        # goes on accepting: of 32 connections at once, the busier of two workers got a median of 32 with 100 or 16
        # in a row, and of 31 with 8 or 2 (60 bursts each, two busy CPUs).
        listener.listen(BACKLOG)
        return server

    def _beat(self) -> None:
        """Tell the master once a second that this process is alive. Stop if the master is gone."""
        self.notify()
        if self._is_orphaned():
            self._stopping.set()
        self._loop.call_later(_HEARTBEAT_S, self._beat)

    def _is_orphaned(self) -> bool:
        return os.getppid() != self.ppid

    async def _stop_listening(self, servers: list[asyncio.Server]) -> None:
        """
        Accept no more connections.

        asyncio drops those that it has accepted when the server is closed before it has made their protocol. So stop
        accepting, wait for the protocols, and then close.
        """
        for server in servers:
            for listener in server.sockets:  # none once it is closed
                self._loop.remove_reader(listener.fileno())
        await asyncio.sleep(_PAUSE_S)
        for server in servers:
            server.close()

    async def _drain(self, servers: list[asyncio.Server], peers: Connections) -> None:
        """Finish what is under way. If systemd holds the socket too, leave new connections to the next process."""
        front, deadline = self.wsgi, self._loop.time() + self.app.config.web.drain_timeout_s
        front.draining = True
        if self._is_orphaned() or self.app.inherits_sockets:
            await self._stop_listening(servers)
        peers.close_idle()
        while front.is_busy and self._loop.time() < deadline:
            await asyncio.sleep(_PAUSE_S)
        await self._stop_listening(servers)
        peers.close_waiting()
        while (len(peers) or front.is_busy) and self._loop.time() < deadline:
            await asyncio.sleep(_PAUSE_S)
        await front.stop()
