"""gunicorn, started from our settings and nothing else."""

import math
import os
import resource
import signal
import socket
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from imgcdn.config import Config
from imgcdn.renderers.priority import drop_realtime_capability
from imgcdn.service.assembly import assemble
from imgcdn.web.asgi import Edge
from imgcdn.web.worker import STOPPING

#: Of a request line, which is the target with the method and version around it: our own limit, with a clear answer,
#: is reached first. gunicorn allows no more than this.
_REQUEST_LINE_LIMIT = 8_190

#: Bytes that the kernel takes for a client before it sends them. Without a bound a reader that stalls holds 2.5 MB
#: there, and one that is slow shows no progress for a minute.
_UNSENT_IN_KERNEL = 128 * 1024


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """
    The service under gunicorn.

    Args:
        config: The settings; the workers read them, too.
        when_ready: Called once, when the service listens, with the address: HOST:PORT or unix:/PATH.
    """

    def __init__(self, config: Config, *, when_ready: Callable[[str], None]) -> None:
        self.config = config
        self._when_ready = when_ready
        # Put together here, before any fork, so that a mistake is told before anything listens.
        self._parts = assemble(config)
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn needs to know."""
        settings: dict[str, Any] = {
            "bind": self.config.web.bind,
            "workers": self.config.web.workers,
            "worker_class": "imgcdn.web.worker.EdgeWorker",
            "preload_app": True,
            "graceful_timeout": int(self.config.web.drain_timeout_s),
            "keepalive": math.ceil(self.config.web.idle_timeout_s),
            "limit_request_line": _REQUEST_LINE_LIMIT,
            "control_socket_disable": True,
            "proc_name": "imgcdn",
            "loglevel": "warning",
            "when_ready": lambda arbiter: self._listens(arbiter.LISTENERS[0].sock),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Edge:
        """Return the application that every worker serves."""
        return Edge(self.config, self._parts)

    def _listens(self, listener: socket.socket) -> None:
        if listener.family != socket.AF_UNIX:
            # Inherited by what is accepted; before a worker is there, which would be too late for the first.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_IN_KERNEL)
        self._when_ready(_address(listener.getsockname()))


def _address(name: str | tuple[Any, ...]) -> str:
    if isinstance(name, str):
        return f"unix:{name}"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _raise_file_limit() -> None:
    """Allow as many open files as we may: the usual 1024 is there for programs that call select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _hold_signals_over_forks() -> None:
    """
    Keep what is to stop a worker until it listens to signals.

    Between its fork and that moment it has the handlers of gunicorn's master, which would take the signal and do
    nothing; and the master sends it once, then waits for as long as a drain may take.
    """
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING),
    )


def serve(config: Config, *, when_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; does not return."""
    drop_realtime_capability()
    _raise_file_limit()
    _hold_signals_over_forks()
    Server(config, when_ready=when_ready).run()
