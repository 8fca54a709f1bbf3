"""gunicorn, configured by our settings alone."""

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

#: Bytes of a request line: method, target and version. gunicorn allows no more than this. Our own limit for targets is
#: lower and gives a clear error.
_REQUEST_LINE_LIMIT = 8_190

#: Unsent bytes that the kernel buffers for a client. Without this bound, a stalled reader holds 2.5 MB there, and a
#: slow one shows no progress for a minute.
_UNSENT_IN_KERNEL = 128 * 1024


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """
    The service under gunicorn.

    Args:
        config: The settings, which the workers read too.
        when_ready: Called once with the address, HOST:PORT or unix:/PATH, when the service listens.
    """

    def __init__(self, config: Config, *, when_ready: Callable[[str], None]) -> None:
        self.config = config
        self._when_ready = when_ready
        # Assembled before any fork, so that a mistake is reported before anything listens.
        self._parts = assemble(config)
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's own settings."""
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
            "when_ready": lambda arbiter: self._tune_and_announce(arbiter.LISTENERS[0].sock),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Edge:
        """Return the application that every worker serves."""
        return Edge(self.config, self._parts)

    def _tune_and_announce(self, listener: socket.socket) -> None:
        if listener.family != socket.AF_UNIX:
            # Accepted sockets inherit this. Once a worker runs, it would be too late for the first of them.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_IN_KERNEL)
        self._when_ready(_address(listener.getsockname()))


def _address(name: str | tuple[Any, ...]) -> str:
    if isinstance(name, str):
        return f"unix:{name}"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _raise_file_limit() -> None:
    """Raise the limit of open files as far as permitted. The usual 1024 exists for programs that call select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _hold_signals_over_forks() -> None:
    """
    Block the signals that stop a worker, from its fork until it has its own handlers.

    Until then it has the handlers of gunicorn's master, which would take the signal and do nothing. The master sends
    the signal only once, then waits for as long as a drain may take.
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
