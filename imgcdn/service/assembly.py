"""The composition root: it builds the parts of one service."""

import asyncio
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from imgcdn.config import Config
from imgcdn.core.output.settings import PartialPolicy
from imgcdn.core.request.routes import Routes
from imgcdn.origins.catalog import Catalog
from imgcdn.origins.http import HttpFetcher
from imgcdn.origins.local import LocalFetcher
from imgcdn.origins.probing import Prober
from imgcdn.renderers.settings import BrokerSettings
from imgcdn.service.background import Background
from imgcdn.service.images import ImageService
from imgcdn.service.key_locks import KeyLocks
from imgcdn.service.policy import RenderPolicy
from imgcdn.service.purging import Purging
from imgcdn.service.renderers import ObservedRenderClient
from imgcdn.service.single_flight import SingleFlight
from imgcdn.service.vitals import Vitals
from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import Evictor

#: Seconds between two writes of which variants were used.
_USAGE_EVERY_S = 60.0

#: Seconds between two tests of whether the cache folder can be written.
_PROBE_EVERY_S = 5.0

_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Parts:
    """
    The parts of one service, in one process.

    Args:
        loop_id: The name that this service sends to origins, by which it recognises its own requests (RFC 8586).
    """

    service: ImageService
    files: LocalFetcher
    routes: Routes
    loop_id: str
    renderers: ObservedRenderClient
    flights: SingleFlight
    evictor: Evictor
    catalog: Catalog
    background: Background
    vitals: Vitals
    purging: Purging

    async def start(self) -> None:
        """Start what runs in the background. The first response does not need it."""
        self.background.start()
        self.evictor.start()
        self.background.submit("broker", self.renderers.try_to_connect)
        self.background.repeat("usage", _USAGE_EVERY_S, self._write_usage)
        self.background.repeat("storage", _PROBE_EVERY_S, self._probe_storage)

    async def stop(self) -> None:
        """End everything that is under way. By now no request waits for it, or its time is up."""
        await self.background.stop()
        self.purging.close()
        self.catalog.close()
        await self.flights.stop()
        self.renderers.disconnect()
        await asyncio.sleep(_PAUSE_S)  # for the responses to requests that still waited
        # Not in a thread of an executor: these take no work once the interpreter exits (`web.wsgi`).
        self.service.store.usage.write()
        self.evictor.stop()  # it waits for a running sweep

    def problems(self) -> list[str]:
        """Return what fails now, each as `part: reason`. Nothing is tried or written for it."""
        storage = self.service.store.degraded
        return [*([f"storage: {storage}"] if storage else []), *self.vitals.problems()]

    async def _probe_storage(self) -> None:
        await asyncio.to_thread(self.service.store.try_writing)

    async def _write_usage(self) -> None:
        await asyncio.to_thread(self.service.store.usage.write)


def assemble(config: Config) -> Parts:
    """
    Build a service from its settings. Nothing is started, so this may be called before a fork.

    Raises:
        ConfigError: The cache folder contains other files, or no private socket can be created.
    """
    store = DiskStore(config.store)
    vitals = Vitals()
    renderers = _renderers(config, store, vitals)
    background = Background()
    flights = SingleFlight(KeyLocks(renderers.lock_file))
    routes = Routes(config.origins.mounts, config.origins.allow)
    loop_id = _loop_id(renderers.lock_file.with_suffix(".id"))
    local = LocalFetcher(config.origins, hidden=[config.store.cache_dir])
    http = HttpFetcher(config.origins, judge=routes.judge, loop_id=loop_id)
    timeout_s = config.renderers.render_timeout_s
    catalog = Catalog(
        config.origins,
        fetchers={"local": local, "remote": http, "mounted": http},
        store=store,
        prober=Prober(
            renderers,
            max_pixels=config.origins.max_pixels,
            timeout_s=timeout_s,
            refused=config.origins.refused,
        ),
    )
    service = ImageService(
        config.service,
        policy=RenderPolicy(
            config.output.limits(max_dimension=config.request.max_dimension),
            config.output.budget(render_timeout_s=timeout_s),
            timeout_s,
            config.output.partial is PartialPolicy.SERVE,
        ),
        catalog=catalog,
        renderers=renderers,
        flights=flights,
        background=background,
    )
    return Parts(
        service,
        local,
        routes,
        loop_id,
        renderers,
        flights,
        Evictor(store),
        catalog,
        background,
        vitals,
        Purging(catalog),
    )


def _renderers(config: Config, store: DiskStore, vitals: Vitals) -> ObservedRenderClient:
    return ObservedRenderClient(
        BrokerSettings(
            scope=hashlib.sha256(os.fsencode(config.store.cache_dir)).hexdigest(),
            renderers=config.renderers.renderers,
            memory_bytes=config.renderers.renderer_memory_bytes,
            patience_s=config.service.request_timeout_s,
            budget=config.renderers.budget,
            writable=str(store.temp_folder),
        ),
        vitals=vitals,
    )


def _loop_id(file: Path) -> str:
    """Return a random name that all processes of this service share. The first process creates it."""
    candidate = file.with_name(f"{file.name}-{secrets.token_hex(8)}")
    candidate.write_text(f"imgcdn-{secrets.token_hex(8)}", encoding="ascii")
    try:
        os.link(candidate, file)
    except FileExistsError:
        pass
    finally:
        candidate.unlink()
    return file.read_text(encoding="ascii")
