"""Bodies that stay on disk while they are sent."""

import hashlib
import os

_HASHED_AT_ONCE_BYTES = 1024 * 1024


class StoredBody:
    """
    The rest of an open file. A reader who stalls then holds a descriptor, and no memory.

    The descriptor is closed when nobody refers to the body any more, as memory would be: it is handed from room to
    room, to as many readers as there are.

    Args:
        fd: Of the file; stays the caller's.
        start: Where the body begins.
        length: Its bytes.

    Raises:
        OSError: There is no free descriptor.
    """

    __slots__ = ("_fd", "_length", "_start")

    def __init__(self, fd: int, start: int, length: int) -> None:
        self._fd = -1
        self._fd = os.dup(fd)
        self._start = start
        self._length = length

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, span: slice, /) -> bytes:
        """
        Read a part.

        Raises:
            OSError: The disk fails, or the file was cut short.
        """
        first, last, _ = span.indices(self._length)
        data = os.pread(self._fd, last - first, self._start + first)
        if len(data) != last - first:
            raise OSError(f"a variant ends {last - first - len(data)} bytes too early")
        return data

    def sha256(self) -> bytes:
        """
        Hash the body, of which little is in memory at a time.

        Raises:
            OSError: As when reading.
        """
        hasher = hashlib.sha256()
        for start in range(0, self._length, _HASHED_AT_ONCE_BYTES):
            hasher.update(self[start : start + _HASHED_AT_ONCE_BYTES])
        return hasher.digest()
