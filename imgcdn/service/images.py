"""
The service: one request's way from its source to a variant.

`lookup` answers what is there already, without waiting for anything. `get` makes what is not: the source is probed
once for all who ask for it, the variant rendered once for all who ask for it.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from imgcdn.config import Config
from imgcdn.core.keys import source_key, variant_key
from imgcdn.core.memo import Memo
from imgcdn.core.negotiation import ClientClass
from imgcdn.core.plan import Limits, Plan, plan_for
from imgcdn.core.values import Effort, Facts, FileSignature, Refusal, Source, SourceRecord, Variant
from imgcdn.dialects.native import ImageRequest
from imgcdn.errors import (
    CorruptImage,
    ImageError,
    ImageTooLarge,
    ImgcdnError,
    InternalError,
    RenderTimeout,
    UnsupportedImage,
)
from imgcdn.service.flights import Flights
from imgcdn.service.jobs import Changed, Probed, ProbeJob, Rendered, RenderJob
from imgcdn.service.renderers import Renderers
from imgcdn.sources.local import LocalFiles
from imgcdn.store.disk import DiskStore, Folder
from imgcdn.store.files import HEADER_BYTES, unpack_header, variant_name, with_body

#: A failure is tried again after this long: settings may have changed, a crash may have been the machine's.
_REFUSED_FOR_S = 60.0

#: A file that changes while it is read is read once more; then its writer is not done.
_ATTEMPTS = 2

_REFUSALS = {error.slug: error for error in (ImageTooLarge, UnsupportedImage, CorruptImage, RenderTimeout)}


#: Coarsest tick of a kernel's file times. A file that changed less than this ago may change again, to the same size,
#: without its times telling (git calls such a file racily clean).
_TICK_S = 0.02


class CacheStatus(Enum):
    """How an answer came about (RFC 9211)."""

    HIT = "hit"
    MISS = "miss"
    COLLAPSED = "collapsed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    An answer, before HTTP.

    Args:
        variant: With its body, unless only its header was asked for.
        status: How it came about.
        stored: Whether it is on disk now.
    """

    variant: Variant
    status: CacheStatus
    stored: bool = True


@dataclass(frozen=True, slots=True)
class _Planned:
    """A plan and its key, for one version of a source."""

    version: str
    plan: Plan
    key: str


