"""
Connections to checked addresses. The deadline of a fetch shuts them down.

A host is resolved once for each connection. Every address is checked, and the connection goes to one of them, so no
second look-up can give another address. Host header, SNI and certificate keep the name. A connection that is kept alive
stays with the address that was checked.
"""

import errno
import os
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import create_urllib3_context

from imgcdn.errors import ConfigError, Forbidden, OriginError, OriginTimeout
from imgcdn.origins.addresses import AddressRule
from imgcdn.origins.responses import StrictResponse
from imgcdn.origins.watch import Watch

#: (host, port) -> addresses as text. Raises OSError if there are none.
Resolver = Callable[[str, int], Sequence[str]]

# A look-up cannot be stopped, so the number of running ones is limited. Further fetches wait until their own deadline.
_MAX_LOOKUPS = 32
# A fetch that waits for one of these places looks this often whether it was stopped or its time is over.
_POLL_S = 0.1
# Only this many addresses of a host are tried. Each gets a share of the time to connect.
_MAX_TRIED = 4
_POOLS, _IDLE_IN_POOL = 64, 64


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Resolve with the system: by DNS, hosts file, and every spelling of an address that it reads."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(slots=True)
class Attempt:
    """
    What a connection needs to know about its request.

    Args:
        target: Path and query of its URL, exactly as they are sent.
        watch: The deadline of the fetch.
        connect_timeout_s: Time for look-up and connecting, in seconds.
        reused: Whether the request was sent on a connection that had been kept alive.
        address: The address that it was sent to.
    """

    target: str
    watch: Watch
    connect_timeout_s: float
    reused: bool = True
    address: str = ""


class Dialler:
    """
    Resolves, checks and connects.

    Args:
        rule: The rule for addresses; None for the hosts of mounts, which the operator chose.
        overrides: (host, port) -> addresses to use instead of the resolver's. They are checked too.
        resolver: Called in a thread of its own.
    """

    def __init__(
        self, rule: AddressRule | None, overrides: Mapping[tuple[str, int], Sequence[str]], resolver: Resolver
    ) -> None:
        self._rule = rule
        self._overrides = overrides
        self._resolver = resolver
        self._lookups = threading.BoundedSemaphore(_MAX_LOOKUPS)
        self._current = threading.local()

    @property
    def attempt(self) -> Attempt:
        """The attempt of the current thread."""
        attempt: Attempt = self._current.attempt
        return attempt

    @contextmanager
    def trying(self, attempt: Attempt) -> Iterator[None]:
        """Set the attempt of the current thread. requests has no argument to pass it through."""
        self._current.attempt = attempt
        try:
            yield
        finally:
            del self._current.attempt

    def connect(self, host: str, port: int) -> socket.socket:
        """
        Return a connection to a checked address of this host.

        Raises:
            Forbidden: One of its addresses is refused.
            OriginError: The host has no address, or no address can be connected to.
        """
        attempt = self.attempt
        attempt.reused = False
        ends = time.monotonic() + min(attempt.connect_timeout_s, attempt.watch.remaining_s)
        addresses = self._resolve_checked(host, port, ends)[:_MAX_TRIED]
        failures = []
        for index, address in enumerate(addresses):
            share_s = (ends - time.monotonic()) / (len(addresses) - index)
            try:
                sock = _connect_to(address, port, max(0.001, share_s), attempt.watch)
                sock.settimeout(attempt.connect_timeout_s)  # the TLS handshake gets the whole time again
                attempt.address = address
                return sock
            except TimeoutError as error:
                failure: OriginError = OriginTimeout("The origin did not answer in time.", log=f"{host}: connecting")
                failures.append((failure, f"{address}: {error}"))
            except OSError as error:
                failures.append((OriginError("The origin cannot be reached."), f"{address}: {error}"))
        failure, _ = failures[-1]
        failure.log = f"{host}:{port} did not connect: {'; '.join(text for _, text in failures)}"
        raise failure

    def _resolve_checked(self, host: str, port: int, ends: float) -> Sequence[str]:
        addresses = self._overrides.get((host, port)) or self._look_up(host, port, ends)
        if not addresses:
            raise OriginError("The origin's host was not found.", log=f"{host} has no addresses")
        for address in addresses:
            reason = self._rule and self._rule.refusal(address)
            if reason:
                raise Forbidden(f"{host} is at {address}: {reason}. The setting allow_addresses can admit it")
        return addresses

    def _look_up(self, host: str, port: int, ends: float) -> Sequence[str]:
        timeout = OriginTimeout("The origin's host was not found in time.", log=f"looking up {host} took too long")
        watch = self.attempt.watch
        while not self._lookups.acquire(timeout=_POLL_S):
            if watch.fired or time.monotonic() >= ends:
                raise timeout
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()
        try:
            threading.Thread(target=self._run_resolver, args=(host, port, answers), name="lookup", daemon=True).start()
        except RuntimeError:
            self._lookups.release()
            raise
        watch.on_fire(lambda: answers.put(timeout))
        try:
            answer = answers.get(timeout=max(0.0, ends - time.monotonic()))
        except queue.Empty as error:
            raise timeout from error
        if isinstance(answer, Exception):
            raise OriginError("The origin's host was not found.", log=f"looking up {host}: {answer}") from answer
        return answer

    def _run_resolver(self, host: str, port: int, answers: "queue.SimpleQueue[Sequence[str] | Exception]") -> None:
        try:
            answers.put(self._resolver(host, port))
        except Exception as error:  # noqa: BLE001  # the end of a thread: the waiting fetch raises it
            answers.put(error)
        finally:
            self._lookups.release()


