"""What becomes of renders: their variants are published, and their failures remembered for a while."""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import replace

from imgcdn.core.output.file_size import most_variant_bytes
from imgcdn.core.values import SourceRecord, Variant
from imgcdn.errors import CorruptImage, ImageError, InternalError, RenderTimeout
from imgcdn.origins.base import Original
from imgcdn.origins.negative import blames_origin, negative_entry, raise_failed, raise_remembered, with_failed
from imgcdn.renderers.jobs import Failed, Rendered
from imgcdn.service.delivery import CacheStatus, Delivery, delivery_of
from imgcdn.service.planning import Planned
from imgcdn.service.policy import RenderPolicy
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import LARGE_BYTES, variant_name
from imgcdn.store.folder import Folder, Kept


class Results:
    """
    The results of renders.

    Args:
        store: Where variants and failures are kept.
        policy: Says whether a variant of an original that ends early may be served.
        clock: Unix time in seconds.
    """

    def __init__(self, store: DiskStore, policy: RenderPolicy, clock: Callable[[], float]) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock

    async def finish(
        self,
        folder: Folder,
        original: Original,
        *,
        planned: Planned,
        temp: str | None,
        outcome: Rendered | Failed,
    ) -> Delivery:
        """
        Publish a variant, or remember for a while that its render failed, so that no process repeats it.

        Args:
            folder: The folder of its source, opened before the original was.
            original: The original that it was rendered from.
            planned: The plan of the variant.
            temp: The path that the variant's file was written to.
            outcome: The outcome of the render.

        Raises:
            ImgcdnError: The render failed, or its variant cannot be read back.
        """
        if isinstance(outcome, Failed):
            record = original.record
            is_storable = record.origin is None or record.origin.storable
            if is_storable and isinstance(outcome.error, ImageError | RenderTimeout):
                self._remember(folder, record, planned, outcome.error)
            outcome.raise_error()
        kept = await self._publish(folder, original, planned, temp=temp, rendered=outcome)
        if kept.variant is None:
            raise _not_read_back()
        return replace(self.delivery(kept.variant, CacheStatus.MISS, original, planned), stored=kept.is_stored)

    async def _publish(
        self, folder: Folder, original: Original, planned: Planned, *, temp: str | None, rendered: Rendered
    ) -> Kept:
        # Named after the planned format, because a hit knows only that. The file's header has the actual format.
        name = variant_name(planned.key, planned.plan.format)
        if rendered.file is not None:
            read = functools.partial(self._store.unwritten, rendered.file, name, error_number=rendered.errno)
            return await asyncio.to_thread(read) if len(rendered.file) > LARGE_BYTES else read()
        assert temp is not None
        most_bytes = most_variant_bytes(planned.plan, original.record.stamp.size)
        try:
            kept = self._store.keep_small(folder, temp, name)
            if kept is not None:
                return kept
            # To hash a large variant takes longer than to hand it to a thread.
            return await asyncio.to_thread(self._store.keep, folder, temp, name, most_bytes=most_bytes)
        except OSError as error:
            raise _not_read_back(log=str(error)) from error

    def delivery(self, variant: Variant, status: CacheStatus, original: Original, planned: Planned) -> Delivery:
        """
        Return the delivery of a variant that was made from an original.

        Raises:
            CorruptImage: The original ends early, and such variants are not served.
        """
        variant = self._policy.check(variant)
        return delivery_of(variant, status, original, self._clock(), is_reduced=planned.is_reduced)

    def raise_remembered(self, record: SourceRecord, planned: Planned | None) -> None:
        """
        Raise a remembered error of an original's bytes or of a variant.

        Args:
            planned: The plan of the variant; None for the original alone.

        Raises:
            ImgcdnError: There is one that has not ended.
        """
        now = self._clock()
        if not blames_origin(record):
            raise_remembered(record, now=now)
        if planned is not None:
            raise_failed(record, planned.key, now=now)

    def _remember(
        self, folder: Folder, record: SourceRecord, planned: Planned, error: ImageError | RenderTimeout
    ) -> None:
        now = self._clock()
        # Another variant may have failed during this render, or the source was purged or refreshed.
        newest = self._store.record(folder.source_key)
        if newest is None or newest.version != record.version:
            return
        # An animation may have a damaged frame that its stills do not need.
        if isinstance(error, CorruptImage) and not planned.plan.animated:
            newest = replace(newest, negative=negative_entry(error, now=now))
        else:
            newest = with_failed(newest, planned.key, error, now=now)
        self._store.save_record(folder, newest)


def _not_read_back(log: str = "") -> InternalError:
    return InternalError("The variant could not be read back. Try again.", log=log)
