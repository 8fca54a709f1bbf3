"""Values that several rooms share. All dataclasses here are frozen."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol
from urllib.parse import unquote

from imgcdn.core.output.formats import FORMATS
from imgcdn.core.output.geometry import Size


@dataclass(frozen=True, slots=True)
class Source:
    """
    The identity of one original, known before its bytes.

    Args:
        scheme: "local" for a file beneath the root, "remote" for an absolute URL, "mounted" for a URL that a mount
            made of a path.
        location: For a file, its decoded path relative to the root, with `/` between segments; otherwise the URL.
        query: The raw query of a path, until mounts are applied; otherwise empty.
        mount: The prefix of the mount that made the URL; otherwise empty. Two mounts may lead to one URL and request it
            with different headers, so what they get is not shared.
    """

    scheme: str
    location: str
    query: str = ""
    mount: str = ""

    @property
    def stem(self) -> str:
        """The last path segment without its extension, for a file name."""
        name = self.location
        if self.scheme != "local":
            name = unquote(name.partition("?")[0].partition("://")[2].partition("/")[2])
        name = name.rsplit("/", 1)[-1]
        return name.rsplit(".", 1)[0] or name or "image"


# A frame costs at least as much time as decoding so many pixels, however small it is.
_LEAST_FRAME_PIXELS = 10_000

# So many small frames are never too many.
_FEW_FRAMES = 100


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What a probe reads from an original's header, without decoding pixels.

    Args:
        format: A name in `core.output.formats.FORMATS`.
        size: After EXIF orientation.
        frames: Number of frames that are shown; 1 for a still picture.
        alpha: Whether its coding has alpha. All its pixels may still be opaque.
        all_frames: Number of frames of an animation that is shown as a still, because its frames together have more
            than `max_pixels`, or are more than so many pixels permit; 0 for every other original.
    """

    format: str
    size: Size
    frames: int
    alpha: bool
    all_frames: int = 0

    @property
    def are_possible(self) -> bool:
        """Whether an original may have these facts, which were read from a file or a message."""
        return self.format in FORMATS and min(*self.size, self.frames) > 0 <= self.all_frames

    def within(self, max_pixels: int) -> "Facts":
        """
        Return the facts of an original under a limit. An animation above it is a still.

        >>> gif = Facts("gif", (800, 600), frames=140, alpha=True)
        >>> still = gif.within(64_000_000)
        >>> still.frames, still.all_frames, still.within(100_000_000) == gif
        (1, 140, True)
        """
        count = max(self.frames, self.all_frames)
        most = max(_FEW_FRAMES, max_pixels // _LEAST_FRAME_PIXELS)
        is_above = count > 1 and (count * self.size[0] * self.size[1] > max_pixels or count > most)
        return replace(self, frames=1 if is_above else count, all_frames=count if is_above else 0)


@dataclass(frozen=True, slots=True)
class FileStamp:
    """
    The identity of a file's content, from a stat. Equal stamps count as equal bytes.

    mtime alone is not enough, because any program can set it; ctime cannot be set. The inode changes when a file is
    replaced by another.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class PathBeneath:
    """
    The path of a file beneath a folder. `store.opening.open_beneath` opens it, and refuses links.

    Args:
        root: Path of the folder; its last part is not a link.
        name: Path from there, with `/` between segments.
    """

    root: str
    name: str

    def __str__(self) -> str:
        return f"{self.root.rstrip('/')}/{self.name}"


@dataclass(frozen=True, slots=True)
class NegativeEntry:
    """
    A remembered failure of a source or a variant, so that not every request tries it again.

    Args:
        slug: The slug of the error in `imgcdn.errors`.
        detail: The public text of the error.
        until: Unix time until which requests get the error without another try.
        limit, unit: Those of an `ImageTooLarge`; 0 and empty for other errors.
    """

    slug: str
    detail: str
    until: float
    limit: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class FailedVariant:
    """
    A variant that failed to render. Other variants of its source may succeed.

    Args:
        key: The key of the variant.
        negative: The failure.
    """

    key: str
    negative: NegativeEntry


@dataclass(frozen=True, slots=True)
class Visit:
    """
    One request on the way to a remote original.

    Args:
        url: The URL that was requested.
        address: The network address that the request was sent to.
    """

    url: str
    address: str


@dataclass(frozen=True, slots=True)
class OriginState:
    """
    What an origin said about a remote original.

    Args:
        way: The requests of the last fetch: one, and one for each redirect. A limit that was lowered since judges them.
        headers: The headers for freshness and validation, by lower-case name.
        validated_at: Unix time of the origin's last response.
        fresh_until: Unix time until which the record is fresh.
        storable: Whether the original may be stored. If not, only the requests that already wait get it.
        seen: The callers' versions (`v`) that it was validated for, the latest last.
    """

    way: tuple[Visit, ...]
    headers: tuple[tuple[str, str], ...]
    validated_at: float
    fresh_until: float
    storable: bool
    seen: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """URL of the response, after redirects. Its validators are valid for this URL alone."""
        return self.way[-1].url if self.way else ""


@dataclass(frozen=True, slots=True)
class Previous:
    """
    The version of an original before the present one. Its variants may still be stored.

    Args:
        version: SHA-256 of its bytes, hex.
        facts: What the probe found.
        until: Unix time at which the present version took its place.
    """

    version: str
    facts: Facts
    until: float


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """
    What is known of one source.

    Args:
        version: SHA-256 of the original's bytes, hex; empty if no bytes were read.
        stamp: Stamp of the file with these bytes.
        facts: What the probe found; None if it refused the original.
        negative: A remembered failure of this version, or of its origin; None if there is none.
        origin: What the origin said; None for a file in a folder.
        failed: The variants of this version that failed to render last, the latest at the end.
        previous: The version before this one; None if there was none.
    """

    version: str
    stamp: FileStamp
    facts: Facts | None
    negative: NegativeEntry | None = None
    origin: OriginState | None = None
    failed: tuple[FailedVariant, ...] = ()
    previous: Previous | None = None


class Effort(Enum):
    """How much time encoders may take."""

    FAST = 1
    THOROUGH = 2


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """
    One encoded picture, or a text about one, in memory.

    Args:
        body: The file's bytes, without metadata.
        format: A name in `core.output.formats.OUTPUTS`.
        size: Size in pixels; for a text, that of the copy it was made from.
        frames: Number of frames in the file.
        effort: The effort of the planned format's encoder, also if another encoding was smaller. FAST also if more
            time would have changed nothing.
        partial: Whether the original ends early, so that pixels or frames are missing.
    """

    body: bytes
    format: str
    size: Size
    frames: int
    effort: Effort
    partial: bool = False


class Body(Protocol):
    """The bytes of a response, which are read in slices: either `bytes`, or a file on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, span: slice, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Variant:
    """
    One encoded result, as it is served.

    Args:
        body: The body; empty if only the header was read.
        format: A name in `core.output.formats.OUTPUTS`.
        size: As in `EncodedImage`.
        length: Length of the body in bytes, also if it was not read.
        digest: SHA-256 of the body.
        made_at: Unix time, whole seconds, at which these bytes were published.
        effort, partial: As in `EncodedImage`.
    """

    body: Body
    format: str
    size: Size
    length: int
    digest: bytes
    made_at: int
    effort: Effort
    partial: bool = False
