"""
The render child: the one process that opens originals and runs codecs on them.

It takes a job from its socket, does it, and answers; it has nothing else to do and nothing to lose. Whoever sent the
job kills it when it takes too long, and starts another.
"""

import ctypes
import errno
import gc
import hashlib
import os
import pickle
import resource
import signal
import socket
import stat
import struct
import sys
from io import BufferedReader
from pathlib import Path

from imgcdn.core.values import EncodedImage
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from imgcdn.errors import CorruptImage, ImageError, InternalError, RequestError, SourceNotFound
from imgcdn.renderers.jobs import TAKEN, Changed, Failed, Job, Outcome, Probed, ProbeJob, Rendered, RenderJob, pack
from imgcdn.renderers.priority import drop_realtime_capability, use_background_priority
from imgcdn.renderers.sandbox import confine
from imgcdn.store.files import file_stamp, pack_variant, write_file

#: CPU seconds beyond a job's wall-clock deadline before the kernel ends the child. Only an orphan gets that far.
_CPU_GRACE_S = 5

#: A child leaves after this many jobs, or when its memory has grown to this: codecs and allocators keep some.
_MAX_JOBS = 500
_MAX_RSS_BYTES = 400 * 2**20

_PR_SET_PDEATHSIG = 1
_LENGTH = struct.Struct(">Q")


def main(connection: socket.socket, memory_bytes: int, writable: str) -> None:
    """
    Serve jobs until the socket closes, or until this process is worn out and the broker has to start a fresh one.

    Args:
        connection: To the render broker. One job at a time.
        memory_bytes: Address space this process may have; a codec that wants more gets an error.
        writable: The one folder that it may write to; empty for none.
    """
    _settle(memory_bytes)
    confine(writable)
    try:
        for _ in range(_MAX_JOBS):
            length = connection.recv(_LENGTH.size, socket.MSG_WAITALL)
            if len(length) < _LENGTH.size:
                return
            data = connection.recv(_LENGTH.unpack(length)[0], socket.MSG_WAITALL)
            connection.sendall(TAKEN)
            job: Job = pickle.loads(data)  # noqa: S301  # from our own parent, over a socket pair
            outcome = perform(job)
            connection.sendall(pack(outcome))
            if isinstance(outcome, Rendered) and outcome.errno == errno.EACCES:
                return  # the folder was made anew; the right to write to it belongs to a child that was, too
            del outcome
            _give_memory_back()
            if _rss_bytes() > _MAX_RSS_BYTES:
                return
    except ConnectionError:
        return  # the broker is gone


def perform(job: Job) -> Outcome:
    """Do one job. Every error comes back as a value; a crash does not come back at all."""
    cpu_s = int(time_used_s() + job.timeout_s) + _CPU_GRACE_S
    _limit(resource.RLIMIT_CPU, cpu_s)  # it counts the process's whole life
    try:
        with _open(job) as file:
            outcome = _probe(file, job) if isinstance(job, ProbeJob) else _render(file, job)
            return outcome if file_stamp(file.fileno()) == job.stamp else Changed()
    except (ImageError, RequestError) as error:
        return Failed(error)
    except _NotTheFile:
        return Changed()
    except MemoryError:
        return Failed(CorruptImage("Rendering this original takes more memory than the service allows."))
    except Exception as error:  # noqa: BLE001  # the last resort of a job: the client gets 500, the operator this text
        return Failed(InternalError("Rendering failed. The log has the reason.", log=_describe(error)))


def time_used_s() -> float:
    """Return the CPU seconds this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class _NotTheFile(Exception):
    """The path leads to something else than the file that was planned for."""


def _open(job: Job) -> BufferedReader:
    try:
        # Not following a last link, and not waiting for a writer should the path have become a FIFO.
        fd = os.open(job.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        detail = "There is no image at this path that the service may read."
        raise SourceNotFound(detail, log=f"no permission to read {job.path}") from error
    except OSError as error:
        raise _NotTheFile from error
    if not stat.S_ISREG(os.fstat(fd).st_mode) or file_stamp(fd) != job.stamp:
        os.close(fd)
        raise _NotTheFile
    return os.fdopen(fd, "rb")


def _probe(file: BufferedReader, job: ProbeJob) -> Probed:
    version = job.version or hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    try:
        return Probed(version, probe(file, max_pixels=job.max_pixels), None)
    except ImageError as error:
        return Probed(version, None, error)


def _render(file: BufferedReader, job: RenderJob) -> Rendered:
    image: EncodedImage = render(file, job.plan, job.budget)
    data = pack_variant(image, made_at=job.made_at)
    if job.temp is None:
        return Rendered(data)
    failed = write_file(job.temp, data)  # a full or read-only disk costs the file, not the picture
    return Rendered(data, failed.errno or errno.EIO) if failed else Rendered(None)


def _settle(memory_bytes: int) -> None:
    """Make the process killable, quiet, bounded, and less important than the one that answers hits."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a drain lets renders finish; the broker kills with SIGKILL
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    drop_realtime_capability()
    use_background_priority()
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    gc.freeze()  # what is there now stays; looking through it took 4 ms after every job


def _give_memory_back() -> None:
    """Return what the last job freed. After 12 megapixels through SVT: 271 MB resident, 29 afterwards, in 7 ms."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)


def _limit(which: int, soft: int) -> None:
    """Lower a limit, or raise it as far as whoever started the service allows."""
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _rss_bytes() -> int:
    try:
        resident_pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(resident_pages) * os.sysconf("SC_PAGE_SIZE")


def _describe(error: Exception) -> str:
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f" at {where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
    return f"{type(error).__name__}: {error}{place}"
