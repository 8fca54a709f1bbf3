"""Reading the headers of originals, in a render child: a header is as untrusted as the rest of a file."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from imgcdn.core.interest import ALWAYS, Interest
from imgcdn.core.values import SourceRecord
from imgcdn.errors import CorruptImage, RenderFailed, RenderTimeout
from imgcdn.origins.base import Located
from imgcdn.origins.negative import negative_entry
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import Changed, Claim, Failed, FirstRender, Outcome, Probed, ProbeJob, Rendered, claim_for

#: Estimated milliseconds for reading a header, and for a render in the same job (`renderers.child`).
_HEADER_MS = 2.0
_QUICK_RENDER_MS = 15.0

#: How much of a file is hashed in a millisecond.
_HASHED_BYTES_PER_MS = 1_000_000

#: Wall-clock seconds for one header, at most. To hash a file takes longer on a slow network disk.
_MOST_S = 3.0
_SLOWEST_BYTES_PER_S = 2_000_000


class ProbedOriginal(NamedTuple):
    """
    What was learned of an original.

    Args:
        record: Its record.
        rendered: The outcome of its first render; None if there was none, or if it has to be tried alone.
    """

    record: SourceRecord
    rendered: Rendered | Failed | None


class Prober:
    """
    Reads the headers of originals through render children, and hashes the bytes if the fetcher has not.

    Args:
        renderers: The pool of children.
        max_pixels: Pixels of a frame above which an original is refused.
        refused: Formats of originals that are refused.
        timeout_s: Wall-clock seconds for one render; a header gets at most three, and more if the bytes are hashed.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        renderers: RenderClient,
        *,
        max_pixels: int,
        timeout_s: float,
        refused: tuple[str, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._renderers = renderers
        self._max_pixels = max_pixels
        self._refused = refused
        self._timeout_s = min(timeout_s, _MOST_S)
        self._clock = clock

    async def probe(
        self,
        file: Located,
        *,
        version: str | None,
        first: FirstRender | None = None,
        interest: Interest = ALWAYS,
    ) -> ProbedOriginal | None:
        """
        Read a file's header. The record of a refused original has a negative entry.

        Args:
            version: SHA-256 of the bytes, hex; None to hash them.
            first: What to render in the same job; None for nothing.
            interest: Who waits.

        Returns:
            None if the file was replaced meanwhile.

        Raises:
            Overloaded: It would not be done in time.
            Withdrawn: Nobody waited any more.
        """
        timeout_s = self._timeout_s + (0.0 if version else file.stamp.size / _SLOWEST_BYTES_PER_S)
        job = ProbeJob(file.path, file.stamp, version, self._max_pixels, timeout_s, first, self._refused)
        outcome = await self._run(job, interest)
        if isinstance(outcome, Changed):
            return None
        assert isinstance(outcome, Probed)
        negative = None if outcome.error is None else negative_entry(outcome.error, now=self._clock())
        record = SourceRecord(outcome.version, file.stamp, outcome.facts, negative)
        return ProbedOriginal(record, outcome.rendered)

    async def _run(self, job: ProbeJob, interest: Interest) -> Outcome:
        """Do a job. If it fails, do it again in a new child, which no earlier original can have damaged."""
        try:
            return await self._renderers.run(job, _claim(job, interest), interest)
        except (RenderFailed, RenderTimeout):
            # The header alone. A render that came with it had the short deadline of a header, and is tried by itself.
            return await self._run_alone(replace(job, then=None), interest)

    async def _run_alone(self, job: ProbeJob, interest: Interest) -> Outcome:
        try:
            return await self._renderers.run(job, _claim(job, interest, needs_new_child=True), interest)
        except RenderTimeout as error:
            return Probed(job.version or "", None, error)
        except RenderFailed as error:
            corrupt = CorruptImage("The original makes the decoder crash; export or upload it again.", log=error.detail)
            return Probed(job.version or "", None, corrupt)


def _claim(job: ProbeJob, interest: Interest, *, needs_new_child: bool = False) -> Claim:
    hashing_ms = 0.0 if job.version else job.stamp.size / _HASHED_BYTES_PER_MS
    rendering_ms = 0.0 if job.then is None else _QUICK_RENDER_MS
    return claim_for(_HEADER_MS + hashing_ms + rendering_ms, interest, needs_new_child=needs_new_child)
