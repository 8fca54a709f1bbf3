"""Fetchers that are closed at the end of a test, a certificate for origins with TLS, and what a catalogue needs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.core.request.allowlist import Pattern
from imgcdn.core.request.origin_options import NO_OPTIONS, OriginOptions
from imgcdn.core.request.routes import Hop, Mount, Routes
from imgcdn.core.request.url import RemoteUrl
from imgcdn.core.values import Source
from imgcdn.origins.http import HttpFetcher
from tests.support import origin as at
from tests.support.catalogs import PHOTO, Bench
from tests.support.fetching import AT_HOME, LOOP_ID, MOUNT, ORIGIN, Make, Names


@pytest.fixture
def make() -> Iterator[Make]:
    """
    Return a function that makes fetchers.

    Keywords change the settings. `admits` is the allowlist; without it, every URL is admitted. `base` is the base of a
    mount, whose options are `options`.
    """
    made: list[HttpFetcher] = []

    def make(
        names: object = None,
        *,
        base: RemoteUrl | None = None,
        options: OriginOptions = NO_OPTIONS,
        admits: Sequence[Pattern] | None = None,
        **changes: object,
    ) -> HttpFetcher:
        routes = Routes([] if base is None else [Mount(MOUNT, base, options)], admits or [])

        def judge(source: Source, url: RemoteUrl) -> Hop | None:
            return routes.judge(source, url) or (Hop() if admits is None else None)

        settings = replace(ORIGIN, **changes)  # type: ignore[arg-type]  # the tests name fields of the settings
        resolver = names if callable(names) else Names(AT_HOME)
        made.append(
            HttpFetcher(
                settings,
                judge=judge,
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


@pytest.fixture
def bench(tmp_path: Path, sockets: Path) -> Iterator[Bench]:
    with at.running({"/a.jpg": at.respond(PHOTO, cache_control="max-age=600")}) as origin:
        yield Bench(tmp_path, sockets, origin)
