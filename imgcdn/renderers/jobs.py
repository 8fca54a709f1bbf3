"""Jobs for render children, what they claim, and their outcomes."""

import asyncio
import contextlib
import glob
import os
from copy import copy
from dataclasses import dataclass
from typing import NoReturn

from imgcdn.core.encoders.effort import Budget
from imgcdn.core.interest import Interest
from imgcdn.core.output.plan import Limits, Plan
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts, FileStamp, PathBeneath
from imgcdn.errors import ImgcdnError, InternalError

#: Patience of a job that no request waits for.
_LONGEST_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class FirstRender:
    """
    A variant to render right after the probe, in the same job, if that is quick.

    Args:
        params, client, limits: What its plan follows from, beside the probe facts.
        budget: The limits of encoders.
        temp: Path to write the variant's file to.
        made_at: Unix time in whole seconds, for the variant's header.
        serves_partial: As in `RenderJob`.
    """

    params: Params
    client: ClientClass
    limits: Limits
    budget: Budget
    temp: str
    made_at: int
    serves_partial: bool = True


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """
    Read an original's header, and hash its bytes if the fetcher has not.

    Args:
        path: Path of the original.
        stamp: The stamp that the file must have.
        version: SHA-256 of the bytes, hex, if it is known; None to hash them.
        max_pixels: Pixels of an original's frame; larger ones are refused. An animation whose frames together have more
            becomes a still.
        timeout_s: Wall-clock seconds after which the child is killed.
        then: What to render if the original is not refused; None for nothing.
        refused: Formats of originals whose decoder is not run.
    """

    path: PathBeneath
    stamp: FileStamp
    version: str | None
    max_pixels: int
    timeout_s: float
    then: FirstRender | None = None
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RenderJob:
    """
    Render one variant.

    Args:
        path: Path of the original.
        stamp: The stamp that the file must have.
        plan: The plan of the variant.
        key: The key of the variant, for its header.
        temp: Path to write the variant's file to; None to send the file back.
        made_at: Unix time in whole seconds, for the variant's header.
        budget: The limits of encoders.
        timeout_s: Wall-clock seconds after which the child is killed.
        serves_partial: Whether an original that ends early is rendered as far as it goes; if not, it is refused.
    """

    path: PathBeneath
    stamp: FileStamp
    plan: Plan
    key: str
    temp: str | None
    made_at: int
    budget: Budget
    timeout_s: float
    serves_partial: bool = True


Job = ProbeJob | RenderJob


def remove_half_written(job: Job) -> None:
    """Remove the partly written file of a killed child."""
    written = job.then if isinstance(job, ProbeJob) else job
    if written is not None and written.temp:  # an empty path would match files of the current folder
        # The file, and the one with a longer name that it is written under first (`store.files.write_file`).
        for path in (written.temp, *glob.glob(f"{glob.escape(written.temp)}.*")):
            with contextlib.suppress(OSError):
                os.unlink(path)


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A job's claim to a child: what it costs, and whose turn it takes.

    Args:
        cost_ms: Estimated CPU milliseconds (`core.encoders.cost`).
        client: The client's address, or the network that counts as one client. Clients are served by turns.
        host: The source's host; empty for a folder. The hosts of a client are served by turns.
        source: The source's key.
        patience_s: Seconds that somebody waits for the job, at most.
        is_background: Whether no client waits for it. Then it makes way for jobs that a client waits for.
        needs_new_child: Whether it gets a child that has done no other job, because the last one died of it.
    """

    cost_ms: float = 0.0
    client: str = ""
    host: str = ""
    source: str = ""
    patience_s: float = _LONGEST_WAIT_S
    is_background: bool = False
    needs_new_child: bool = False


#: The claim of a job that no request in particular waits for.
NO_CLAIM = Claim()


def claim_for(cost_ms: float, interest: Interest, *, needs_new_child: bool = False) -> Claim:
    """Return the claim of a job for those who wait for it now."""
    requester = interest.requester
    patience_s = min(interest.ends_at - asyncio.get_running_loop().time(), _LONGEST_WAIT_S)
    return Claim(
        cost_ms,
        requester.client,
        requester.host,
        requester.source,
        patience_s,
        is_background=requester.is_background,
        needs_new_child=needs_new_child,
    )


@dataclass(frozen=True, slots=True)
class Rendered:
    """
    The outcome of a RenderJob.

    Args:
        file: The bytes of the variant's file; None if it was written to the job's `temp`.
        errno: The error of a failed write, after which the file is sent instead; 0 if no write failed.
        file_bytes: Length of the file.
    """

    file: bytes | None
    errno: int = 0
    file_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """The job failed. The request gets the error."""

    error: ImgcdnError

    def raise_error(self) -> NoReturn:
        """
        Raise a copy of the error.

        The error itself would refer to the caller's frame, which has this value in a variable: a cycle.
        """
        raise copy(self.error)


def failed_by_us(log: str = "") -> Failed:
    """Return the outcome of a job that failed by a fault of ours."""
    return Failed(InternalError("Rendering failed. The log has the reason.", log=log))


@dataclass(frozen=True, slots=True)
class Probed:
    """
    The outcome of a ProbeJob.

    Args:
        version: SHA-256 of the bytes, hex.
        facts: The probe facts; None if the original is refused.
        error: Why it is refused; None if it is not.
        rendered: The outcome of `then`; None if there was none.
    """

    version: str
    facts: Facts | None
    error: ImgcdnError | None
    rendered: Rendered | Failed | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """The file is not the expected one, so its record must be refreshed."""


@dataclass(frozen=True, slots=True)
class GaveWay:
    """Nobody waited for the job any more, so it was not done."""


@dataclass(frozen=True, slots=True)
class Killed:
    """Somebody else killed the child, such as the kernel when memory was short. The job is not at fault."""


Outcome = Probed | Rendered | Failed | Changed | GaveWay | Killed
