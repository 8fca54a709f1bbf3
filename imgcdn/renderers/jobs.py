"""What is sent to a render child, what comes back, and how both travel over a socket."""

import asyncio
import pickle
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.output.plan import Plan
from imgcdn.core.values import Facts, FileStamp
from imgcdn.errors import ImgcdnError

_LENGTH = struct.Struct(">Q")

#: What a child sends when it takes a job. Without it the job was never begun, so the original is not to blame.
TAKEN = b"\x01"

#: No variant is larger: 8192 x 8192 pixels of 4 bytes, twice.
_MAX_FRAME_BYTES = 2**29


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """
    Read an original's header, and hash its bytes where nobody has hashed them.

    Args:
        path: Of the original, links resolved.
        stamp: What the file must still be.
        version: SHA-256 of the bytes, hex, where it is known; None to hash them.
        max_pixels: Pixels times frames above which it is refused.
        timeout_s: Wall-clock seconds after which the child is killed.
    """

    path: Path
    stamp: FileStamp
    version: str | None
    max_pixels: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class RenderJob:
    """
    Make one variant.

    Args:
        path: Of the original, links resolved.
        stamp: What the file must still be.
        plan: What is made.
        temp: Where to write the variant's file; None to send it back.
        made_at: Unix time in whole seconds, for the variant's header.
        budget: What its encoders may spend.
        timeout_s: Wall-clock seconds after which the child is killed.
    """

    path: Path
    stamp: FileStamp
    plan: Plan
    temp: str | None
    made_at: int
    budget: Budget
    timeout_s: float


Job = ProbeJob | RenderJob


@dataclass(frozen=True, slots=True)
class Probed:
    """
    What a ProbeJob found.

    Args:
        version: SHA-256 of the bytes, hex.
        facts: None when the original is refused.
        error: Why it is refused.
    """

    version: str
    facts: Facts | None
    error: ImgcdnError | None


@dataclass(frozen=True, slots=True)
class Rendered:
    """
    What a RenderJob made.

    Args:
        file: The variant's whole file; None when it is at the job's `temp`.
        errno: Of the write that failed, so that the file had to be sent; 0 when none did.
    """

    file: bytes | None
    errno: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """The job ended in an error that its request must see."""

    error: ImgcdnError


@dataclass(frozen=True, slots=True)
class Changed:
    """The file is not the one that the job was made for: look at it again."""


Outcome = Probed | Rendered | Failed | Changed


def pack(message: Any) -> bytes:
    """Return one frame: the length, then the pickle."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


async def read_message(reader: asyncio.StreamReader) -> Any:
    """
    Read one frame. Only from a socket that nobody but this user can reach: a pickle is a program.

    Raises:
        asyncio.IncompleteReadError: The other side is gone.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > _MAX_FRAME_BYTES:
        raise asyncio.IncompleteReadError(b"", length)
    return pickle.loads(await reader.readexactly(length))  # noqa: S301  # the socket is private, see above
