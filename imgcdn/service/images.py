"""
The service: the steps of a request, from its source to a variant.

`lookup` returns a stored variant, and does not wait for anything. `get` also makes it: the source is fetched or read
once for all requests that wait for it, and the variant is rendered once for all requests that wait for it.
"""

import asyncio
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from imgcdn.core.interest import Interest, Requester
from imgcdn.core.output.keys import source_key
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.values import Facts, Source, SourceRecord, Variant
from imgcdn.dialects.base import ImageRequest
from imgcdn.errors import CorruptImage, ImageError, ImgcdnError, InternalError, Overloaded, RenderTimeout
from imgcdn.origins.base import Original, keeps_changing
from imgcdn.origins.catalog import ATTEMPTS, Catalog
from imgcdn.origins.negative import blames_origin, negative_entry, raise_failed, raise_remembered, with_failed
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import Changed, Failed, FirstRender, Rendered, RenderJob, claim_for
from imgcdn.service.delivery import OF_VALIDATION, CacheStatus, Delivery, delivery_of
from imgcdn.service.planning import Planned, Planner
from imgcdn.service.policy import RenderPolicy
from imgcdn.service.settings import ServiceSettings
from imgcdn.service.single_flight import SingleFlight, Work
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import LARGE_BYTES, variant_name
from imgcdn.store.folder import Folder


@dataclass(slots=True)
class _First:
    """The outcome of a first render; None if nothing was rendered."""

    outcome: Delivery | Failed | None = None


