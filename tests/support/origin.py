"""A real origin for tests: a server on its own port that can be slow, send too much, lie and redirect."""

import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

#: Host names of the certificate that `certificate` makes.
NAME = "origin.test"
OTHER_NAME = "other.origin.test"

_REASONS = {200: "OK", 302: "Found", 304: "Not Modified", 404: "Not Found"}


@dataclass(frozen=True, slots=True)
class Request:
    """
    A request that arrived; header names are in lower case, in the order received.

    Args:
        connection: Number of the connection it arrived on, from 1.
        head: Its request line and headers, byte for byte.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    connection: int
    head: bytes


class Exchange:
    """A request and the socket for its response."""

    def __init__(self, request: Request, sock: socket.socket, stopping: threading.Event) -> None:
        self.request = request
        self.keep = True
        self._sock = sock
        self._stopping = stopping

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def wait(self, seconds: float) -> None:
        """Sleep, but end with an error as soon as the origin stops."""
        if self._stopping.wait(seconds):
            raise ConnectionAbortedError

    def head(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        fields = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.send(f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\n{fields}\r\n".encode("latin-1"))

    def respond(self, body: bytes = b"", *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.head(status, {"Content-Length": str(len(body)), **(headers or {})})
        if status not in (204, 304):
            self.send(body)

    def close(self) -> None:
        """End the connection after this exchange."""
        self.keep = False


Script = Callable[[Exchange], None]


def respond(body: bytes = b"", *, status: int = 200, **headers: str) -> Script:
    """Send a plain response; `cache_control="..."` sets the header Cache-Control."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return lambda exchange: exchange.respond(body, status=status, headers=named)


def redirect(to: str, status: int = 302, body: bytes = b"moved") -> Script:
    return lambda exchange: exchange.respond(body, status=status, headers={"Location": to})


def in_turn(*scripts: Script) -> Script:
    """Use the next script for each request, and the last one for all further requests."""
    waiting = list(scripts)

    def script(exchange: Exchange) -> None:
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(exchange)

    return script


def validated(body: bytes, *, etag: str = "", last_modified: str = "") -> Script:
    """Send 304 if the request has this validator, otherwise the body."""

    def script(exchange: Exchange) -> None:
        given = exchange.request.headers
        headers = {"ETag": etag, "Last-Modified": last_modified}
        named = {name: value for name, value in headers.items() if value}
        same = etag and given.get("if-none-match") == etag
        same = same or (last_modified and given.get("if-modified-since") == last_modified)
        exchange.respond(b"" if same else body, status=304 if same else 200, headers=named)

    return script


def raw(*pieces: bytes, pause_s: float = 0.0, close: bool = True) -> Script:
    """Send exactly these bytes."""

    def script(exchange: Exchange) -> None:
        for piece in pieces:
            exchange.send(piece)
            exchange.wait(pause_s)
        exchange.keep = not close

    return script


def silent(exchange: Exchange) -> None:
    """Send no response."""
    exchange.wait(60)


