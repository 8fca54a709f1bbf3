"""
The seam for originals: what each kind of source implements, and what it returns.

A new kind, such as a bucket, is a module with a `Fetcher`, its settings, a scheme in `core.request.routes` and a line
in `service.assembly`. The catalogue handles records, freshness, negative entries and copies on disk alike for every
kind.
"""

import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO, Protocol

from imgcdn.core.values import FileStamp, PathBeneath, Source, SourceRecord, Visit
from imgcdn.errors import ImageTooLarge, Overloaded
from imgcdn.renderers.jobs import Failed, Rendered


class Freshness(Enum):
    """
    What may be done with a record.

    Attributes:
        FRESH: Use it: its original, or the failure that it remembers.
        STALE_OK: Use its original, and validate it in the background.
        FAILING: Use its original, because its origin failed a moment ago.
        STALE: Validate it first.
    """

    FRESH = 1
    STALE_OK = 2
    FAILING = 3
    STALE = 4


@dataclass(frozen=True, slots=True)
class Validators:
    """
    The validators of a response, for a conditional request (RFC 9110, section 8.8).

    Args:
        url: The URL of the response. Validators are valid for this URL alone, so requests to redirects on the way do
            not carry them.
        etag, last_modified: The header values; empty if the response had none.
    """

    url: str
    etag: str = ""
    last_modified: str = ""

    @classmethod
    def of(cls, url: str, headers: Mapping[str, str]) -> "Validators":
        """Return the validators among the headers of a response, which have lower-case names."""
        return cls(url, headers.get("etag", ""), headers.get("last-modified", ""))


@dataclass(frozen=True, slots=True)
class Located:
    """
    A file with an original's bytes.

    Args:
        path: Its path.
        stamp: Its stamp, by which a render child notices that the file was replaced.
    """

    path: PathBeneath
    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The result of a fetch.

    Args:
        modified: False if the original is the known one; then only the record is updated.
        file: Where the original lies, for a fetcher that does not copy; None if the bytes were written to `into`.
        version: SHA-256 of the bytes, hex, if the fetcher has read them; None if the probe must hash them.
        way: The requests that were sent, redirects included; empty for files.
        headers: The headers that freshness depends on, by lower-case name; empty for files.
        received_at: Unix time at which the headers came.
    """

    modified: bool
    file: Located | None = None
    version: str | None = None
    way: tuple[Visit, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    received_at: float = 0.0


class Stop:
    """
    Ends a blocking fetch from another thread.

    The fetcher registers with `on_request` how its fetch is ended, such as by shutting its sockets down.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._actions: list[Callable[[], None]] = []
        self.requested = False

    def request(self) -> None:
        """End the fetch now. A fetch that has not begun ends when it begins."""
        with self._lock:
            self.requested = True
            actions, self._actions = self._actions, []
        for action in actions:
            action()

    def on_request(self, action: Callable[[], None]) -> None:
        """Register what ends the fetch. It runs in the thread that calls `request`, or at once after that call."""
        with self._lock:
            if not self.requested:
                self._actions.append(action)
                return
        action()


class Fetcher(Protocol):
    """
    One kind of source.

    Attributes:
        copies: Whether `fetch` writes the bytes into our own file. Otherwise the original is opened where it lies.
    """

    copies: bool

    def stamp(self, source: Source) -> FileStamp | None:
        """
        Return the stamp of the original's file, which every hit compares; None if freshness depends on time instead.

        Raises:
            SourceNotFound: There is no such original.
            OriginError: It cannot be told, because the disk or the folder is not there.
        """

    def host(self, source: Source) -> str:
        """Return the host of this source, for the log."""

    def group(self, source: Source) -> str:
        """Return the name under which this source's work is counted: its host, or the wildcard that admits the host."""

    def admits(self, source: Source, way: Sequence[Visit]) -> bool:
        """
        Tell whether an original may be used that came in a certain way. Every hit asks.

        Settings may have been narrowed since the fetch. If the answer is no, the original is fetched anew.
        """

    def ignores_stale_rules(self, source: Source) -> bool:
        """Tell whether the operator lets this source be used when it is stale, whatever its origin says."""

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        """
        Find or fetch an original, or learn that it has not changed. This call blocks, and has its own deadline.

        Args:
            known: Validators of the copy that we have; None if there is no copy.
            into: The file to write the bytes to, for a fetcher that copies. After an error it may hold some of them.
            stop: Ends the fetch early.

        Raises:
            Forbidden, SourceNotFound, ImageTooLarge, OriginError: See `imgcdn.errors`.
            OSError: `into` cannot be written.
        """

    def close(self) -> None:
        """Release what is kept between fetches, such as connections."""


class OriginalFile:
    """
    The file of an original.

    Args:
        path: Its path.
        temporary: Whether the file is removed when this object is no longer referenced.
    """

    def __init__(self, path: PathBeneath, *, temporary: bool = False) -> None:
        self.path = path
        self._remove = weakref.finalize(self, _remove, path) if temporary else None

    def discard(self) -> None:
        """Remove a temporary file now. After an error, the traceback may keep a reference for a while."""
        if self._remove is not None:
            self._remove()


@dataclass(frozen=True, slots=True)
class Original:
    """
    An original as it was last validated.

    Args:
        record: Its record.
        freshness: Why it may be used; never STALE.
        file: Its file; None until it is opened.
        origin_status: Status of the validation that this request waited for (200 or 304); 0 if there was none.
        rendered: The outcome of the render that was asked for with its refresh; None if there was none.
    """

    record: SourceRecord
    freshness: Freshness = Freshness.FRESH
    file: OriginalFile | None = None
    origin_status: int = 0
    rendered: Rendered | Failed | None = None


#: The public text about a fetch that failed. The log says why.
NOT_SENT = "The origin did not send the image."


def too_many_bytes(limit: int) -> ImageTooLarge:
    """Return the error for an original with more bytes than `max_source_bytes`."""
    return ImageTooLarge(f"The original has more than {limit:,} bytes.", limit=limit, unit="bytes")


def keeps_changing() -> Overloaded:
    """Return the error for an original that changed at every attempt to read it: the client may try again."""
    return Overloaded("The original keeps changing while it is read. Try again when it is complete.")


def _remove(path: PathBeneath) -> None:
    with suppress(OSError):
        os.unlink(str(path))