class Transport(HTTPAdapter):
    """
    requests' adapter with our connections.

    It is used without a Session. A Session reads proxies, .netrc and CA variables from the environment, keeps cookies,
    and reads the bodies of redirects without limit.

    Args:
        dialler: Makes the connections.
        tls: The context that verifies certificates.
    """

    def __init__(self, dialler: Dialler, tls: ssl.SSLContext) -> None:
        self.dialler = dialler
        self._pools: dict[str, Callable[..., Any]] = {
            "http": partial(_Pool, dialler=dialler),
            "https": partial(_TlsPool, dialler=dialler, ssl_context=tls),
        }
        super().__init__(pool_connections=_POOLS, pool_maxsize=_IDLE_IN_POOL)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: the pool's context verifies. The base class would read the CA bundle for each connection."""


def tls_context(ca_bundle: str) -> ssl.SSLContext:
    """
    Return the context that verifies certificates.

    Args:
        ca_bundle: A PEM file; empty for the packaged authorities.

    Raises:
        ConfigError: The file cannot be read.
    """
    context = create_urllib3_context()
    try:
        context.load_verify_locations(cafile=ca_bundle or DEFAULT_CA_BUNDLE_PATH)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"ca_bundle: {ca_bundle} has no certificates that can be read: {error}") from error
    return context


class _Connection(HTTPConnection):
    """Connects through the dialler, registers its socket with the fetch's watch, and sends the attempt's target."""

    response_class = StrictResponse

    def __init__(self, *args: Any, dialler: Dialler, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dialler = dialler
        self._address = ""

    def _new_conn(self) -> socket.socket:
        sock = self._dialler.connect(self._dns_host, self.port)
        self._address = self._dialler.attempt.address
        return sock

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        attempt = self._dialler.attempt
        if attempt.reused and self.sock is not None:
            attempt.address = self._address
            attempt.watch.hold(self.sock)
        # Not `url`: requests and urllib3 rewrite targets, so they get another one (`RemoteUrl.root`).
        super().request(method, attempt.target, *args, **kwargs)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same connection with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _connect_to(address: str, port: int, timeout_s: float, watch: Watch) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        code = sock.connect_ex((address, port))
        watch.hold(sock)  # after connect_ex: shutting a socket down before it connects has no effect
        if code == errno.EINPROGRESS:
            code = _wait_until_connected(sock, timeout_s)
        if code:
            raise OSError(code, os.strerror(code))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock


def _wait_until_connected(sock: socket.socket, timeout_s: float) -> int:
    """Return the error number of an attempt to connect, or 0."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    if not poll.poll(timeout_s * 1000):
        return errno.ETIMEDOUT
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
