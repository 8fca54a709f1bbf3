"""
The seam for originals: what each kind of source can do, and what it answers.

A new kind, such as a bucket, is a module with a `Fetcher`, its settings, a scheme in `core.request.routes` and a line
in `service.assembly`. The catalogue handles records, freshness, remembered failures and copies on disk alike for every
kind.
"""

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Protocol

from imgcdn.core.values import FileStamp, Source, SourceRecord
from imgcdn.errors import InternalError


class Freshness(Enum):
    """What may be done with a record: use it, use it and validate it behind the request, or validate it first."""

    FRESH = 1
    STALE_OK = 2
    STALE = 3


@dataclass(frozen=True, slots=True)
class Validators:
    """
    What to ask an origin with whether a response is still the same.

    Args:
        url: Of the response. They mean nothing to another URL, so a redirect on the way to it is not asked with them.
    """

    url: str
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Located:
    """
    A file with an original's bytes.

    Args:
        path: Links resolved.
        stamp: Of that file, so that a render child sees whether it was exchanged.
    """

    path: Path
    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a fetcher says of a source.

    Args:
        modified: False when the original is the one that is known: only the record is updated.
        file: Where the original lies, for a fetcher that does not copy; None when the bytes went `into` a file.
        version: SHA-256 of the bytes, hex, where they passed through the fetcher; None when the probe has to hash them.
        validators: For the next fetch of the same source; None where a stamp tells.
        headers: What freshness is judged by, by lower-case name; empty for a folder.
        received_at: Unix time at which they came.
    """

    modified: bool
    file: Located | None = None
    version: str | None = None
    validators: Validators | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    received_at: float = 0.0


class Stop:
    """
    Ends a blocking fetch from another thread.

    The fetcher registers what has to happen (`on_request`), such as shutting its sockets down.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._actions: list[Callable[[], None]] = []
        self.requested = False

    def request(self) -> None:
        """End the fetch now; one that has not begun ends when it begins."""
        with self._lock:
            self.requested = True
            actions, self._actions = self._actions, []
        for action in actions:
            action()

    def on_request(self, action: Callable[[], None]) -> None:
        """Register what ends the fetch. It runs in the thread that asks for the stop, at once where that was before."""
        with self._lock:
            if not self.requested:
                self._actions.append(action)
                return
        action()


class Fetcher(Protocol):
    """
    One kind of source.

    Attributes:
        copies: Whether `fetch` writes the bytes into a file of ours. Otherwise the original is opened where it lies.
    """

    copies: bool

    def stamp(self, source: Source) -> FileStamp | None:
        """
        Return what a stat of the original says, on the path of every hit; None where time decides instead.

        Raises:
            SourceNotFound: There is no such original.
        """

    def host(self, source: Source) -> str:
        """Return whose share of the fetches a source takes."""

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        """
        Find an original, or learn that it is still the same. Blocks; its deadline and its cap on bytes are inside.

        Args:
            known: Of the copy that is there; None when there is none.
            into: Where the bytes go, for a fetcher that copies. After an error it holds some of them.
            stop: Ends the fetch early.

        Raises:
            Forbidden, SourceNotFound, ImageTooLarge, OriginError: As `imgcdn.errors` has them.
            OSError: `into` cannot be written.
        """

    def close(self) -> None:
        """Give back what is kept between fetches."""


class OriginalFile:
    """
    An original's file, for as long as somebody refers to this object.

    Args:
        path: Links resolved.
        temporary: Whether the file is removed with the last reference.
    """

    def __init__(self, path: Path, *, temporary: bool = False) -> None:
        self.path = path
        self._remove = weakref.finalize(self, _remove, path) if temporary else None

    def discard(self) -> None:
        """Remove a temporary file now: an error's traceback may refer to it for a while."""
        if self._remove is not None:
            self._remove()


@dataclass(frozen=True, slots=True)
class Original:
    """
    A source as it is now.

    Args:
        record: What is known of it.
        file: Its bytes; None until somebody needs them.
        origin_status: Status of the validation that this request waited for (200 or 304); 0 where there was none.
    """

    record: SourceRecord
    file: OriginalFile | None = None
    origin_status: int = 0


def keeps_changing() -> InternalError:
    """Return the error for an original that changed at every attempt to read it."""
    return InternalError("The original keeps changing while it is read. Try again when it is complete.")


def _remove(path: Path) -> None:
    with suppress(OSError):
        os.unlink(path)
