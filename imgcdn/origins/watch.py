"""What ends a fetch: its deadline, or the `Stop` of its caller."""

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType


class Watch:
    """
    The deadline of a whole fetch. When it passes, the sockets of the fetch are shut down, which ends every wait.

    A library's timeout is not a deadline, because each received byte restarts it. After a shutdown, the end of the data
    may look like the normal end of a body, so check `fired` before using a response.

    Args:
        seconds: Time from entering the context to the deadline.
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
        """Seconds to the deadline, at least 1 ms, because a timeout of 0 would mean something else."""
        return max(0.001, self._ends - time.monotonic())

    def hold(self, sock: socket.socket) -> None:
        """End this socket's connection with the watch, also if TLS wraps the socket later."""
        twin = socket.fromfd(sock.fileno(), sock.family, sock.type)  # a duplicate
        with self._lock:
            self._held.append(twin)
            if self.fired:
                _shut(twin)

    def fire(self) -> None:
        """End the fetch now: shut its sockets down and run the registered actions."""
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
        """Forget the sockets. A connection that went back to its pool may already serve another fetch."""
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
        with self._lock:  # it may be firing
            self._actions.clear()
        # The timer and the actions refer to the watch. Without this, each fetch would leave 28 objects to the collector
        # of cycles, which runs rarely.
        del self._timer


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # not connected yet, or no longer
        pass
