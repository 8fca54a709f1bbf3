"""A catalogue over a folder and a web server. The test controls the clock; origin and renderers are real."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from imgcdn.core.values import Source, SourceRecord
from imgcdn.origins.base import Original
from imgcdn.origins.catalog import Catalog
from imgcdn.origins.http import HttpFetcher
from imgcdn.origins.local import LocalFetcher
from imgcdn.origins.probing import Prober
from imgcdn.renderers.client import RenderClient
from imgcdn.store.disk import DiskStore
from tests.support import origin as at
from tests.support import pictures
from tests.support.brokers import settings
from tests.support.fetching import LOOP_ID, ORIGIN, admit_everything
from tests.support.origin import Origin
from tests.support.stored import open_store

PHOTO = pictures.jpeg()


def record_of(original: Original | None) -> SourceRecord | None:
    """Return the record of an original, if there is one."""
    return None if original is None else original.record


@dataclass
class Bench:
    """A folder and a web server whose originals a test can change, and a clock that it can set."""

    folder: Path
    sockets: Path
    origin: Origin
    now: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        (self.folder / "root").mkdir()

    @asynccontextmanager
    async def catalog(
        self,
        *,
        http_fetcher: type[HttpFetcher] = HttpFetcher,
        local_fetcher: type[LocalFetcher] = LocalFetcher,
        cache_max_bytes: int = 10**8,
        **changed: Any,
    ) -> AsyncIterator[Catalog]:
        renderers = RenderClient(settings(), folder=self.sockets)
        base = replace(ORIGIN, root=self.folder / "root", allow_addresses=("127.0.0.0/8",), max_source_bytes=10**6)
        # Without stale use, each end of freshness shows. `test_stale_use.py` has it.
        origin = replace(base, **{"stale_while_revalidate": 0, "stale_if_error": 0, **changed})
        http = http_fetcher(origin, judge=admit_everything, loop_id=LOOP_ID, clock=lambda: self.now)
        local = local_fetcher(origin)
        catalog = Catalog(
            origin,
            fetchers={"remote": http, "local": local},
            store=self.store(max_bytes=cache_max_bytes),
            prober=Prober(renderers, max_pixels=origin.max_pixels, timeout_s=10.0, clock=lambda: self.now),
            clock=lambda: self.now,
        )
        try:
            yield catalog
        finally:
            catalog.close()
            renderers.disconnect()

    def store(self, *, max_bytes: int = 10**8) -> DiskStore:
        """Open the store, as each process of a service does."""
        return open_store(self.folder / "cache", max_bytes=max_bytes)

    def source(self, path: str = "/a.jpg") -> Source:
        return Source("remote", self.origin.url(path, "127.0.0.1"))

    def put(self, source: Source, body: bytes) -> None:
        """Replace the bytes of the original. On the web server it is fresh for 600 s."""
        if source.scheme == "local":
            (self.folder / "root" / source.location).write_bytes(body)
        else:
            self.origin.scripts["/a.jpg"] = at.respond(body, cache_control="max-age=600")

    def remove(self, source: Source) -> None:
        """Delete the original: the web server then sends a 404."""
        if source.scheme == "local":
            (self.folder / "root" / source.location).unlink()
        else:
            self.origin.scripts["/a.jpg"] = at.respond(status=404)