class ImageService:
    """
    Returns variants: stored ones, or new ones that it renders and stores.

    Args:
        settings: How long a request may take.
        policy: The settings of renders.
        catalog: The records of sources.
        store: The stored variants.
        renderers: The render children.
        flights: Joins requests for the same source or variant.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        policy: RenderPolicy,
        catalog: Catalog,
        store: DiskStore,
        renderers: RenderClient,
        flights: SingleFlight,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._settings = settings
        self._policy = policy
        self._catalog = catalog
        self._renderers = renderers
        self._flights = flights
        self._clock = clock
        # Not shared between processes: each verifies by itself that a file is complete.
        self._reads = SingleFlight()
        self._planner = Planner(policy)

    def lookup(self, request: ImageRequest, client: ClientClass, *, body: bool = True) -> Delivery | None:
        """
        Return a stored variant. It does not wait for anything.

        Args:
            body: Whether to read the body; False reads only the header.

        Returns:
            None if the source must be refreshed or the variant rendered first.

        Raises:
            SourceNotFound: There is no such original.
            ImgcdnError: The source or the variant has a negative entry.
        """
        record = self._catalog.current(request.source, request.v)
        if record is None:
            return None
        planned = None
        if record.facts is not None and not blames_origin(record):
            planned = self._planner.plan(record, request, client)
            variant = self.store.read(
                source_key(request.source), planned.key, planned.plan.format, body=body, patient=False
            )
            if variant is not None:
                now = self._clock()
                delivery = delivery_of(variant, CacheStatus.HIT, record, now)
                return delivery if request.v is None else delivery.for_version(request.v, record, now)
        self._raise_remembered(record, planned)
        return None

    def host(self, source: Source) -> str:
        """Return the host of a source; empty for a folder."""
        return self._catalog.group(source)

    async def get(self, request: ImageRequest, client: ClientClass, address: str = "") -> Delivery:
        """
        Return the variant for a client, and render it if it is not stored.

        Args:
            client: The formats that the client can show.
            address: The client's address, or the network that counts as one client; empty if it is not known.

        Raises:
            ImgcdnError: Any error of the source or the render. All requests that waited for the same work get it.
        """
        timeout_s = self._settings.request_timeout_s
        ends_at = asyncio.get_running_loop().time() + timeout_s
        requester = Requester(address, self.host(request.source), source_key(request.source), ends_at)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._get(request, client, requester)
        except TimeoutError as error:
            raise RenderTimeout("The picture was not ready in time. Try again later.") from error

    async def describe(self, source: Source) -> Facts:
        """
        Return the probe facts of an original.

        Raises:
            ImgcdnError: The original is not there, or it is refused.
        """
        requester = Requester(host=self.host(source), source=source_key(source))
        refresh = functools.partial(self._catalog.refresh, source, None, None)
        facts = (await self._original(source, None, refresh, requester)).record.facts
        assert facts is not None
        return facts

    async def _get(self, request: ImageRequest, client: ClientClass, requester: Requester) -> Delivery:
        # If there was no record before, a variant that is found below was made by a concurrent request.
        was_unknown = self.store.record(source_key(request.source)) is None
        for _ in range(ATTEMPTS):
            first = _First()
            # A known source may turn out to have the same bytes, and its variant may be stored.
            refresh: Work[Original] = functools.partial(self._catalog.refresh, request.source, request.v, None)
            if was_unknown:
                refresh = functools.partial(self._fetch_and_render, request, client, first)
            original = await self._original(request.source, request.v, refresh, requester)
            if isinstance(first.outcome, Failed):
                first.outcome.raise_error()
            delivery = first.outcome or await self._share(request, client, original, requester, was_unknown=was_unknown)
            if delivery is not None:
                return delivery.for_version(request.v, original.record, self._clock())
        raise keeps_changing()

    async def _share(
        self,
        request: ImageRequest,
        client: ClientClass,
        original: Original,
        requester: Requester,
        *,
        was_unknown: bool,
    ) -> Delivery | None:
        """Read a variant, or render it once for all requests that wait for it. Return None if the original changed."""
        key = source_key(request.source)
        planned = self._planner.plan(original.record, request, client)
        variant = await self._read(key, planned)
        if variant is not None:
            status = CacheStatus.COLLAPSED if was_unknown else OF_VALIDATION[original.origin_status]
            return self._delivery(variant, status, original.record)
        self._planner.refuse_costly(planned)
        work = functools.partial(self._make, request.source, original, planned)
        shared = await self._flights.share(f"variant:{key}:{planned.key}", work, requester)
        if shared.value is None or shared.leads:
            return shared.value
        return replace(shared.value, status=CacheStatus.COLLAPSED)

    async def _original(self, source: Source, v: str | None, refresh: Work[Original], requester: Requester) -> Original:
        """Return an original that can be rendered, refreshed once for all requests that wait for it."""
        record = self._catalog.current(source, v)
        if record is None:
            original = (await self._flights.share(f"source:{source_key(source)}", refresh, requester)).value
        else:
            original = Original(record)
        if original.record.facts is None or blames_origin(original.record):
            raise_remembered(original.record, now=self._clock())
        if original.record.facts is None:
            raise InternalError("The original was refused, but the reason was not kept.")
        return original

    async def _fetch_and_render(
        self, request: ImageRequest, client: ClientClass, first: _First, interest: Interest
    ) -> Original:
        """Fetch a new source. A quick render for the leading request comes in the same trip to a child."""
        temp = self.store.temp_path()
        wanted = None
        if temp is not None:
            policy, made_at = self._policy, int(self._clock())
            wanted = FirstRender(request.params, client, policy.limits, policy.budget, temp, made_at)
        try:
            original = await self._catalog.refresh(request.source, request.v, wanted, interest)
            if original.rendered is not None:
                await self._finish_first(request, client, original, first, temp)
            return original
        finally:
            self.store.discard(temp)  # no effect if it was published

    async def _finish_first(
        self, request: ImageRequest, client: ClientClass, original: Original, first: _First, temp: str | None
    ) -> None:
        """Give the variant, or its error, to the request that asked for it. The others only wait for the source."""
        assert original.rendered is not None
        try:
            planned = self._planner.plan(original.record, request, client)
            with self.store.open_folder(source_key(request.source)) as folder:
                first.outcome = await self._finish(folder, original.record, planned, temp, original.rendered)
        except ImgcdnError as error:
            first.outcome = Failed(error.with_traceback(None))  # else a cycle (`service.single_flight`)

    async def _open(self, source: Source, original: Original, interest: Interest) -> Original:
        """Return the original with its file. If it had to be fetched again, its version may be another."""
        file = await self._catalog.open(source, original)
        if file is not None:
            return replace(original, file=file)
        fetch = functools.partial(self._catalog.fetch_again, source)
        return (await self._flights.share_within(interest, f"original:{source_key(source)}", fetch)).value

    async def _make(self, source: Source, original: Original, planned: Planned, interest: Interest) -> Delivery | None:
        """Render a variant, unless another process just did. Return None if the original has changed."""
        key = source_key(source)
        variant = await self._read(key, planned)
        if variant is not None:
            return self._delivery(variant, CacheStatus.COLLAPSED, original.record)
        newest = self.store.record(key)
        self._raise_remembered(
            newest if newest is not None and newest.version == planned.version else original.record, planned
        )
        self._refuse_late(interest)
        with self.store.open_folder(key) as folder:
            original = await self._open(source, original, interest)
            if original.record.version != planned.version:
                return None
            return await self._render(folder, original, planned, interest)

    def _refuse_late(self, interest: Interest) -> None:
        """Refuse work that another process has tried for longer than this one has time left."""
        if interest.waited_s > interest.ends_at - asyncio.get_running_loop().time():
            raise Overloaded("The picture was not ready in time. Try again later.", after_s=2)

    async def _render(
        self, folder: Folder, original: Original, planned: Planned, interest: Interest
    ) -> Delivery | None:
        assert original.file is not None
        record = original.record
        private = record.origin is not None and not record.origin.storable
        job = RenderJob(
            path=original.file.path,
            stamp=record.stamp,
            plan=planned.plan,
            key=planned.key,
            temp=None if private else self.store.temp_path(),
            made_at=int(self._clock()),
            budget=self._policy.budget,
            timeout_s=self._policy.timeout_s,
        )
        try:
            try:
                outcome = await self._renderers.run(job, claim_for(planned.cost_ms, interest), interest)
            except (ImageError, RenderTimeout) as error:
                outcome = Failed(error.with_traceback(None))
            if isinstance(outcome, Changed):
                return None
            assert isinstance(outcome, Rendered | Failed)
            return await self._finish(folder, record, planned, job.temp, outcome)
        finally:
            self.store.discard(job.temp)  # no effect if it was published

    async def _finish(
        self,
        folder: Folder,
        record: SourceRecord,
        planned: Planned,
        temp: str | None,
        outcome: Rendered | Failed,
    ) -> Delivery:
        """Publish a variant, or remember for a while that its render failed, so that no process repeats it."""
        if isinstance(outcome, Failed):
            is_storable = record.origin is None or record.origin.storable
            if is_storable and isinstance(outcome.error, ImageError | RenderTimeout):
                self._remember(folder, record, planned, outcome.error)
            outcome.raise_error()
        publish = functools.partial(self._publish, folder, temp, outcome, planned)
        # To hash a large variant takes longer than to hand it to a thread.
        is_large = outcome.file_bytes > LARGE_BYTES
        variant, stored = await asyncio.to_thread(publish) if is_large else publish()
        return replace(self._delivery(variant, CacheStatus.MISS, record), stored=stored)

    def _publish(self, folder: Folder, temp: str | None, rendered: Rendered, planned: Planned) -> tuple[Variant, bool]:
        # Named after the planned format, because a hit knows only that. The file's header has the actual format.
        name = variant_name(planned.key, planned.plan.format)
        try:
            stored, variant = self.store.keep(folder, temp, name, file=rendered.file, error_number=rendered.errno)
        except OSError as error:
            raise InternalError("The variant could not be read back. Try again.", log=str(error)) from error
        if variant is None:
            raise InternalError("The variant could not be read back. Try again.")
        return variant, stored

    async def _read(self, source: str, planned: Planned) -> Variant | None:
        """Read a variant. A large one is hashed first, in a thread, once for all requests that wait for it."""
        name = planned.key, planned.plan.format
        variant = self.store.read(source, *name, patient=False)
        if variant is not None or not self.store.holds(source, *name):
            return variant

        async def read(_: Interest) -> Variant | None:
            return await asyncio.to_thread(self.store.read, source, *name)

        return (await self._reads.share(f"{source}:{planned.key}", read)).value

    def _delivery(self, variant: Variant, status: CacheStatus, record: SourceRecord) -> Delivery:
        return delivery_of(variant, status, record, self._clock())

    def _raise_remembered(self, record: SourceRecord, planned: Planned | None) -> None:
        now = self._clock()
        raise_remembered(record, now=now)
        if planned is not None:
            raise_failed(record, planned.key, now=now)

    def _remember(
        self, folder: Folder, record: SourceRecord, planned: Planned, error: ImageError | RenderTimeout
    ) -> None:
        now = self._clock()
        # Another variant may have failed during this render, or the source was purged or refreshed.
        newest = self.store.record(folder.source_key)
        if newest is None or newest.version != record.version:
            return
        # An animation may have a damaged frame that its stills do not need.
        if isinstance(error, CorruptImage) and not planned.plan.animated:
            newest = replace(newest, negative=negative_entry(error, now=now))
        else:
            newest = with_failed(newest, planned.key, error, now=now)
        self.store.save_record(folder, newest)
