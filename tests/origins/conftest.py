"""Fetchers that are closed at the end of a test, a certificate for origins with TLS, and what a catalogue needs."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.core.request.url import RemoteUrl
from imgcdn.core.values import Source
from imgcdn.origins.http import HttpFetcher, Permissions
from tests.support import origin as at
from tests.support.brokers import processes, until
from tests.support.catalogs import PHOTO, Bench
from tests.support.fetching import AT_HOME, EVERYTHING, LOOP_ID, ORIGIN, Make, Names


@pytest.fixture
def make() -> Iterator[Make]:
    """
    Return a function that makes fetchers.

    Keywords change the settings; `admits` is the allowlist, and `base` is the base of a mount.
    """
    made: list[HttpFetcher] = []

    def make(
        names: object = None,
        *,
        base: RemoteUrl | None = None,
        admits: Callable[[RemoteUrl], bool] = EVERYTHING.admits,
        **changes: object,
    ) -> HttpFetcher:
        def base_of(source: Source) -> RemoteUrl | None:
            return base if source.scheme == "mounted" else None

        settings = replace(ORIGIN, **changes)  # type: ignore[arg-type]  # the tests name fields of the settings
        resolver = names if callable(names) else Names(AT_HOME)
        made.append(
            HttpFetcher(
                settings,
                permissions=Permissions(admits, base_of),
                loop_id=LOOP_ID,
                resolver=resolver,
                clock=lambda: 1_700_000_000.0,
            )
        )
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return at.certificate(tmp_path_factory.mktemp("origin"))


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="imgcdn-test-", dir="/tmp") as folder:  # mkdtemp makes it private
        yield Path(folder)
        asyncio.run(until(lambda: not processes(Path(folder)), "the broker has ended"))


@pytest.fixture
def bench(tmp_path: Path, sockets: Path) -> Iterator[Bench]:
    with at.running({"/a.jpg": at.respond(PHOTO, cache_control="max-age=600")}) as origin:
        yield Bench(tmp_path, sockets, origin)
