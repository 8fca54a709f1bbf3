"""
One connection of HTTP/1.1: it reads requests, has them answered in their order, and writes the responses.

A slow client delays no other client and takes little memory. A large body is written in slices.
"""

import asyncio
import contextlib
import logging
import socket
import struct
from http import HTTPStatus
from time import monotonic
from typing import cast

from imgcdn.core.values import Body
from imgcdn.web.connections import Connections
from imgcdn.web.front import Front
from imgcdn.web.http1 import Incoming, RequestReader
from imgcdn.web.responses import SLICE_BYTES, Response

_log = logging.getLogger(__name__)

#: Requests of one connection that are answered before other connections get their turn.
_ANSWERS_A_PASS = 16

#: Seconds for which a connection that we end is still read, and what is read is dropped. If unread bytes were left in
#: the kernel, it would send a reset, and the client might lose a response that it has not read yet.
_LINGER_S = 1.0

#: Linger for no time at all.
_RESET = struct.pack("ii", 1, 0)

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.BufferedProtocol):
    """
    One connection.

    Args:
        front: Answers the requests.
        peers: All connections of the worker.
    """

    def __init__(self, front: Front, peers: Connections) -> None:
        self._front = front
        self._peers = peers
        self._transport: asyncio.Transport
        self._reader: RequestReader
        self._loop = asyncio.get_running_loop()
        #: The request that a task waits for, or whose body is being sent. While there is one, no other is answered.
        self._current: Incoming | None = None
        self._task: asyncio.Task[None] | None = None
        self._body: _Sending | None = None
        self._pass_is_due = False
        self._reading_is_paused = False
        self._client_is_done = False
        self._is_closing = False
        self._is_lingering = False
        self._head_since: float | None = None
        self._idle_since: float | None = None
        #: Since when the kernel has taken nothing; None: it has taken everything.
        self.stalled_since: float | None = None

    @property
    def waiting_since(self) -> float | None:
        """Since when the client has kept us waiting; None: it is our turn."""
        if self.stalled_since is not None:
            return self.stalled_since
        if self._current is not None:
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
        """Close the connection. What its client has not read is dropped."""
        if self.stalled_since is None:
            self._close()
            return
        # Reset, so that the kernel drops its part, too; close() would even wait for the reader.
        with contextlib.suppress(OSError):  # it may be closed already
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._is_closing = True
        self._transport.abort()

    # The event loop calls what follows.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # that of a stream
        # So asyncio calls pause_writing as soon as the kernel leaves a byte of a slice, and resume_writing when it has
        # taken the whole slice.
        transport.set_write_buffer_limits(high=0)
        name = transport.get_extra_info("peername")
        address = name[0] if isinstance(name, tuple) else ""
        self._reader = RequestReader(self._front.proxies.peer(address), self._front.ids, self._front.takes_body)
        self._head_since = monotonic()
        self._peers.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._peers.discard(self)
        self._reader.close()
        if self._task is not None:
            self._task.cancel()
            self._task = None  # the error that ends it refers to this object: no cycle is left for the collector
        if self._body is not None:
            self._body.drop()
            self._body = None

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._peers.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_lingering:
            return
        self._reader.feed(self._peers.buffer[:nbytes])
        if self._current is None and not self._pass_is_due:
            self._answer_some()
        if self._reader.is_full and not self._is_closing:
            self._reading_is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """
        Take the end of what the client sends.

        While a render is awaited, it means that the client has gone. A client that has ended only its own side
        (`nc -N`) still gets what is ready.
        """
        self._client_is_done = True
        if self._task is not None or self._is_lingering:
            return False
        return self._body is not None or self._pass_is_due or self.stalled_since is not None

    def pause_writing(self) -> None:
        self.stalled_since = monotonic()

    def resume_writing(self) -> None:
        self.stalled_since = None
        if self._body is not None:
            self._body.take_turn()
        elif self._current is None:
            self._answer_later()

    # Requests.

    def _answer_some(self) -> None:
        """Answer requests until one has to be waited for, the client does not read, or others must have their turn."""
        for _ in range(_ANSWERS_A_PASS):
            if self._current is not None or self.stalled_since is not None or self._is_closing or self._is_lingering:
                return
            incoming = self._reader.next()
            if incoming is None:
                self._wait_for_client()
                return
            self._answer(incoming)
        self._answer_later()

    def _answer_later(self) -> None:
        if not self._pass_is_due:
            self._pass_is_due = True
            self._loop.call_soon(self._next_pass)

    def _next_pass(self) -> None:
        self._pass_is_due = False
        self._answer_some()

    def _wait_for_client(self) -> None:
        if self._client_is_done:
            self._close()
            return
        if self._reading_is_paused and not self._reader.is_full:
            self._reading_is_paused = False
            self._transport.resume_reading()
        if not self._reader.is_within_request:
            self._head_since, self._idle_since = None, monotonic()
        elif self._head_since is None:
            # The clock starts with the first byte of a request, and no later one sets it back.
            self._head_since = monotonic()

    def _answer(self, incoming: Incoming) -> None:
        if incoming.is_expecting:
            self._transport.write(_CONTINUE)
            return
        self._head_since = None
        if incoming.error is not None:
            self._respond(self._front.refuse(incoming.error, incoming.request), incoming)
            return
        response = self._front.answer(incoming.request)
        if response is not None:
            self._respond(response, incoming)
        elif self._client_is_done:
            self._close()  # it has ended its side before a render began: it has gone
        else:
            self._current = incoming
            self._task = self._loop.create_task(self._wait(incoming))

    async def _wait(self, incoming: Incoming) -> None:
        response = await self._front.wait(incoming.request)
        self._task = self._current = None
        if not self._is_closing:
            self._respond(response, incoming)
            self._answer_some()

    # Responses.

    def _respond(self, response: Response, incoming: Incoming) -> None:
        stays_open = incoming.keeps_alive and not self._front.draining
        head = _head(response, incoming, stays_open=stays_open)
        body = response.body
        if len(body) <= SLICE_BYTES:
            self._transport.write(head + body[:] if body else head)
            if not stays_open:
                self._end()
            return
        self._current = incoming
        self._body = _Sending(self, response, self._peers, stays_open=stays_open)
        if self.write(head):
            self._body.take_turn()

    def body_was_sent(self, *, stays_open: bool) -> None:
        """Go on with the next request."""
        self._body = self._current = None
        if not stays_open:
            self._end()
        elif self.stalled_since is None:
            self._answer_later()

    def fail(self) -> None:
        """Abort the connection: a body could not be read to its end, but its Content-Length was sent already."""
        self._is_closing = True
        self._transport.abort()

    def write(self, data: bytes) -> bool:
        """Write a slice. Return whether the kernel took it, so that another one may follow."""
        self._transport.write(data)
        return self.stalled_since is None

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._is_closing

    # The end.

    def _end(self) -> None:
        """Close the connection after its last response."""
        if self._client_is_done or not self._reader.has_leftovers or not self._transport.can_write_eof():
            self._close()
            return
        self._is_lingering = True
        self._head_since = self._idle_since = None
        try:
            self._transport.write_eof()
        except OSError:  # the client has closed its connection, which the event loop has not seen yet
            self._close()
            return
        self._transport.resume_reading()
        self._loop.call_later(_LINGER_S, self._close)

    def _close(self) -> None:
        self._is_closing = True
        self._transport.close()


