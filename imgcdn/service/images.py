"""
The service: the steps of a request, from its source to a variant.

`lookup` returns a stored variant, and does not wait for anything. `get` also makes it: the source is fetched or read
once for all requests that wait for it, and the variant is rendered once for all requests that wait for it.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from imgcdn.core.interest import Interest, Requester
from imgcdn.core.output.keys import source_key
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.values import Facts, Source, Variant
from imgcdn.dialects.base import ImageRequest
from imgcdn.errors import ImageError, ImgcdnError, InternalError, Overloaded, RenderTimeout
from imgcdn.origins.base import Freshness, Original, keeps_changing
from imgcdn.origins.catalog import ATTEMPTS, Catalog
from imgcdn.origins.negative import raise_remembered
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import Changed, Failed, FirstRender, Rendered, RenderJob, claim_for
from imgcdn.service.background import Background
from imgcdn.service.delivery import OF_VALIDATION, CacheStatus, Delivery
from imgcdn.service.lookup import Lookup, raise_refusal
from imgcdn.service.planning import Planned, Planner
from imgcdn.service.policy import RenderPolicy
from imgcdn.service.results import Results
from imgcdn.service.settings import ServiceSettings
from imgcdn.service.single_flight import SingleFlight, Work
from imgcdn.store.folder import Folder

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Refreshed:
    """
    A source that was refreshed.

    Args:
        original: Its original.
        first: The outcome of the render that was done with it, for the request that began it; None if there was none.
    """

    original: Original
    first: Delivery | Failed | None = None


class ImageService:
    """
    Returns variants: stored ones, or new ones that it renders and stores.

    Args:
        settings: How long a request may take.
        policy: The settings of renders.
        catalog: The records of sources. Variants are stored in the same store.
        renderers: The render children.
        flights: Joins requests for the same source or variant.
        background: Work that no request waits for.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        policy: RenderPolicy,
        catalog: Catalog,
        renderers: RenderClient,
        flights: SingleFlight,
        background: Background,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = catalog.store
        self._settings = settings
        self._policy = policy
        self._catalog = catalog
        self._renderers = renderers
        self._flights = flights
        self._background = background
        self._clock = clock
        # Not shared between processes: each verifies by itself that a file is complete.
        self._reads = SingleFlight()
        self._planner = Planner(policy)
        self._results = Results(self.store, policy, clock)
        self._lookup = Lookup(catalog, policy, self._planner, self._results, behind=self, clock=clock)

    def lookup(self, request: ImageRequest, client: ClientClass, *, body: bool = True) -> Delivery | None:
        """Return a stored variant, as `Lookup.find` does. It does not wait for anything."""
        return self._lookup.find(request, client, body=body)

    def group(self, source: Source) -> str:
        """Return the name under which a source's work is counted; empty for a folder."""
        return self._catalog.group(source)

    async def get(self, request: ImageRequest, client: ClientClass, *, address: str = "") -> Delivery:
        """
        Return the variant for a client, and render it if it is not stored.

        Args:
            client: The formats that the client can show.
            address: The client's address, or the network that counts as one client; empty if it is not known.

        Raises:
            ImgcdnError: Any error of the source or the render. All requests that waited for the same work get it.
        """
        return await self._in_time(request.source, address, functools.partial(self._get, request, client))

    async def describe(self, source: Source) -> Facts:
        """
        Return the probe facts of an original.

        Raises:
            ImgcdnError: The original is not there, it is refused, or it was not read in time.
        """
        refresh = functools.partial(self._refresh, source, None)
        refreshed = await self._in_time(source, "", functools.partial(self._original, source, None, refresh))
        facts = refreshed.original.record.facts
        assert facts is not None
        return facts

    async def _in_time(self, source: Source, address: str, work: Callable[[Requester], Awaitable[T]]) -> T:
        """Do work for a request, until the deadline of requests."""
        timeout_s = self._settings.request_timeout_s
        ends_at = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await work(Requester(address, self.group(source), source_key(source), ends_at))
        except TimeoutError as error:
            raise RenderTimeout("The picture was not ready in time. Try again later.") from error

    async def _get(self, request: ImageRequest, client: ClientClass, requester: Requester) -> Delivery:
        # If there was no record before, a variant that is found below was made by a concurrent request.
        was_unknown = self.store.record(source_key(request.source)) is None
        for _ in range(ATTEMPTS):
            # A known source may turn out to have the same bytes, and its variant may be stored. So nothing is rendered
            # together with its refresh.
            refresh: Work[_Refreshed] = functools.partial(self._refresh, request.source, request.v)
            if was_unknown:
                refresh = functools.partial(self._fetch_and_render, request, client)
            refreshed = await self._original(request.source, request.v, refresh, requester)
            original, delivery = refreshed.original, refreshed.first
            if isinstance(delivery, Failed):
                delivery.raise_error()
            if delivery is None:
                delivery = await self._share(request, client, original, requester, was_unknown=was_unknown)
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
            return self._results.delivery(variant, status, original, planned)
        self._planner.refuse_costly(planned)
        work = functools.partial(self._make, request.source, original, planned)
        shared = await self._flights.share(f"variant:{key}:{planned.key}", work, requester)
        if shared.value is None or shared.leads:
            return shared.value
        return replace(shared.value, status=CacheStatus.COLLAPSED)

    async def _original(
        self, source: Source, v: str | None, refresh: Work[_Refreshed], requester: Requester
    ) -> _Refreshed:
        """Return an original that can be rendered, refreshed once for all requests that wait for it."""
        original = self._catalog.current(source, v)
        if original is None:
            shared = await self._flights.share(f"source:{source_key(source)}", refresh, requester)
            refreshed = shared.value if shared.leads else _Refreshed(shared.value.original)
        else:
            refreshed = _Refreshed(original)
            if original.freshness is Freshness.STALE_OK:
                self.validate_soon(source)
        now = self._clock()
        raise_refusal(refreshed.original, now)
        if refreshed.original.record.facts is None:
            raise_remembered(refreshed.original.record, now=now)
            raise InternalError("The original was refused, but the reason was not kept.")
        return refreshed

    def validate_soon(self, source: Source) -> None:
        """Validate a source in the background, once. If its origin fails, its record says so for a while."""
        self._background.submit_from_thread(f"validate:{source_key(source)}", functools.partial(self._validate, source))

    def render_soon(self, request: ImageRequest, client: ClientClass, key: str) -> None:
        """
        Render a variant in the background, once.

        Args:
            key: Its key.
        """
        work = functools.partial(self._render_behind, request, client)
        self._background.submit_from_thread(f"render:{key}", work)

    async def _validate(self, source: Source) -> None:
        refresh = functools.partial(self._refresh, source, None)
        requester = self._no_client(source)
        try:
            await self._flights.share(f"source:{source_key(source)}", refresh, requester)
        except ImgcdnError as error:
            _log.warning("a picture that is no longer fresh cannot be shown any more: %s", error.log or error.detail)

    async def _render_behind(self, request: ImageRequest, client: ClientClass) -> None:
        try:
            await self._get(request, client, self._no_client(request.source))
        except ImgcdnError as error:
            _log.warning("the new version of a picture could not be made: %s", error.log or error.detail)

    def _no_client(self, source: Source) -> Requester:
        return Requester(host=self.group(source), source=source_key(source), is_background=True)

    async def _refresh(self, source: Source, v: str | None, interest: Interest) -> _Refreshed:
        return _Refreshed(await self._catalog.refresh(source, v, interest=interest))

    async def _fetch_and_render(self, request: ImageRequest, client: ClientClass, interest: Interest) -> _Refreshed:
        """Fetch a new source. If it is quick, the render for the leading request is done in the same job."""
        temp = self.store.temp_path()
        wanted = None
        if temp is not None:
            policy, made_at = self._policy, int(self._clock())
            shared = policy.limits, policy.budget, temp, made_at, policy.serves_partial
            wanted = FirstRender(request.params, client, *shared)
        try:
            original = await self._catalog.refresh(request.source, request.v, first=wanted, interest=interest)
            if original.rendered is None:
                return _Refreshed(original)
            return _Refreshed(original, await self._finish_first(request, client, original, temp=temp))
        finally:
            self.store.discard(temp)  # no effect if it was published

    async def _finish_first(
        self, request: ImageRequest, client: ClientClass, original: Original, *, temp: str | None
    ) -> Delivery | Failed:
        """Return the variant, or its error, for the request that asked for it. The others only wait for the source."""
        assert original.rendered is not None
        try:
            planned = self._planner.plan(original.record, request, client)
            with self.store.open_folder(source_key(request.source)) as folder:
                return await self._results.finish(
                    folder, original, planned=planned, temp=temp, outcome=original.rendered
                )
        except ImgcdnError as error:
            return Failed(error.with_traceback(None))  # else a cycle (`service.single_flight`)

    async def _open(self, source: Source, original: Original, interest: Interest) -> Original:
        """Return the original with its file. An original that was fetched again may have a new version."""
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
            return self._results.delivery(variant, CacheStatus.COLLAPSED, original, planned)
        newest = self.store.record(key)
        self._results.raise_remembered(
            newest if newest is not None and newest.version == planned.version else original.record, planned
        )
        self._refuse_late(interest)
        with self.store.open_folder(key) as folder:
            original = await self._open(source, original, interest)
            if original.record.version != planned.version:
                return None
            return await self._render(folder, original, planned, interest)

    def _refuse_late(self, interest: Interest) -> None:
        """Refuse the work if another process spent more time on it than is left here."""
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
            serves_partial=self._policy.serves_partial,
        )
        try:
            try:
                outcome = await self._renderers.run(job, claim_for(planned.cost_ms, interest), interest)
            except (ImageError, RenderTimeout) as error:
                outcome = Failed(error.with_traceback(None))
            if isinstance(outcome, Changed):
                return None
            assert isinstance(outcome, Rendered | Failed)
            return await self._results.finish(folder, original, planned=planned, temp=job.temp, outcome=outcome)
        finally:
            self.store.discard(job.temp)  # no effect if it was published

    async def _read(self, source: str, planned: Planned) -> Variant | None:
        """Read a variant. A large one is hashed first, in a thread, once for all requests that wait for it."""
        name = planned.key, planned.plan.format
        variant = self.store.read(source, *name, patient=False)
        if variant is not None or not self.store.holds(source, *name):
            return variant

        async def read(_: Interest) -> Variant | None:
            return await asyncio.to_thread(self.store.read, source, *name)

        return (await self._reads.share(f"{source}:{planned.key}", read)).value
