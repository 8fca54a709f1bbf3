"""gunicorn, configured by our settings alone."""

import gc
import math
import os
import resource
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication

from imgcdn.config import Config
from imgcdn.renderers.priority import drop_realtime_capability
from imgcdn.service.assembly import assemble
from imgcdn.web.arenas import bound_arenas
from imgcdn.web.front import Front
from imgcdn.web.listening import inherits_sockets, listen, tune
from imgcdn.web.worker import STOPPING


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """
    The service under gunicorn.

    Args:
        config: The settings, which the workers read too.
        when_ready: Called once with the address, HOST:PORT or unix:/PATH, when the service listens.

    Raises:
        ConfigError: The cache folder cannot be used.
        ListenError: The address cannot be used.
    """

    def __init__(self, config: Config, *, when_ready: Callable[[str], None]) -> None:
        self.config = config
        self.inherits_sockets = inherits_sockets()
        self._when_ready = when_ready
        # Both before any fork, so that a mistake is reported at once. gunicorn itself would try a taken address for
        # five seconds, and remove the Unix socket of another service.
        self._parts = assemble(config)
        # The descriptor keeps its name for gunicorn, which reads its settings again at SIGHUP.
        self._bind = None if self.inherits_sockets else f"fd://{listen(config.web.bind).detach()}"
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's own settings."""
        settings: dict[str, Any] = {
            "workers": self.config.web.workers,
            "worker_class": "imgcdn.web.worker.HttpWorker",
            "preload_app": True,
            # Whole seconds, and later than the worker's own deadline, which is the setting.
            "graceful_timeout": math.ceil(self.config.web.drain_timeout_s) + 1,
            "control_socket_disable": True,
            "proc_name": "imgcdn",
            "errorlog": None,  # its lines go to our handler (`web.logs.configure`)
            "loglevel": "warning",
            "when_ready": self._set_out,
        }
        if self._bind is not None:
            settings["bind"] = self._bind
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Front:
        """Return what every worker serves."""
        config = self.config
        web = config.web.without_bind() if self.inherits_sockets else config.web
        return Front(web, config.request, self._parts, max_waiting=config.service.max_waiting)

    def _set_out(self, arbiter: Any) -> None:
        """Announce the service, before the first worker is forked."""
        _stop_gently()
        listeners: list[socket.socket] = [each.sock for each in arbiter.LISTENERS]
        for listener in listeners:
            tune(listener)
        self._when_ready(_address(listeners[0].getsockname()))
        # What exists now lives as long as the process. The collector would write to each object, and a worker that does
        # shares the memory no longer with the others. At the end, it would take another tenth of a second.
        gc.freeze()
        gc.enable()


def _stop_gently() -> None:
    """
    Let SIGINT and SIGQUIT stop gunicorn's master as SIGTERM does.

    To gunicorn, they mean that running requests are not waited for. But a terminal sends SIGINT to the whole process
    group, some service managers do too, and a person presses Ctrl-C twice.
    """
    on_sigterm = signal.getsignal(signal.SIGTERM)
    assert callable(on_sigterm)

    def stop(number: int, frame: FrameType | None) -> None:
        on_sigterm(signal.SIGTERM, frame)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGQUIT, stop)


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
    """
    Serve until SIGTERM or SIGINT; does not return.

    Raises:
        ConfigError: The cache folder cannot be used.
        ListenError: The address cannot be used.
    """
    drop_realtime_capability()
    bound_arenas()
    _raise_file_limit()
    _hold_signals_over_forks()
    Server(config, when_ready=when_ready).run()