class _Sending:
    """A large body on its way, slice by slice."""

    def __init__(self, connection: Connection, response: Response, peers: Connections, *, stays_open: bool) -> None:
        self._connection = connection
        self._peers = peers
        self._stays_open = stays_open
        # The ETag is a hash of the whole body, so equal bodies have equal ETags.
        tags = [value for name, value in response.headers if name == b"etag"]
        self._key: object = tags[0] if tags and response.status == HTTPStatus.OK else id(self)
        self._body: Body = peers.unsent.add(self._key, response.body, connection)
        self._sent_bytes = 0

    def take_turn(self) -> None:
        """Send a slice when it is our turn."""
        self._peers.turns.take(self._send)

    def drop(self) -> None:
        """Let go of the body."""
        self._peers.unsent.remove(self._key, self._connection)

    def _send(self) -> None:
        connection = self._connection
        if connection.is_closing:
            return
        try:
            piece = self._body[self._sent_bytes : self._sent_bytes + SLICE_BYTES]
        except OSError:
            _log.exception("a body could not be read to its end")
            connection.fail()
            return
        self._sent_bytes += len(piece)
        goes_on = connection.write(piece)
        if self._sent_bytes >= len(self._body):
            self.drop()
            connection.body_was_sent(stays_open=self._stays_open)
        elif goes_on:
            self.take_turn()


def _head(response: Response, incoming: Incoming, *, stays_open: bool) -> bytes:
    lines = [_STATUS_LINES[response.status]]
    for name, value in response.headers:
        lines += (name, b": ", value, b"\r\n")
    if not stays_open:
        lines.append(b"connection: close\r\n")
    elif incoming.is_http_1_0:
        lines.append(b"connection: keep-alive\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)
