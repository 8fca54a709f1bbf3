"""
Content codings of a response (RFC 9110, section 8.4): which ones its body has, and taking them off.

We ask for none, but an origin may disregard that (section 12.5.3). gzip and deflate are inflated a piece at a time, so
a small body that inflates to a huge one ends at the limit of its fetch. A name that is not a coding of HTTP, such as
aws-chunked or utf-8, says nothing about the bytes, and browsers disregard it (Fetch, "handle content codings").
"""

import zlib
from collections.abc import Iterable, Iterator

from imgcdn.errors import OriginError
from imgcdn.origins.base import too_many_bytes

#: A longer Content-Encoding is not read. One of this length has 166 codings.
MAX_CODINGS_LENGTH = 1_000

_INFLATED = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}

#: Codings that browsers know, and that cannot be taken off here: the standard library does not have them.
_NOT_INFLATED = frozenset({"br", "zstd", "dcb", "dcz"})

#: Most codings of one body. Each costs a pass; curl's limit is five too.
_MOST_CODINGS = 5

#: Gzip streams that follow each other in one body. Each takes a new decoder. Those of bgzip have 64 KB.
_MOST_MEMBERS = 1_000

#: Bytes that are inflated by one call.
_PIECE_BYTES = 65_536

#: Blocks that do not compress have 5 bytes for each 65,535 (RFC 1951, section 3.2.4); a head may have a file's name.
_OVERHEAD_SHARE, _HEAD_BYTES = 1_000, 65_536

_GZIP_MAGIC = b"\x1f\x8b"
_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "zlib": zlib.MAX_WBITS, "raw": -zlib.MAX_WBITS}


def codings_of(header: str, url: str) -> tuple[str, ...]:
    """
    Return the codings to take off a body, in this order, as "gzip" and "deflate".

    Args:
        header: The Content-Encoding, which lists them in the order in which they were applied.
        url: For the log.

    Raises:
        OriginError: One cannot be taken off, or they are too many.

    >>> codings_of("x-gzip, UTF-8, , Deflate", "https://a.example/b.jpg")
    ('deflate', 'gzip')
    """
    names = [name.strip().lower() for name in header[: MAX_CODINGS_LENGTH + 1].split(",")]
    unread = sorted(_NOT_INFLATED.intersection(names))
    found = [_INFLATED[name] for name in names if name in _INFLATED]
    if unread:
        why = f"the content coding {', '.join(unread)}, although none was asked for; let it send the image uncompressed"
        raise OriginError(
            "The origin compressed the image in a way that the service does not read.", log=f"{url} came with {why}"
        )
    if len(header) > MAX_CODINGS_LENGTH or len(found) > _MOST_CODINGS:
        raise _broken(url, f"too many content codings: {len(found)}, in {len(header)} characters")
    return tuple(reversed(found))


def decoded(chunks: Iterable[bytes], codings: Iterable[str], *, limit: int, url: str) -> Iterator[bytes]:
    """
    Take the codings off a body, as its bytes arrive.

    Args:
        chunks: The body.
        codings: From `codings_of`.
        limit: Most bytes of the result.
        url: For the log.

    Raises:
        ImageTooLarge: The result has more bytes, or a body on the way to it has more than `most_coded`.
        OriginError: The body does not have the coding, or ends early.
    """
    for coding in codings:
        chunks = _inflated(_limited(chunks, most_coded(limit), limit), coding, url)
    return _limited(chunks, limit, limit)


def most_coded(limit: int) -> int:
    """Return how many bytes a body with a coding may have: more than without one, if it does not compress."""
    return limit + limit // _OVERHEAD_SHARE + _HEAD_BYTES


def _limited(chunks: Iterable[bytes], most: int, limit: int) -> Iterator[bytes]:
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if length > most:
            raise too_many_bytes(limit)
        yield chunk


def _inflated(chunks: Iterable[bytes], coding: str, url: str) -> Iterator[bytes]:
    inflater = _Inflater(coding)
    try:
        for chunk in chunks:
            yield from inflater.feed(chunk)
    except zlib.error as error:
        raise _broken(url, f"a body that is not {coding}: {error}") from error
    if inflater.is_incomplete:
        raise _broken(url, f"a {coding} stream that ends early")


class _Inflater:
    """
    One gzip or deflate stream; of gzip, several that follow each other (RFC 1952, section 2.2).

    What follows the stream and is not another one is disregarded, as by browsers and gzip.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._stream: zlib._Decompress | None = None
        self._held = b""  # too few bytes to tell what begins
        self._members = 0
        self._has_ended = False

    @property
    def is_incomplete(self) -> bool:
        """Whether the body ended within a stream, or before the first one."""
        return self._stream is not None or self._members == 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what some more bytes inflate to, in pieces. Raise zlib.error if they are not valid."""
        data, self._held = self._held + data, b""
        while not self._has_ended:
            if self._stream is None and not self._begin(data):
                return
            assert self._stream is not None
            piece = self._stream.decompress(data, _PIECE_BYTES)
            data = self._stream.unconsumed_tail
            if self._stream.eof:
                data, self._stream = self._stream.unused_data, None
            if piece:
                yield piece
            # After a full piece, zlib may have more without more data.
            if self._stream is not None and not data and len(piece) < _PIECE_BYTES:
                return

    def _begin(self, data: bytes) -> bool:
        """Begin the stream that data begins with. Return False if there is none, or if it cannot be told yet."""
        if len(data) < len(_GZIP_MAGIC):
            self._held = data
            return False
        if self._members and (self._coding != "gzip" or not data.startswith(_GZIP_MAGIC)):
            self._has_ended = True
            return False
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise zlib.error(f"more than {_MOST_MEMBERS} streams")
        self._stream = zlib.decompressobj(_WINDOW_BITS[_container(self._coding, data)])
        return True


def _container(coding: str, data: bytes) -> str:
    """
    Return what the deflate data is in. A coding of deflate means zlib's format, but some origins send the bare data,
    which browsers read, too (RFC 9110, section 8.4.1.2). The head of zlib's is a multiple of 31 (RFC 1950).
    """
    if coding == "gzip":
        return "gzip"
    return "zlib" if data[0] & 0x8F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0 else "raw"


def _broken(url: str, what: str) -> OriginError:
    return OriginError("The origin sent a body that cannot be decompressed.", log=f"{url} came with {what}")
