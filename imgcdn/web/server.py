"""gunicorn, started from our settings and nothing else."""

from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from imgcdn.config import Config
from imgcdn.service.assembly import assemble
from imgcdn.service.priority import drop_realtime_capability
from imgcdn.web.edge import Edge

#: Of a request line, which is the target with the method and version around it: our own limit, with a clear answer,
#: is reached first. gunicorn allows no more than this.
_REQUEST_LINE_LIMIT = 8_190

#: Seconds an idle connection is kept: longer than a browser's pause between two pictures of a page.
_KEEPALIVE_S = 15


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """
    The service under gunicorn.

    Args:
        config: The settings.
        when_ready: Called once, when the service listens, with the address: HOST:PORT or unix:/PATH.
    """

    def __init__(self, config: Config, *, when_ready: Callable[[str], None]) -> None:
        self._config = config
        self._when_ready = when_ready
        # Put together here, before any fork, so that a mistake is told before anything listens.
        self._parts = assemble(config)
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn needs to know."""
        settings: dict[str, Any] = {
            "bind": self._config.bind,
            "workers": self._config.workers,
            "worker_class": "imgcdn.web.worker.EdgeWorker",
            "preload_app": True,
            "graceful_timeout": int(self._config.drain_timeout_s),
            "keepalive": _KEEPALIVE_S,
            "limit_request_line": _REQUEST_LINE_LIMIT,
            "control_socket_disable": True,
            "proc_name": "imgcdn",
            "loglevel": "warning",
            "when_ready": lambda arbiter: self._when_ready(_address(arbiter.LISTENERS[0].sock.getsockname())),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Edge:
        """Return the application that every worker serves."""
        return Edge(self._config, self._parts)


def _address(name: str | tuple[Any, ...]) -> str:
    if isinstance(name, str):
        return f"unix:{name}"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def serve(config: Config, *, when_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; does not return."""
    drop_realtime_capability()
    Server(config, when_ready=when_ready).run()
