"""
What is answered from the disk without waiting: fresh pictures, stale ones, and those of a version that was replaced.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from imgcdn.core.output.keys import source_key
from imgcdn.core.request.negotiation import ClientClass
from imgcdn.core.values import Source, Variant
from imgcdn.dialects.base import ImageRequest
from imgcdn.errors import ImgcdnError
from imgcdn.origins.base import Freshness, Original
from imgcdn.origins.catalog import Catalog
from imgcdn.origins.negative import blames_origin, raise_remembered
from imgcdn.origins.staleness import names_version
from imgcdn.service.delivery import CacheStatus, Delivery, delivery_of
from imgcdn.service.planning import Planned, Planner
from imgcdn.service.policy import RenderPolicy
from imgcdn.service.results import Results


class Behind(Protocol):
    """What is begun behind a response. Both methods may be called from any thread, and return at once."""

    def validate_soon(self, source: Source) -> None:
        """Validate a source, once."""

    def render_soon(self, request: ImageRequest, client: ClientClass, key: str) -> None:
        """Render a variant, once. Its key is given."""


class Lookup:
    """
    Finds stored variants.

    Args:
        catalog: The records of sources, and the store.
        policy: Which variants may be served.
        planner: Plans variants.
        results: Remembers failed renders.
        behind: Begins what is done behind a response.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        catalog: Catalog,
        policy: RenderPolicy,
        planner: Planner,
        results: Results,
        *,
        behind: Behind,
        clock: Callable[[], float],
    ) -> None:
        self._catalog = catalog
        self._policy = policy
        self._planner = planner
        self._results = results
        self._behind = behind
        self._clock = clock

    def find(self, request: ImageRequest, client: ClientClass, *, body: bool = True) -> Delivery | None:
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
        original = self._catalog.current(request.source, request.v)
        if original is None:
            return None
        record, now, planned, delivery = original.record, self._clock(), None, None
        raise_refusal(original, now)
        if record.facts is not None:
            if request.v is not None and record.previous and names_version(request.v, record.previous.version):
                delivery = self._of_previous(request, client, original, None, body=body)
                if delivery is not None:
                    return delivery
            planned = self._planner.plan(record, request, client)
            variant = self._stored(request.source, planned, body=body)
            if variant is not None:
                if original.freshness is Freshness.STALE_OK:
                    self._behind.validate_soon(request.source)
                variant = self._policy.check(variant)
                delivery = delivery_of(variant, CacheStatus.HIT, original, now, is_reduced=planned.is_reduced)
                return delivery if request.v is None else delivery.for_version(request.v, record, now)
            if record.previous is not None and request.v is None:
                delivery = self._of_previous(request, client, original, planned, body=body)
        if delivery is None:
            self._results.raise_remembered(record, planned)
        return delivery

    def _stored(self, source: Source, planned: Planned, *, body: bool) -> Variant | None:
        return self._catalog.store.read(source_key(source), planned.key, planned.plan.format, body=body, patient=False)

    def _of_previous(
        self, request: ImageRequest, client: ClientClass, original: Original, planned: Planned | None, *, body: bool
    ) -> Delivery | None:
        """
        Return the variant of the previous version of an original, if it is stored.

        Args:
            planned: The variant of the present version, which is not stored. It is rendered in the background, and the
                previous one shown meanwhile. None if the request names the previous version.
        """
        previous = self._catalog.previous(request.source, original, is_named=planned is None)
        now = self._clock()
        if previous is None:
            return None
        try:
            older = self._planner.plan(previous.record, request, client)
            variant = self._stored(request.source, older, body=body)
            if variant is None:
                return None
            delivery = delivery_of(
                self._policy.check(variant), CacheStatus.HIT, original, now, is_reduced=older.is_reduced
            )
        except ImgcdnError:  # the previous version is of no use, and the present one may be
            return None
        if planned is not None:
            with contextlib.suppress(ImgcdnError):
                self._results.raise_remembered(original.record, planned)
                self._behind.render_soon(request, client, planned.key)
        assert original.record.previous is not None
        replaced_for_s = max(0, int(now - original.record.previous.until))
        return replace(delivery, replaced_for_s=replaced_for_s, is_provisional=planned is not None)


def raise_refusal(original: Original, now: float) -> None:
    """Raise the remembered failure of an origin, unless what is stored may be used instead."""
    if original.freshness is Freshness.FRESH and blames_origin(original.record):
        raise_remembered(original.record, now=now)
