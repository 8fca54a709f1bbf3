"""The parts of one service, put together."""

import asyncio
import hashlib
from dataclasses import dataclass

from imgcdn.config import Config
from imgcdn.service.flights import Flights
from imgcdn.service.images import ImageService
from imgcdn.service.renderers import Renderers, RendererSettings
from imgcdn.sources.local import LocalFiles
from imgcdn.store.disk import DiskStore
from imgcdn.store.sweep import Sweeper


@dataclass(frozen=True, slots=True)
class Parts:
    """What one process of a service consists of."""

    service: ImageService
    files: LocalFiles
    renderers: Renderers
    flights: Flights
    sweeper: Sweeper

    async def start(self) -> None:
        """Begin what runs behind the requests. The first answer needs none of it."""
        self.sweeper.start()
        self.renderers.prepare()

    async def stop(self) -> None:
        """End it, after the flights that are under way."""
        await self.flights.drain()
        self.renderers.leave()
        await asyncio.to_thread(self.sweeper.stop)  # which waits for a sweep that is under way


def assemble(config: Config) -> Parts:
    """
    Build a service from its settings. Starts nothing, so it may be done before a fork.

    Raises:
        ConfigError: The cache folder belongs to something else, or there is no place for a private socket.
    """
    files = LocalFiles(config.root, hidden=[config.cache_dir])
    store = DiskStore(config.cache_dir, max_bytes=config.cache_max_bytes, min_free_bytes=config.min_free_bytes)
    renderers = Renderers(
        RendererSettings(
            scope=hashlib.sha256(str(config.cache_dir).encode()).hexdigest(),
            renderers=config.renderers,
            queue=config.render_queue,
            memory_bytes=config.renderer_memory_bytes,
            writable=str(store.temp_folder),
        )
    )
    flights = Flights(renderers.lock_file)
    service = ImageService(config, files=files, store=store, renderers=renderers, flights=flights)
    return Parts(service, files, renderers, flights, Sweeper(store))
