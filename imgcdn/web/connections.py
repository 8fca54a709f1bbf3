"""
Connections with deadlines: a client that is slow to send, to read or to leave delays nobody and holds little.

gunicorn's asgi worker serves any number of slow clients beside a fresh one, but closes none of them, until it runs
out of files, and keeps the whole of what a stalled reader asked for. Here every connection is watched by one sweep a
second, so that a hit pays for no timer, and large bodies are handed out in slices.
"""

import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import monotonic
from typing import Any, NamedTuple

from gunicorn.asgi.protocol import ASGIProtocol

from imgcdn.core.values import Body
from imgcdn.web.responses import SLICE_BYTES
from imgcdn.web.settings import WebSettings
from imgcdn.web.turns import Turns
from imgcdn.web.unsent import Unsent

_log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

#: Of a request's head and of its body, which nothing here reads. gunicorn bounds a header and their number: 0.8 MB.
_HEAD_BYTES = 32 * 1024
_BODY_BYTES = 64 * 1024

_SWEEP_S = 1.0

#: Seconds for a slice once the worker only waits for its readers.
_LAST_WRITE_S = 5.0

#: The part of all connections that is closed when there are too many: sorting them for each newcomer would cost more
#: than the newcomer does.
_EVICTED_PART = 16

#: Linger, for no time at all.
_RESET = struct.pack("ii", 1, 0)


class Patience(NamedTuple):
    """Seconds that a client gets to finish a request's head, to begin the next one, and to read a slice."""

    head_s: float
    idle_s: float
    write_s: float


