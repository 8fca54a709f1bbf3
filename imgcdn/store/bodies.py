"""Bodies that stay on disk and are read in slices while they are sent."""

import hashlib
import os

_HASHED_AT_ONCE_BYTES = 1024 * 1024


class StoredBody:
    """
    The part of an open file from an offset on. For a client that reads slowly it holds a descriptor, and no memory.

    The descriptor is closed when the object is no longer referenced. There is no close(), because several responses may
    share one body.

    Args:
        fd: Descriptor of the file. The caller still closes it; this object duplicates it.
        start: Offset of the body in the file.
        length: Length of the body in bytes.

    Raises:
        OSError: No descriptor is free.
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
        Read a slice.

        Raises:
            OSError: The disk fails, or the file was truncated.
        """
        first, last, _ = span.indices(self._length)
        data = os.pread(self._fd, last - first, self._start + first)
        if len(data) != last - first:
            raise OSError(f"a variant ends {last - first - len(data)} bytes too early")
        return data

    def sha256(self) -> bytes:
        """
        Return the SHA-256 of the body. It is read in parts, so little of it is in memory at a time.

        Raises:
            OSError: As for a slice.
        """
        hasher = hashlib.sha256()
        for start in range(0, self._length, _HASHED_AT_ONCE_BYTES):
            hasher.update(self[start : start + _HASHED_AT_ONCE_BYTES])
        return hasher.digest()
