"""Reading the headers of originals, in a render child: a header is as untrusted as the rest of a file."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from imgcdn.core.values import SourceRecord
from imgcdn.errors import CorruptImage, RenderFailed, RenderTimeout
from imgcdn.origins.base import Located
from imgcdn.origins.negative import negative_entry
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import Changed, Failed, FirstRender, Outcome, Probed, ProbeJob, Rendered


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
        timeout_s: Wall-clock seconds for one header.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        renderers: RenderClient,
        *,
        max_pixels: int,
        timeout_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._renderers = renderers
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._clock = clock

    async def probe(
        self, file: Located, *, version: str | None, first: FirstRender | None = None
    ) -> ProbedOriginal | None:
        """
        Read a file's header. The record of a refused original has a negative entry.

        Args:
            version: SHA-256 of the bytes, hex; None to hash them.
            first: What to render in the same trip; None for nothing.

        Returns:
            None if the file was replaced meanwhile.
        """
        outcome = await self._run(
            ProbeJob(file.path, file.stamp, version, self._max_pixels, self._timeout_s, then=first)
        )
        if isinstance(outcome, Changed):
            return None
        assert isinstance(outcome, Probed)
        negative = None if outcome.error is None else negative_entry(outcome.error, now=self._clock())
        record = SourceRecord(outcome.version, file.stamp, outcome.facts, negative)
        return ProbedOriginal(record, outcome.rendered)

    async def _run(self, job: ProbeJob, *, is_last: bool = False) -> Outcome:
        """Do a job. If a child crashes, try another one, because the child may have been killed for another reason."""
        try:
            return await self._renderers.run(job)
        except (RenderFailed, RenderTimeout) as error:
            if job.then is not None:
                return await self._run_without_render(job, error)
            if isinstance(error, RenderTimeout):
                return Probed(job.version or "", None, error)
            if not is_last:
                return await self._run(job, is_last=True)
            corrupt = CorruptImage("The original makes the decoder crash; export or upload it again.", log=error.detail)
            return Probed(job.version or "", None, corrupt)

    async def _run_without_render(self, job: ProbeJob, error: RenderFailed | RenderTimeout) -> Outcome:
        """Read the header alone: the render may be at fault, and then the original must not be blamed."""
        outcome = await self._run(replace(job, then=None))
        if isinstance(error, RenderTimeout) and isinstance(outcome, Probed) and outcome.facts is not None:
            return replace(outcome, rendered=Failed(error))  # a second attempt would take as long
        return outcome