class Connections:
    """
    The open connections of one worker.

    Args:
        settings: How patient the service is with clients.
        limit: How many may be open. When more come, those that have waited longest for their client are closed: a new
            one is a request until it proves to be slow.
    """

    def __init__(self, settings: WebSettings, limit: int) -> None:
        self.patience = Patience(settings.header_timeout_s, settings.idle_timeout_s, settings.write_timeout_s)
        self.unsent = Unsent(settings.max_unsent_bytes)
        self.turns = Turns()
        self._limit = limit
        self._open: set[Connection] = set()

    def watch(self, loop: Any) -> None:
        """Close, once a second, what has passed its deadline."""
        loop.call_later(_SWEEP_S, self.watch, loop)
        self._sweep()

    def admit(self, connection: "Connection") -> None:
        """Count a connection in."""
        self._open.add(connection)
        if len(self._open) > self._limit:
            waiting = sorted((since, id(other), other) for other in self._open if (since := other.waiting_since))
            self._close(other for _, _, other in waiting[: 1 + self._limit // _EVICTED_PART])

    def discard(self, connection: "Connection") -> None:
        """Count a connection out."""
        self._open.discard(connection)

    def close_idle(self) -> None:
        """Close what is kept for a next request, now and from now on."""
        self.patience = self.patience._replace(idle_s=0)
        self._sweep()

    def close_waiting(self) -> None:
        """Close what has sent no whole request, now and from now on, and hurry readers."""
        self.patience = Patience(0, 0, min(self.patience.write_s, _LAST_WRITE_S))
        self._sweep()

    def _sweep(self) -> None:
        now = monotonic()
        self._close([each for each in self._open if each.is_overdue(now)])

    def _close(self, connections: "Iterable[Connection]") -> None:
        for connection in connections:
            # Not when asyncio says that it is closed: until then a burst of newcomers would find it here, and no other.
            self._open.discard(connection)
            connection.give_up()


class _Sender:
    """Passes an answer on, but keeps a large body for whoever awaited the application: its frames are gone by then."""

    __slots__ = ("_send", "body", "start")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.start: Message = {}
        self.body: Body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        elif len(message.get("body", b"")) > SLICE_BYTES and not message.get("more_body", False):
            self.body = message["body"]
            return
        await self._send(message)

    def key(self) -> object:
        """Return what equal bodies have in common: the ETag of a whole one, which is a hash of it."""
        tags = [value for name, value in self.start["headers"] if name == b"etag"]
        return tags[0] if tags and self.start["status"] == 200 else id(self.body)


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn ships no types
    """
    gunicorn's connection, which knows since when it waits for its client.

    Args:
        worker: gunicorn's worker.
        peers: All connections of that worker.
    """

    app: Any
    _body_receiver: Any
    _current_request: Any
    _flow_control: Any
    _request_ready: Any
    _closed: bool
    transport: Any

    def __init__(self, worker: Any, peers: Connections) -> None:
        super().__init__(worker)
        self._edge, self.app = self.app, self._answer
        self._max_buffer_size = _BODY_BYTES
        self._peers = peers
        self._head_bytes = 0
        self._head_since: float | None = None
        self._idle_since: float | None = None
        self._sending = False
        self._left_half = False
        #: Since when a slice has been in the buffer; None: the kernel has taken everything.
        self.stalled_since: float | None = None

    @property
    def waiting_since(self) -> float | None:
        """Since when the client has owed something; None: it is our turn."""
        if self.stalled_since is not None:
            return self.stalled_since
        if self._current_request is not None:
            return None
        return self._idle_since if self._head_since is None else self._head_since

    def is_overdue(self, now: float) -> bool:
        """Tell whether the client has kept us waiting for too long."""
        since = self.waiting_since
        if since is None:
            return False
        patience = self._peers.patience
        if self.stalled_since is not None:
            return now - since >= patience.write_s
        return now - since >= (patience.idle_s if self._head_since is None else patience.head_s)

    def give_up(self) -> None:
        """Close the connection; what its client has not read is dropped."""
        if self.stalled_since is not None:
            # Reset, so that the kernel drops its part, too; close() would even wait for the reader.
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()
        else:
            self._close_transport()
            self._request_ready.set()  # gunicorn's task waits for a request

    # What follows is called by asyncio.

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Paused by the first byte that the kernel does not take, resumed by the last: between the two lies one slice.
        transport.set_write_buffer_limits(high=0)
        self._head_since = monotonic()
        self._peers.admit(self)

    def pause_writing(self) -> None:
        self.stalled_since = monotonic()
        super().pause_writing()
        self._pause_reading()  # who does not read is not listened to: requests in a row would pile up

    def resume_writing(self) -> None:
        self.stalled_since = None
        super().resume_writing()
        self._resume_reading()

    def eof_received(self) -> bool:
        """Keep a connection whose client will say no more but reads on (`nc -N`); else the body would end here."""
        self._left_half = True
        return self._sending

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._peers.discard(self)
        self.resume_writing()  # or gunicorn's task would wait for three seconds, with its body

    # And what follows by gunicorn.

    def _feed_callback_parser(self, data: bytes) -> bool:
        served = self._current_request is not None
        is_body = served and not self._body_receiver._complete
        goes_on: bool = super()._feed_callback_parser(data)
        if is_body:
            return goes_on
        if self._current_request is not None and not served:
            self._head_since, self._head_bytes = None, 0
        else:
            self._count_head(len(data), ahead=served)
        return goes_on and not self._closed

    def _count_head(self, length: int, *, ahead: bool) -> None:
        """
        Bound a head that is not complete.

        Args:
            length: Bytes of it that have come.
            ahead: They belong to requests after the one that is being answered. gunicorn does not count these either.
        """
        self._head_bytes += length
        if not ahead:
            # The clock starts with the first byte and no later one sets it back.
            self._head_since = self._head_since or monotonic()
        if self._head_bytes > _HEAD_BYTES and ahead:
            self._close_transport()
        elif self._head_bytes > _HEAD_BYTES:
            self._refuse(431, "The headers are too large.")

    def _on_headers_complete(self) -> Any:
        skip = super()._on_headers_complete()
        request = self._current_request
        if request.chunked or (request.content_length or 0) > _BODY_BYTES:
            self._refuse(413, "Send no body.")
        return skip

    def _resume_reading(self) -> None:
        if self.stalled_since is None:
            super()._resume_reading()

    def _refuse(self, status: int, text: str) -> None:
        self._send_error_response(status, text)
        self._close_transport()
        self._request_ready.set()

    def _arm_keepalive_timer(self) -> None:
        # Instead of gunicorn's timer, one a request.
        self._idle_since = monotonic()

    def _cancel_keepalive_timer(self) -> None:
        self._idle_since = None

    async def _answer(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        if self.stalled_since is not None:
            # gunicorn writes an answer without a body and goes on: answers to HEADs in a row would pile up.
            await self._flow_control.drain()
        sender = _Sender(send)
        await self._edge(scope, receive, sender)
        if sender.body:
            await self._deliver(sender, send)

    async def _deliver(self, sender: _Sender, send: Send) -> None:
        key = sender.key()
        body = self._peers.unsent.hold(key, sender.body, self)
        sender.body = b""
        self._sending = True
        try:
            await self._send_slices(body, send)
        except OSError:
            # Its length has been said, so an end that comes too early is all that can still tell the client.
            _log.exception("a body could not be read to its end")
            self.transport.abort()
        finally:
            self._sending = False
            self._peers.unsent.drop(key, self)
            if self._left_half:
                self._close_transport()

    async def _send_slices(self, body: Body, send: Send) -> None:
        for start in range(0, len(body), SLICE_BYTES):
            await self._peers.turns.take()
            end = start + SLICE_BYTES
            await send({"type": "http.response.body", "body": body[start:end], "more_body": end < len(body)})
            if self.transport.is_closing():
                # asyncio tells of it later, and warns of every piece that is written meanwhile.
                self._close_transport()
                return
