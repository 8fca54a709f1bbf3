"""
Verifying stored variants again, a part each day.

A process hashes a variant when it reads it for the first time, and not again. A disk may damage the file later. So each
variant is hashed once in 30 days, at a time that follows from its key. The time until which that was done is the mtime
of a file that all processes share. After a longer stop, at most one day's part is done.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator

from imgcdn.store.disk import DiskStore
from imgcdn.store.files import HEADER_BYTES, VARIANT_NAME, key_in, remove_file, unpack_header, write_file
from imgcdn.store.layout import CURRENT, VERIFIED, elected
from imgcdn.store.opening import open_regular
from imgcdn.store.survey import entries

_log = logging.getLogger(__name__)

_PERIOD_S = 30 * 86_400
_MOST_S = 86_400

#: A part is done at most once an hour, because the names of all variants are listed for it.
_EVERY_S = 3_600

#: How much is read at a time, and the pause after it: at most 100 MB a second, and hits come in between.
_READ_BYTES = 2**20
_PAUSE_S = 0.01


def verify_part(store: DiskStore, *, pause: Callable[[float], bool]) -> int | None:
    """
    Hash the variants whose time has come since the last part. Remove the damaged ones.

    Args:
        pause: Waits for some seconds, and returns True if the work shall end.

    Returns:
        The number of variants that were hashed; None if it is too early, or another process does it, or nothing is
        stored.
    """
    if not store.max_bytes:
        return None
    marker, now = os.path.join(store.folder, VERIFIED), store.clock()
    try:
        done_until = os.lstat(marker).st_mtime
    except OSError:
        write_file(marker, b"")
        return None
    if done_until <= now < done_until + _EVERY_S:
        return None
    try:
        with elected(store.folder) as won:
            if not won:
                return None
            hashed = _verify(store, max(done_until, now - _MOST_S), now, pause)
            if hashed is not None:
                os.utime(marker, (now, now), follow_symlinks=False)
            return hashed
    except OSError as error:
        _log.warning("stored variants cannot be verified: %s", error)
        return None


def is_due(key: str, since: float, until: float) -> bool:
    """
    Tell whether a variant's time, once in 30 days, lies in a span of Unix time.

    Args:
        key: The key of the variant.
        since, until: The span, without its end.
    """
    own = int(key[:8], 16) / 2**32 * _PERIOD_S
    return (own - since) % _PERIOD_S < until - since


def _verify(store: DiskStore, since: float, until: float, pause: Callable[[float], bool]) -> int | None:
    hashed = 0
    for path in _variants(os.path.join(store.folder, CURRENT)):
        if not is_due(os.path.basename(path), since, until):
            continue
        is_good = _is_good(path, pause)
        if is_good is None:
            return None
        hashed += 1
        if not is_good:
            _log.warning("removed a variant that was damaged on the disk")
            remove_file(path)
    return hashed


def _variants(tree: str) -> Iterator[str]:
    for shard in entries(tree):
        for source in entries(shard.path) if shard.is_dir(follow_symlinks=False) else ():
            for each in entries(source.path) if source.is_dir(follow_symlinks=False) else ():
                if VARIANT_NAME.fullmatch(each.name):
                    yield each.path


def _is_good(path: str, pause: Callable[[float], bool]) -> bool | None:
    """Hash a variant. Return None if the work shall end. A file that cannot be read is left to its next reader."""
    try:
        fd, stat = open_regular(path)
    except OSError:
        return True
    try:
        header = unpack_header(os.pread(fd, HEADER_BYTES, 0), stat.st_size, key=key_in(os.path.basename(path)))
        if header is None:
            return False
        hasher = hashlib.sha256()
        for start in range(HEADER_BYTES, stat.st_size, _READ_BYTES):
            hasher.update(os.pread(fd, _READ_BYTES, start))
            if pause(_PAUSE_S):
                return None
        return hasher.digest() == header.digest
    except OSError:  # the disk cannot read it any more
        return False
    finally:
        os.close(fd)
