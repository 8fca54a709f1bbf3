"""
The render child: the only process that opens originals and runs codecs on them.

It reads a job from its socket, does it, and sends the outcome. It keeps no state, so the broker may kill it at any
time, for example when a job takes too long.
"""

import ctypes
import errno
import gc
import hashlib
import os
import resource
import signal
import socket
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

from imgcdn.core.output.keys import variant_key
from imgcdn.core.output.plan import Plan, plan_for
from imgcdn.core.values import EncodedImage, Facts
from imgcdn.engine.probe import probe
from imgcdn.engine.render import render
from imgcdn.errors import CorruptImage, ImageError, OriginError, RenderFailed, RequestError
from imgcdn.renderers.jobs import (
    Changed,
    Failed,
    FirstRender,
    Job,
    Outcome,
    Probed,
    ProbeJob,
    Rendered,
    RenderJob,
    failed_by_us,
)
from imgcdn.renderers.messages import TAKEN, pack, receive_message
from imgcdn.renderers.parent import end_with_parent
from imgcdn.renderers.priority import drop_realtime_capability, use_background_priority
from imgcdn.renderers.sandbox import confine
from imgcdn.renderers.system_calls import restrict_system_calls
from imgcdn.store.files import file_stamp, pack_variant, stamp_of, write_file
from imgcdn.store.opening import open_beneath

T = TypeVar("T")

#: The kernel kills a child this many CPU seconds after the job's deadline. The broker kills it at the deadline, so this
#: matters only if the broker is gone.
_CPU_GRACE_S = 5

#: A child exits after this many jobs, or above this resident memory, because codecs and allocators keep memory.
_MAX_JOBS = 500
_MAX_RSS_BYTES = 400 * 2**20

#: Longest file that a child may write. A PNG of 8192 x 8192 pixels has 268 MB at most.
_MAX_FILE_BYTES = 512 * 2**20

#: What is rendered in the same job as the probe: a photograph of 1,000,000 pixels to a thumbnail takes 5 to 30 ms.
_QUICK_SOURCE_PIXELS = 1_000_000
_QUICK_OUTPUT_PIXELS = 100_000


def main(connection: socket.socket, memory_bytes: int, writable: str) -> None:
    """
    Do jobs until the socket closes, or until this process has done many jobs or uses much memory.

    Args:
        connection: The socket to the render broker. It sends one job at a time.
        memory_bytes: Limit of the address space. A codec that needs more gets an error.
        writable: The only folder that this process may write to; empty for none.
    """
    _limit_process(memory_bytes)
    _close_others(connection.fileno())
    confine(writable)
    restrict_system_calls()
    try:
        for _ in range(_MAX_JOBS):
            job: Job | None = receive_message(connection)
            if job is None:
                return
            connection.sendall(TAKEN)
            outcome = perform(job)
            connection.sendall(pack(outcome))
            rendered = outcome.rendered if isinstance(outcome, Probed) else outcome
            if isinstance(rendered, Rendered) and rendered.errno == errno.EACCES:
                return  # the folder was created anew, and only a new child gets the right to write to it
            del outcome, rendered
            _release_memory()
            if _rss_bytes() > _MAX_RSS_BYTES:
                return
    except ConnectionError:
        return  # the broker has exited


def perform(job: Job) -> Outcome:
    """Do one job. Errors are returned as values. A crash ends the process."""
    cpu_s = int(time_used_s() + job.timeout_s) + _CPU_GRACE_S
    _limit(resource.RLIMIT_CPU, cpu_s)  # the limit counts from the start of the process
    return _attempt(lambda: _perform(job))


def _perform(job: Job) -> Outcome:
    try:
        with _open(job) as file:
            # An original that is written while it is read looks damaged. So errors count only if it is still the same.
            outcome = _attempt(lambda: _probe(file, job) if isinstance(job, ProbeJob) else _render(file, job))
            return outcome if file_stamp(file.fileno()) == job.stamp else Changed()
    except _NotTheFile:
        return Changed()


def _attempt(work: Callable[[], T]) -> T | Failed:
    """Do work whose errors are values."""
    try:
        return work()
    except (ImageError, OriginError, RequestError) as error:
        return Failed(error)
    except MemoryError as error:
        detail = "This takes more memory than the service allows. Another size or format may work."
        return Failed(RenderFailed(detail, log=_describe(error)))
    except Exception as error:  # noqa: BLE001  # the last resort of a job: the client gets 500, the operator this text
        return failed_by_us(log=_describe(error))