def drip_header(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    _drip(exchange, b"a")


def drip_body(exchange: Exchange) -> None:
    exchange.head(200, {"Content-Length": "100000"})
    _drip(exchange, b"a")


def drip_without_length(exchange: Exchange) -> None:
    """Send a body that ends when the connection closes, so that a truncated body looks complete."""
    exchange.head(200)
    _drip(exchange, b"a")


def drip_chunk_size(exchange: Exchange) -> None:
    """Send zeros as the size of a chunk: at each moment they could begin the last chunk."""
    exchange.head(200, {"Transfer-Encoding": "chunked"})
    _drip(exchange, b"0")


def drip_interim(exchange: Exchange) -> None:
    _drip(exchange, b"HTTP/1.1 103 Early Hints\r\n\r\n")


def drip_redirect_body(exchange: Exchange) -> None:
    exchange.head(302, {"Location": "/elsewhere", "Content-Length": "10000"})
    _drip(exchange, b"a")


def endless(exchange: Exchange) -> None:
    """Send a body without end and without a length, as fast as possible."""
    exchange.head(200, {"Content-Type": "image/jpeg"})
    while True:
        exchange.send(b"\xff" * 65_536)


def endless_chunks(exchange: Exchange) -> None:
    exchange.head(200, {"Transfer-Encoding": "chunked"})
    while True:
        exchange.send(b"10000\r\n" + b"\xff" * 65_536 + b"\r\n")


def half(body: bytes) -> Script:
    """Promise the whole body in Content-Length and send half of it."""

    def script(exchange: Exchange) -> None:
        exchange.head(200, {"Content-Length": str(len(body))})
        exchange.send(body[: len(body) // 2])
        exchange.close()

    return script


def zipped(body: bytes) -> Script:
    return respond(gzip.compress(body), content_encoding="gzip")


def dropped(exchange: Exchange) -> None:
    """Close the connection without sending a byte."""
    exchange.close()


def _drip(exchange: Exchange, piece: bytes) -> None:
    while True:
        exchange.send(piece)
        exchange.wait(0.05)


@dataclass(slots=True)
class Origin:
    """
    A running origin.

    Args:
        scripts: Path and query -> what to do; any other target gets a 404.
        connections: Number of accepted connections.
        requests: All requests, in the order they arrived.
    """

    listener: socket.socket
    port: int
    scheme: str
    scripts: dict[str, Script] = field(default_factory=dict)
    connections: int = 0
    requests: list[Request] = field(default_factory=list)

    def url(self, path: str = "/a.jpg", host: str = NAME) -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def count(self, target: str) -> int:
        """Count the requests for a target."""
        return sum(request.target == target for request in self.requests)


@contextlib.contextmanager
def running(
    scripts: Mapping[str, Script] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: tuple[Path, Path] | None = None,
    handshake: bool = True,
) -> Iterator[Origin]:
    """
    Run an origin.

    Args:
        host: The address to listen on.
        tls: From `certificate`; None for plain HTTP.
        handshake: Whether the server takes part in the TLS handshake; False: it stays silent.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=64)
    origin = Origin(listener, listener.getsockname()[1], "https" if tls else "http", dict(scripts or {}))
    server = _Server(origin, _context(tls[1]) if tls else None, handshake=handshake)
    try:
        server.start()
        yield origin
    finally:
        server.stop()


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for NAME, its subdomains and 127.0.0.1; return (CA file, file of certificate and key)."""
    authority = trustme.CA()
    leaf = authority.issue_cert(NAME, f"*.{NAME}", "127.0.0.1")
    crt, pem = folder / "authority.crt", folder / "origin.pem"
    authority.cert_pem.write_to_path(str(crt))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(pem))
    return crt, pem


def _context(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


class _Server:
    """A server with one thread that accepts connections and one for each connection."""

    def __init__(self, origin: Origin, tls: ssl.SSLContext | None, *, handshake: bool) -> None:
        self._origin = origin
        self._tls = tls
        self._handshake = handshake
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]

    def start(self) -> None:
        self._threads[0].start()

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            for sock in (self._origin.listener, *self._open):
                _shut(sock)  # wakes the thread that waits on it
        self._threads[0].join()  # after this no thread is added
        for thread in self._threads[1:]:
            thread.join()
        self._origin.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._origin.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # otherwise a body is sent 40 ms after its head
            with self._lock:
                self._origin.connections += 1
                self._open.add(sock)
                if self._stopping.is_set():
                    _shut(sock)
            thread = threading.Thread(target=self._serve, args=(sock, self._origin.connections))
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw_sock: socket.socket, number: int) -> None:
        sock = raw_sock
        try:
            if not self._handshake:
                self._stopping.wait()
                return
            if self._tls:
                # TLS takes over the socket object, so give it a duplicate: `stop` still needs this one.
                sock = self._tls.wrap_socket(raw_sock.dup(), server_side=True)
            while (request := _read_request(sock, number)) and self._respond(request, sock):
                pass
        except OSError:  # the client has closed the connection, which is allowed
            pass
        finally:
            with self._lock:
                self._open.discard(raw_sock)
            sock.close()
            raw_sock.close()

    def _respond(self, request: Request, sock: socket.socket) -> bool:
        with self._lock:
            self._origin.requests.append(request)
        exchange = Exchange(request, sock, self._stopping)
        self._origin.scripts.get(request.target, respond(b"nothing here", status=404))(exchange)
        return exchange.keep


def _read_request(sock: socket.socket, number: int) -> Request | None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(65_536)
        if not data:
            return None
        head += data
    first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method, target, headers, number, head)


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
