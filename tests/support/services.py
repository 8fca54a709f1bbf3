"""A service over a folder, with real renderers and a clock that the test controls."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from imgcdn.config import load
from imgcdn.core.output.settings import PartialPolicy
from imgcdn.core.request.params import Params
from imgcdn.core.values import Source
from imgcdn.dialects.base import ImageRequest
from imgcdn.origins.catalog import Catalog
from imgcdn.origins.local import LocalFetcher
from imgcdn.origins.probing import Prober
from imgcdn.renderers.client import RenderClient
from imgcdn.service.background import Background
from imgcdn.service.delivery import CacheStatus, Delivery
from imgcdn.service.images import ImageService
from imgcdn.service.key_locks import KeyLocks
from imgcdn.service.policy import RenderPolicy
from imgcdn.service.single_flight import SingleFlight
from imgcdn.store.disk import DiskStore
from tests.support.brokers import settings

WEBP = ("webp",)


@dataclass
class Bench:
    """A service over a folder, whose originals, settings and clock the test can change."""

    root: Path
    cache: Path
    sockets: Path
    now: float = field(default_factory=time.time)

    def put(self, data: bytes, name: str = "photo.png") -> Path:
        path = self.root / name
        path.write_bytes(data)
        return path

    @asynccontextmanager
    async def service(
        self,
        *,
        max_bytes: int = 10**8,
        request_timeout_s: float = 25.0,
        renderers: RenderClient | None = None,
        **changed: Any,
    ) -> AsyncIterator[ImageService]:
        """Run a service as a separate process would; all services of the test share the broker."""
        folders = {"root": str(self.root), "cache_dir": str(self.cache), "cache_max_bytes": max_bytes}
        config = load({**folders, "min_free_bytes": 0, **changed}, environ={})
        renderers = renderers or RenderClient(settings(), folder=self.sockets)
        flights = SingleFlight(KeyLocks(renderers.lock_file))
        store = DiskStore(config.store)
        background = Background()
        local = LocalFetcher(config.origins, hidden=[self.cache])
        timeout_s = config.renderers.render_timeout_s
        catalog = Catalog(
            config.origins,
            fetchers={"local": local},
            store=store,
            prober=Prober(renderers, max_pixels=config.origins.max_pixels, timeout_s=timeout_s, clock=lambda: self.now),
            clock=lambda: self.now,
        )
        policy = RenderPolicy(
            config.output.limits(max_dimension=config.request.max_dimension),
            config.output.budget(render_timeout_s=timeout_s),
            timeout_s,
            config.output.partial is PartialPolicy.SERVE,
        )
        service = ImageService(
            # The settings would not allow a request timeout below the render timeout.
            replace(config.service, request_timeout_s=request_timeout_s),
            policy=policy,
            catalog=catalog,
            renderers=renderers,
            flights=flights,
            background=background,
            clock=lambda: self.now,
        )
        background.start()
        try:
            yield service
        finally:
            await background.stop()
            await flights.stop()
            catalog.close()
            renderers.disconnect()


def image_request(width: int = 40) -> ImageRequest:
    return ImageRequest(Source("local", "photo.png"), Params(width=width), None)


async def get(service: ImageService, request: ImageRequest | None = None) -> Delivery:
    """Do the steps of a request: a lookup, then the rest."""
    request = request or image_request()
    return service.lookup(request, WEBP) or await service.get(request, WEBP)


def is_miss(delivery: Delivery) -> bool:
    return delivery.status is CacheStatus.MISS