def time_used_s() -> float:
    """Return the CPU seconds this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class _NotTheFile(Exception):
    """The path does not lead to the expected file."""


def _open(job: Job) -> BufferedReader:
    try:
        fd, found = open_beneath(job.path.root, job.path.name)
    except PermissionError as error:
        raise OriginError.for_folder(f"{job.path}: {error}") from error
    except OSError as error:
        raise _NotTheFile from error
    if stamp_of(found) != job.stamp:
        os.close(fd)
        raise _NotTheFile
    return os.fdopen(fd, "rb")


def _probe(file: BufferedReader, job: ProbeJob) -> Probed:
    version = job.version or hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    try:
        facts = probe(file, max_pixels=job.max_pixels, refused=job.refused)
    except ImageError as error:
        return Probed(version, None, error)
    first = job.then
    if first is None:
        return Probed(version, facts, None)
    return Probed(version, facts, None, _attempt(lambda: _render_first(file, version, facts, first)))


def _render_first(file: BufferedReader, version: str, facts: Facts, first: FirstRender) -> Rendered | None:
    plan = plan_for(facts, first.params, first.client, first.limits)
    if not _is_quick(facts, plan):
        return None
    file.seek(0)
    return _written(
        _complete(render(file, plan, first.budget), first), variant_key(version, plan), first.temp, first.made_at
    )


def _is_quick(facts: Facts, plan: Plan) -> bool:
    """Tell whether a render takes some milliseconds. Requests for other sizes of the picture wait for it, too."""
    source, output = facts.size[0] * facts.size[1], plan.size[0] * plan.size[1]
    return source <= _QUICK_SOURCE_PIXELS and output <= _QUICK_OUTPUT_PIXELS and facts.frames == 1


def _render(file: BufferedReader, job: RenderJob) -> Rendered:
    return _written(_complete(render(file, job.plan, job.budget), job), job.key, job.temp, job.made_at)


def _complete(image: EncodedImage, job: RenderJob | FirstRender) -> EncodedImage:
    """
    Return a picture that the job permits.

    Raises:
        CorruptImage: Pixels are missing, and the job does not permit that.
    """
    if image.partial and not job.serves_partial:
        raise CorruptImage.for_partial()
    return image


def _written(image: EncodedImage, key: str, temp: str | None, made_at: int) -> Rendered:
    data = pack_variant(image, key=key, made_at=made_at)
    if temp is None:
        return Rendered(data, file_bytes=len(data))
    failed = write_file(temp, data)  # if the disk is full or read-only, the picture is still sent
    if failed:
        return Rendered(data, failed.errno or errno.EIO, file_bytes=len(data))
    return Rendered(None, file_bytes=len(data))


def _limit_process(memory_bytes: int) -> None:
    """Set signals, priority and limits, so that this process cannot disturb the one that serves hits."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a drain lets renders finish; the broker kills with SIGKILL
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(signal.SIGKILL)
    drop_realtime_capability()
    use_background_priority()
    _limit(resource.RLIMIT_AS, memory_bytes, for_good=True)
    _limit(resource.RLIMIT_CORE, 0, for_good=True)
    _limit(resource.RLIMIT_FSIZE, _MAX_FILE_BYTES, for_good=True)
    gc.freeze()  # modules stay loaded; without this, every gc.collect() takes 4 ms longer


def _close_others(kept: int) -> None:
    """
    Close every descriptor but the standard ones and one more.

    The fork server leaves its children the pipe by which it learns that nobody needs it, and that of the resource
    tracker. One byte into either would end it.
    """
    os.closerange(3, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _release_memory() -> None:
    """Return freed memory to the system. After SVT encoded 12 megapixels: from 271 MB resident to 29, in 7 ms."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only glibc has it
    if trim is not None:
        trim(0)


def _limit(which: int, most: int, *, for_good: bool = False) -> None:
    """
    Set a limit, but no higher than the hard limit that this process inherited.

    Args:
        for_good: Whether this process may not raise it again.
    """
    _, hard = resource.getrlimit(which)
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (soft, soft if for_good else hard))


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
