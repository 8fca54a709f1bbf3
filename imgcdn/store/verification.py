"""
Verifying stored variants again, a part at a time.

A process hashes a variant when it reads it for the first time, and not again. A disk may damage the file later. So each
variant is hashed once in 30 days, at a time that follows from its key. A file that all processes share has as its mtime
the time up to which this is done. After a longer stop, only the variants due in the last day are verified.
"""

import hashlib
import logging
import os
import time
from collections.abc import Callable

from imgcdn.store.disk import DiskStore
from imgcdn.store.files import HEADER_BYTES, key_in, remove_if_same, unpack_header, write_file
from imgcdn.store.layout import CURRENT, VERIFIED, elected
from imgcdn.store.opening import READ, open_regular
from imgcdn.store.survey import variant_paths

_log = logging.getLogger(__name__)

_PERIOD_S = 30 * 86_400

#: The part that is done after a longer stop. What was due before that is left for its next time.
_MAX_PART_S = 86_400

#: A part begins when it is this long, because the names of all variants are listed for it.
_MIN_PART_S = 3_600

#: A call ends when it has worked for this long, because sweeps wait for it. A later call goes on where it stopped.
_CALL_S = 1.0

#: How much is read at a time, and the pause after it: at most 100 MB a second, and hits come in between.
_READ_BYTES = 2**20
_PAUSE_S = 0.01


class _Ended(Exception):  # not an error: the process ends
    """Verification must stop now."""


def verify_part(
    store: DiskStore, *, pause: Callable[[float], bool], monotonic: Callable[[], float] = time.monotonic
) -> int | None:
    """
    Hash variants whose time has come, for about a second. Remove the damaged ones.

    Args:
        pause: Waits for some seconds, and returns True if verification must stop now.
        monotonic: A monotonic clock, in seconds.

    Returns:
        The number of variants that were hashed; None if it is too early, or another process does it, or nothing is
        stored.
    """
    if not store.max_bytes:
        return None
    marker = os.path.join(store.folder, VERIFIED)
    try:
        # Not the lock of a sweep: eviction goes on in another process meanwhile.
        with elected(marker, READ) as won:
            return _verify(store, marker, pause, monotonic) if won else None
    except FileNotFoundError:
        write_file(marker, b"")
        return None
    except OSError as error:
        _log.warning("stored variants cannot be verified: %s", error)
        return None


def due_after(key: str, since: int) -> int:
    """
    Return the first time at or after `since` at which a variant is due. It is due once in 30 days.

    Args:
        key: The key of the variant.
        since: Unix time in whole seconds, as the result, because every file system can store these.
    """
    own = int(key[:8], 16) * _PERIOD_S >> 32
    return since + (own - since) % _PERIOD_S


def _verify(
    store: DiskStore, marker: str, pause: Callable[[float], bool], monotonic: Callable[[], float]
) -> int | None:
    verified_until, done_until = int(os.lstat(marker).st_mtime), int(store.clock())
    if verified_until <= done_until < verified_until + _MIN_PART_S:
        return None
    since, ends_at = max(verified_until, done_until - _MAX_PART_S), monotonic() + _CALL_S
    hashed, reached = 0, since
    for number, (due, path) in enumerate(_due_variants(os.path.join(store.folder, CURRENT), since, done_until)):
        # All that are due in one second are done in one call, so each call makes progress.
        if number and due > reached and monotonic() >= ends_at:
            done_until = due
            break
        reached = due
        try:
            hashed += _verify_file(path, pause)
        except _Ended:
            done_until = due
            break
    os.utime(marker, (done_until, done_until), follow_symlinks=False)
    return hashed


def _due_variants(tree: str, since: int, until: int) -> list[tuple[int, str]]:
    """Return the variants that are due in a span of time, without its end, in the order in which they are due."""
    found = ((due_after(os.path.basename(path), since), path) for path in variant_paths(tree))
    return sorted((due, path) for due, path in found if due < until)


def _verify_file(path: str, pause: Callable[[float], bool]) -> bool:
    """
    Hash a variant, and remove it if it is damaged. Return whether it could be read.

    A file that cannot be read stays. A reader takes it for missing, so it is rendered and replaced.
    """
    try:
        fd, stat = open_regular(path)
        try:
            is_good = _is_good(fd, stat.st_size, path, pause)
        finally:
            os.close(fd)
    except FileNotFoundError:  # evicted meanwhile
        return False
    except OSError as error:
        _log.warning("a stored variant cannot be read: %s", error)
        return False
    if not is_good:
        _log.warning("removed a variant that was damaged on the disk")
        remove_if_same(path, stat)
    return True


def _is_good(fd: int, size: int, path: str, pause: Callable[[float], bool]) -> bool:
    header = unpack_header(os.pread(fd, HEADER_BYTES, 0), size, key=key_in(os.path.basename(path)))
    if header is None:
        return False
    hasher = hashlib.sha256()
    for start in range(HEADER_BYTES, size, _READ_BYTES):
        hasher.update(os.pread(fd, _READ_BYTES, start))
        if pause(_PAUSE_S):
            raise _Ended
    return hasher.digest() == header.digest
