"""What ends a fetch: its deadline, or the `Stop` of its caller."""

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType


class Watch:
    """
    The deadline of one fetch in all: when it has passed, its sockets are shut down, whatever they wait for.

    A library's timeout is no deadline: each byte starts it anew. A shut socket may look like the normal end of a body,
    so `fired` has to be asked before anything is believed.

    Args:
        seconds: From entering the context on.
    """

    def __init__(self, seconds: float) -> None:
        self.fired = False
        self._ends = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._held: list[socket.socket] = []
        self._actions: list[Callable[[], object]] = []
        self._timer = threading.Timer(seconds, self.fire)
        self._timer.daemon = True

    @property
    def remaining_s(self) -> float:
        """Seconds that are left, never fewer than a timeout can be set to."""
        return max(0.001, self._ends - time.monotonic())

    def hold(self, sock: socket.socket) -> None:
        """Have this socket's connection end with the watch, also after TLS has taken the socket over."""
        twin = socket.fromfd(sock.fileno(), sock.family, sock.type)  # a duplicate
        with self._lock:
            self._held.append(twin)
            if self.fired:
                _shut(twin)

    def fire(self) -> None:
        """End the fetch now: shut its sockets down, whatever they wait for."""
        with self._lock:
            self.fired = True
            self._ends = min(self._ends, time.monotonic())
            for twin in self._held:
                _shut(twin)
            for action in self._actions:
                action()

    def on_fire(self, action: Callable[[], object]) -> None:
        """
        Register an action that ends a wait for something other than a socket. It runs at once if the watch has fired.

        Args:
            action: Must not block, and may run more than once.
        """
        with self._lock:
            self._actions.append(action)
            if self.fired:
                action()

    def let_go(self) -> None:
        """Forget the sockets: a connection that went back to its pool may serve another fetch by now."""
        with self._lock:
            for twin in self._held:
                twin.close()
            self._held.clear()

    def __enter__(self) -> "Watch":
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self.let_go()


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # not connected yet, or no longer
        pass
