"""Reading the headers of originals, in a render child: a header is as untrusted as the rest of a file."""

import time
from collections.abc import Callable

from imgcdn.core.values import SourceRecord
from imgcdn.errors import CorruptImage, RenderFailed, RenderTimeout
from imgcdn.origins.base import Located
from imgcdn.origins.negative import negative_entry
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import Changed, Outcome, Probed, ProbeJob


class Prober:
    """
    Reads the headers of originals through render children, and hashes the bytes if the fetcher has not.

    Args:
        renderers: The pool of children.
        max_pixels: Pixels times frames above which an original is refused.
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

    async def probe(self, file: Located, *, version: str | None) -> SourceRecord | None:
        """
        Return a record of a file. The record of a refused original has a negative entry.

        Args:
            version: SHA-256 of the bytes, hex; None to hash them.

        Returns:
            None if the file was replaced meanwhile.
        """
        job = ProbeJob(file.path, file.stamp, version, self._max_pixels, self._timeout_s)
        outcome = await self._run(job)
        if isinstance(outcome, Changed):
            return None
        assert isinstance(outcome, Probed)
        negative = None if outcome.error is None else negative_entry(outcome.error, now=self._clock())
        return SourceRecord(outcome.version, file.stamp, outcome.facts, negative)

    async def _run(self, job: ProbeJob) -> Outcome:
        """Do a job. If a child crashes, try another one, because the child may have been killed for another reason."""
        try:
            try:
                return await self._renderers.run(job)
            except RenderFailed:
                return await self._renderers.run(job)
        except RenderFailed as error:
            corrupt = CorruptImage("The original makes the decoder crash; export or upload it again.", log=error.detail)
            return Probed(job.version or "", None, corrupt)
        except RenderTimeout as error:
            return Probed(job.version or "", None, error)
