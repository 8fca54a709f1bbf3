"""
How jobs and outcomes are sent over a socket: the length, then a pickle.

A pickle can run code when it is read, and a child may have been taken over by an original that it decoded. So only the
classes of our own values are built from a message, whoever sent it, and fewer of them from a child's.
"""

import asyncio
import io
import pickle
import socket
import struct
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from imgcdn import errors
from imgcdn.errors import ImgcdnError
from imgcdn.renderers.jobs import Changed, Claim, Failed, Job, Outcome, Probed, Rendered

_LENGTH = struct.Struct(">Q")

#: A child sends this when it accepts a job. If it exits before that, the original is not at fault.
TAKEN = b"\x01"

#: Limit of a message: twice 8192 x 8192 pixels of 4 bytes.
_MAX_MESSAGE_BYTES = 2**29

#: What a child may send.
ChildOutcome = Probed | Rendered | Failed | Changed

#: (module, name) -> the class that a pickle may build.
_Classes = Mapping[tuple[str, str], type]


def _classes_in(*types: Any) -> _Classes:
    """Return our classes that values of some types consist of, and our errors."""
    found = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ImgcdnError)}
    unseen = list(types)
    while unseen:
        each = unseen.pop()
        unseen += get_args(each)
        if isinstance(each, type) and each.__module__.startswith("imgcdn.") and each not in found:
            found.add(each)
            unseen += get_type_hints(each).values()
    return {(each.__module__, each.__qualname__): each for each in found}


_IN_MESSAGES = _classes_in(Job, Claim, Outcome)
_IN_CHILD_OUTCOMES = _classes_in(ChildOutcome)


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
        pickle.UnpicklingError: The message is too long, or has something other than our values.
    """
    return _unpack(await _read_pickle(reader), _IN_MESSAGES)


async def read_outcome(reader: asyncio.StreamReader) -> ChildOutcome:
    """
    Read the outcome of a job from a child.

    Raises:
        asyncio.IncompleteReadError: The child has ended.
        GarbledOutcome: It has sent something else.
    """
    try:
        outcome = _unpack(await _read_pickle(reader), _IN_CHILD_OUTCOMES)
    except pickle.UnpicklingError as error:
        raise GarbledOutcome(str(error)) from error
    if not isinstance(outcome, ChildOutcome):
        raise GarbledOutcome(f"a {type(outcome).__name__}")
    return outcome


def receive_message(connection: socket.socket) -> Any:
    """
    Read one message from the broker, and block until it is complete.

    Returns:
        None if the other side has closed the connection.

    Raises:
        pickle.UnpicklingError: The message has something other than our values.
    """
    length = connection.recv(_LENGTH.size, socket.MSG_WAITALL)
    if len(length) < _LENGTH.size:
        return None
    return _unpack(connection.recv(_LENGTH.unpack(length)[0], socket.MSG_WAITALL), _IN_MESSAGES)


class _Reader(pickle.Unpickler):
    """Builds values of some classes. Anything else that a pickle may call could run code."""

    def __init__(self, data: bytes, classes: _Classes) -> None:
        super().__init__(io.BytesIO(data))
        self._classes = classes

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._classes[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a message") from None


def _unpack(data: bytes, classes: _Classes) -> Any:
    try:
        return _Reader(data, classes).load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a sender that was taken over can send a pickle that raises anything
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error


async def _read_pickle(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > _MAX_MESSAGE_BYTES:
        raise pickle.UnpicklingError(f"a message of {length} bytes")
    return await reader.readexactly(length)
