"""Values that several rooms share. All of them are frozen and checked where they are built."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from urllib.parse import unquote

from imgcdn.core.output.geometry import Size


@dataclass(frozen=True, slots=True)
class Source:
    """
    Identity of one original, before any bytes.

    Args:
        scheme: "local" for a file beneath the root, "remote" for an absolute URL, "mounted" for a URL that a mount
            made out of a path.
        location: Of a file, the decoded path, relative to the root, `/` between segments; otherwise the URL.
        query: Of a path that no mount has been looked up for yet, as it was written; otherwise empty.
    """

    scheme: str
    location: str
    query: str = ""

    @property
    def stem(self) -> str:
        """The last path segment without its extension, for a file name."""
        name = self.location
        if self.scheme != "local":
            name = unquote(name.partition("?")[0].partition("://")[2].partition("/")[2])
        name = name.rsplit("/", 1)[-1]
        return name.rsplit(".", 1)[0] or name or "image"


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What a probe learns from an original's header, nothing decoded.

    Args:
        format: A name in `core.output.formats.FORMATS`.
        size: After EXIF orientation.
        frames: 1 for a still picture.
        alpha: Whether the coding can carry transparency; its pixels may still be opaque.
    """

    format: str
    size: Size
    frames: int
    alpha: bool


@dataclass(frozen=True, slots=True)
class FileStamp:
    """
    What a stat says of a file; equal stamps are taken for equal bytes.

    mtime alone is settable by anyone, ctime is not; the inode tells a replaced file from an edited one.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class NegativeEntry:
    """
    Why a source is not rendered, remembered so that it is not tried at every request.

    Args:
        slug: Of the error in `imgcdn.errors`.
        detail: Its public text.
        until: Unix time at which to try again.
    """

    slug: str
    detail: str
    until: float
    limit: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class OriginState:
    """
    What an origin said of a remote original.

    Args:
        url: Of the response, the last after redirects; its validators mean nothing to another.
        headers: Those that freshness and validation need, by lower-case name.
        validated_at: Unix time of the last answer.
        fresh_until: Unix time until which the origin need not be asked.
        storable: False where it may only be shared with those who already wait.
        seen: The callers' versions (`v`) that it was validated for, the latest last.
    """

    url: str
    headers: tuple[tuple[str, str], ...]
    validated_at: float
    fresh_until: float
    storable: bool
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """
    What is known of one source.

    Args:
        version: SHA-256 of the original's bytes, hex; empty when there are none.
        stamp: The file that had these bytes.
        facts: None when the original was refused by the probe.
        negative: A remembered failure of this version, or of its origin.
        origin: Of a remote source.
    """

    version: str
    stamp: FileStamp
    facts: Facts | None
    negative: NegativeEntry | None = None
    origin: OriginState | None = None


class Effort(Enum):
    """How long the encoder was allowed to try."""

    FAST = 1
    THOROUGH = 2


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """
    One encoded picture, or a text about one, in memory.

    Args:
        body: The file's bytes, without metadata.
        format: A name in `core.output.formats.OUTPUTS`.
        size: In pixels; of a text, those of the copy it was made from.
        frames: How many were written.
        effort: What the planned format's encoder was allowed, whichever encoding was the smallest; FAST also where
            more time would have changed nothing.
    """

    body: bytes
    format: str
    size: Size
    frames: int
    effort: Effort


class Body(Protocol):
    """The bytes of an answer, of which a slice is taken at a time: `bytes` themselves, or a file that has them."""

    def __len__(self) -> int: ...

    def __getitem__(self, span: slice, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Variant:
    """
    One encoded result, as it is served.

    Args:
        body: Empty when only the header was read.
        format: A name in `core.output.formats.OUTPUTS`.
        size: As in `EncodedImage`.
        length: Of the body in bytes, also when it was not read.
        digest: SHA-256 of the body.
        made_at: Unix time, whole seconds, at which these bytes were published.
        effort: As in `EncodedImage`.
    """

    body: Body
    format: str
    size: Size
    length: int
    digest: bytes
    made_at: int
    effort: Effort