class ImageService:
    """
    Renders images and keeps them.

    Args:
        config: The settings.
        files: Where originals are.
        store: Where variants are kept.
        renderers: Who does the decoding and encoding.
        flights: Joins requests for the same thing.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        config: Config,
        *,
        files: LocalFiles,
        store: DiskStore,
        renderers: Renderers,
        flights: Flights,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._config = config
        self._files = files
        self._renderers = renderers
        self._flights = flights
        self._clock = clock
        self._limits = Limits(config.avif_min_pixels, config.avif_max_pixels, config.max_dimension)
        self._planned: Memo[tuple[ImageRequest, ClientClass], _Planned] = Memo(32_768)

    def lookup(self, request: ImageRequest, client: ClientClass, *, body: bool = True) -> Delivery | None:
        """
        Return a variant that is there already.

        Args:
            body: False when the header will do.

        Returns:
            None when something has to be read or rendered first.

        Raises:
            SourceNotFound: There is no such original.
            ImageError: It was refused a short while ago.
        """
        record = self._current_record(request.source)
        if record is None:
            return None
        if record.facts is not None:
            planned = self._plan(record, request, client)
            variant = self.store.read(source_key(request.source), planned.key, planned.plan.format, body=body)
            if variant is not None:
                return Delivery(variant, CacheStatus.HIT)
        self._raise_refusal(record)
        return None

    async def get(self, request: ImageRequest, client: ClientClass) -> Delivery:
        """
        Return the variant that suits the client, made now if need be.

        Raises:
            ImgcdnError: Whatever stands in the way; every request that waited for the same thing gets it.
        """
        try:
            async with asyncio.timeout(self._config.request_timeout_s):
                return await self._get(request, client)
        except TimeoutError as error:
            raise RenderTimeout("The picture was not ready in time. Try again later.") from error

    async def describe(self, source: Source) -> Facts:
        """
        Return what an original's header says.

        Raises:
            ImgcdnError: It is not there, or refused.
        """
        facts = (await self._record(source)).facts
        assert facts is not None
        return facts

    async def _get(self, request: ImageRequest, client: ClientClass) -> Delivery:
        key = source_key(request.source)
        # Of a source that nobody knew, a variant can only have come while this request waited.
        found = CacheStatus.COLLAPSED if self.store.record(key) is None else CacheStatus.HIT
        for _ in range(_ATTEMPTS):
            record = await self._record(request.source)
            planned = self._plan(record, request, client)
            variant = self.store.read(key, planned.key, planned.plan.format)
            if variant is not None:
                return Delivery(variant, found)
            work = functools.partial(self._make, request.source, record, planned)
            flight = self._flights.board(f"variant:{key}:{planned.key}", work)
            delivery = await flight.wait()
            if delivery is not None:
                return delivery if flight.leads else replace(delivery, status=CacheStatus.COLLAPSED)
        raise InternalError("The original keeps changing while it is read. Try again when it is complete.")

    async def _record(self, source: Source) -> SourceRecord:
        """Return a record with facts, probed once for all who wait."""
        record = self._current_record(source)
        if record is None:
            flight = self._flights.board(f"source:{source_key(source)}", lambda: self._probe(source))
            record = await flight.wait()
        if record.facts is None:
            self._raise_refusal(record)
            raise InternalError("The original was refused, but not why.")
        return record

    async def _probe(self, source: Source) -> SourceRecord:
        for _ in range(_ATTEMPTS):
            known = self._current_record(source)  # another process may have been first
            if known is not None:
                return known
            path, signature = self._files.resolve(source.location), self._files.signature(source.location)
            limit = self._config.max_source_bytes
            if signature.size > limit:
                raise ImageTooLarge(f"The original has more than {limit} bytes.", limit=limit, unit="bytes")
            await _settled(signature)
            job = ProbeJob(path, signature, self._config.max_pixels, self._config.render_timeout_s)
            try:
                outcome = await self._renderers.run(job)
            except (ImageError, RenderTimeout) as error:  # it crashed or hung, so there is no version
                outcome = Probed("", None, error)
            if isinstance(outcome, Probed):
                return self._remember(source, signature, outcome)
        raise InternalError("The original keeps changing while it is read. Try again when it is complete.")

    def _remember(self, source: Source, signature: FileSignature, probed: Probed) -> SourceRecord:
        refusal = None if probed.error is None else self._refusal(probed.error)
        record = SourceRecord(probed.version, signature, probed.facts, refusal)
        with self.store.open_folder(source_key(source)) as folder:
            self.store.save_record(folder, record)
        return record

    async def _make(self, source: Source, record: SourceRecord, planned: _Planned) -> Delivery | None:
        """Render one variant, unless another process just did. None: the file is another one by now."""
        key = source_key(source)
        variant = self.store.read(key, planned.key, planned.plan.format)
        if variant is not None:
            return Delivery(variant, CacheStatus.COLLAPSED)
        newest = self.store.record(key)
        self._raise_refusal(newest if newest is not None and newest.version == record.version else record)
        path = self._files.resolve(source.location)
        with self.store.open_folder(key) as folder:
            job = RenderJob(
                path=path,
                signature=record.signature,
                plan=planned.plan,
                temp=self.store.temp_path(),
                made_at=int(self._clock()),
                effort=Effort.SETTLED,
                timeout_s=self._config.render_timeout_s,
            )
            try:
                with self._refusals_remembered(folder, record):
                    outcome = await self._renderers.run(job)
                if isinstance(outcome, Changed):
                    return None
                assert isinstance(outcome, Rendered)
                return self._publish(folder, job, outcome, planned)
            finally:
                self.store.discard(job.temp)  # gone already where it was published

    def _publish(self, folder: Folder, job: RenderJob, rendered: Rendered, planned: _Planned) -> Delivery:
        name = variant_name(planned.key, planned.plan.format)
        try:
            stored, data = self.store.keep(folder, job.temp, name, file=rendered.file, error_number=rendered.errno)
        except OSError as error:
            raise InternalError("The variant could not be read back. Try again.", log=str(error)) from error
        header = unpack_header(data[:HEADER_BYTES], len(data))
        variant = header and with_body(header, data, verify=False)
        if variant is None:
            raise InternalError("The variant could not be read back. Try again.")
        return Delivery(variant, CacheStatus.MISS, stored)

    def _current_record(self, source: Source) -> SourceRecord | None:
        """Return the record if it is of the file that is there now, and no refusal in it has run out."""
        signature = self._files.signature(source.location)
        record = self.store.record(source_key(source))
        if record is None or record.signature != signature:
            return None
        if record.facts is None and not self._refused(record):
            return None
        return record

    def _plan(self, record: SourceRecord, request: ImageRequest, client: ClientClass) -> _Planned:
        planned = self._planned.get((request, client))
        if planned is None or planned.version != record.version:
            assert record.facts is not None
            plan = plan_for(record.facts, request.params, client, self._limits)
            planned = _Planned(record.version, plan, variant_key(record.version, plan))
            self._planned.put((request, client), planned)
        return planned

    @contextlib.contextmanager
    def _refusals_remembered(self, folder: Folder, record: SourceRecord) -> Iterator[None]:
        """Write an original's failure into its record, so that other processes and later requests do not try it."""
        try:
            yield
        except (ImageError, RenderTimeout) as error:
            self.store.save_record(folder, replace(record, refusal=self._refusal(error)))
            raise

    def _refusal(self, error: ImgcdnError) -> Refusal:
        limit, unit = (error.limit, error.unit) if isinstance(error, ImageTooLarge) else (0, "")
        return Refusal(error.slug, error.detail, self._clock() + _REFUSED_FOR_S, limit, unit)

    def _refused(self, record: SourceRecord) -> bool:
        refusal = record.refusal
        return refusal is not None and refusal.slug in _REFUSALS and refusal.until > self._clock()

    def _raise_refusal(self, record: SourceRecord) -> None:
        if not self._refused(record):
            return
        refusal = record.refusal
        assert refusal is not None
        if refusal.slug == ImageTooLarge.slug:
            raise ImageTooLarge(refusal.detail, limit=refusal.limit, unit=refusal.unit)
        raise _REFUSALS[refusal.slug](refusal.detail)


async def _settled(signature: FileSignature) -> None:
    """Wait until the next change of the file must show in its times, which follow the wall clock."""
    age_s = time.time() - max(signature.mtime_ns, signature.ctime_ns) / 1e9
    if 0 <= age_s < _TICK_S:
        await asyncio.sleep(_TICK_S - age_s)
