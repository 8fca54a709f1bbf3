"""
How jobs and outcomes are sent over a socket: the length, then a pickle.

A pickle can run code when it is read. Workers and the broker trust each other, and no other user can reach their
socket. A child may have been taken over by an original that it decoded, so of its messages only values are built.
"""

import asyncio
import io
import pickle
import socket
import struct
from typing import Any

from imgcdn import errors
from imgcdn.core.values import Facts
from imgcdn.errors import ImgcdnError
from imgcdn.renderers.jobs import Changed, Failed, Probed, Rendered

_LENGTH = struct.Struct(">Q")

#: A child sends this when it accepts a job. If it exits before that, the original is not at fault.
TAKEN = b"\x01"

#: Limit of a message: twice 8192 x 8192 pixels of 4 bytes.
_MAX_MESSAGE_BYTES = 2**29

#: What a child may send.
ChildOutcome = Probed | Rendered | Failed | Changed

_IN_OUTCOMES = {(each.__module__, each.__name__): each for each in (Probed, Rendered, Failed, Changed, Facts)}


class GarbledOutcome(Exception):
    """A child has sent something other than an outcome."""


def pack(message: Any) -> bytes:
    """Return one message."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


async def read_message(reader: asyncio.StreamReader) -> Any:
    """
    Read one message between a worker and the broker.

    Raises:
        asyncio.IncompleteReadError: The other side has closed the connection.
        pickle.UnpicklingError: The message is too long.
    """
    return pickle.loads(await _read_pickle(reader))  # noqa: S301  # the socket is private, see above


async def read_outcome(reader: asyncio.StreamReader) -> ChildOutcome:
    """
    Read the outcome of a job from a child.

    Raises:
        asyncio.IncompleteReadError: The child has ended.
        GarbledOutcome: It has sent something else.
    """
    try:
        outcome = _OutcomeReader(io.BytesIO(await _read_pickle(reader))).load()
    except asyncio.IncompleteReadError:
        raise
    except Exception as error:  # a child that was taken over can send a pickle that raises anything
        raise GarbledOutcome(f"{type(error).__name__}: {error}") from error
    if not isinstance(outcome, ChildOutcome):
        raise GarbledOutcome(f"a {type(outcome).__name__}")
    return outcome


def receive_message(connection: socket.socket) -> Any:
    """
    Read one message from the broker, and block until it is complete.

    Returns:
        None if the other side has closed the connection.
    """
    length = connection.recv(_LENGTH.size, socket.MSG_WAITALL)
    if len(length) < _LENGTH.size:
        return None
    data = connection.recv(_LENGTH.unpack(length)[0], socket.MSG_WAITALL)
    return pickle.loads(data)  # noqa: S301  # the broker is trusted, see above


class _OutcomeReader(pickle.Unpickler):
    """Builds outcomes, their values and our errors. Anything else that a pickle may call could run code."""

    def find_class(self, module: str, name: str) -> Any:
        found = _IN_OUTCOMES.get((module, name))
        if found is None and module == errors.__name__:
            found = vars(errors).get(name)
            if not (isinstance(found, type) and issubclass(found, ImgcdnError)):
                found = None
        if found is None:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an outcome")
        return found


async def _read_pickle(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > _MAX_MESSAGE_BYTES:
        raise pickle.UnpicklingError(f"a message of {length} bytes")
    return await reader.readexactly(length)
