"""Fetches from slow origins: which wait, which are stopped, and what is remembered of them."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from imgcdn.core.interest import Interest, Withdrawn
from imgcdn.core.request.allowlist import parse_pattern
from imgcdn.core.request.routes import Routes
from imgcdn.core.values import Source
from imgcdn.origins.base import Original
from imgcdn.origins.catalog import Catalog
from imgcdn.origins.http import HttpFetcher
from imgcdn.origins.settings import OriginSettings
from tests.support import origin as at
from tests.support.brokers import until
from tests.support.catalogs import PHOTO, Bench
from tests.support.fetching import PATIENT, SLACK_S

#: One fetch at a time, and no deadline that is near.
ONE_PLACE: dict[str, Any] = {"fetchers": 1, **PATIENT}

#: Seconds in which a fetch that gets a place is done, with the start of a render child. A place that comes free only by
#: a deadline takes 30 s.
SOON_S = 15.0


def hosts(bench: Bench, count: int) -> dict[str, Any]:
    """Return settings by which names of hosts lead to the one origin."""
    return {"resolve": tuple(f"{number}.test:{bench.origin.port}:127.0.0.1" for number in range(count)), **PATIENT}


def on_host(bench: Bench, number: int, path: str) -> Source:
    return Source("remote", bench.origin.url(path, f"{number}.test"))


def fetching(catalog: Catalog, source: Source, interest: Interest) -> "asyncio.Task[Original]":
    return asyncio.create_task(catalog.refresh(source, None, interest=interest))


def test_four_hosts_that_hang_do_not_keep_a_fifth_waiting(bench: Bench) -> None:
    paths = [f"/{number}" for number in range(8)]
    bench.origin.scripts.update(dict.fromkeys(paths, at.silent))

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            catalog = await stack.enter_async_context(bench.catalog(**hosts(bench, 5)))
            hanging = [
                asyncio.create_task(catalog.refresh(on_host(bench, number, path), None))
                for number in range(4)
                for path in paths
            ]
            await until(lambda: len(bench.origin.requests) == 28, "the four hosts have taken what they may")
            await asyncio.wait_for(catalog.refresh(on_host(bench, 4, "/a.jpg"), None), SOON_S)
            catalog.close()
            await asyncio.gather(*hanging, return_exceptions=True)

    asyncio.run(scenario())


def test_a_fetch_that_nobody_waits_for_makes_way_and_leaves_nothing_behind(bench: Bench) -> None:
    bench.origin.scripts["/slow.jpg"] = at.silent

    async def scenario() -> None:
        async with bench.catalog(**ONE_PLACE) as catalog:
            interest = Interest()
            slow = fetching(catalog, bench.source("/slow.jpg"), interest)
            await until(lambda: bench.origin.requests, "the origin has the request")
            interest.change(is_wanted=False)
            original = await asyncio.wait_for(catalog.refresh(bench.source(), None), SOON_S)
            assert original.record.facts is not None
            with pytest.raises(Withdrawn):
                await slow
            bench.origin.scripts["/slow.jpg"] = at.respond(PHOTO)
            again = await catalog.refresh(bench.source("/slow.jpg"), None)
            assert again.record.facts is not None, "the origin was not at fault"

    asyncio.run(scenario())


@pytest.mark.parametrize("again", [True, False], ids=["joined again", "left alone"])
def test_a_fetch_whose_place_nobody_needs_is_completed(bench: Bench, again: bool) -> None:
    async def scenario() -> None:
        async with bench.catalog(**{**ONE_PLACE, "fetchers": 2}) as catalog:
            reached, released = asyncio.Event(), asyncio.Event()
            loop = asyncio.get_running_loop()

            def slow(exchange: at.Exchange) -> None:
                loop.call_soon_threadsafe(reached.set)
                asyncio.run_coroutine_threadsafe(released.wait(), loop).result(30)
                exchange.respond(PHOTO)

            bench.origin.scripts["/slow.jpg"] = slow
            interest = Interest()
            fetch = fetching(catalog, bench.source("/slow.jpg"), interest)
            await reached.wait()
            interest.change(is_wanted=False)
            interest.change(is_wanted=again)
            released.set()
            assert (await fetch).record.facts is not None
            assert catalog.current(bench.source("/slow.jpg"), None) is not None

    asyncio.run(scenario())


def test_a_fetch_that_waits_for_a_place_is_withdrawn_at_once(bench: Bench) -> None:
    bench.origin.scripts["/a.jpg"] = at.silent

    async def scenario() -> None:
        async with bench.catalog(**ONE_PLACE) as catalog:
            running = asyncio.create_task(catalog.refresh(bench.source(), None))
            await until(lambda: bench.origin.requests, "the origin has the request")
            interest = Interest()
            waiting = asyncio.create_task(catalog.fetch_again(bench.source("/b.jpg"), interest=interest))
            await asyncio.sleep(0)
            interest.change(is_wanted=False)
            with pytest.raises(Withdrawn):
                await asyncio.wait_for(waiting, SLACK_S)
            assert not running.done()
            catalog.close()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scenario())
    assert [request.target for request in bench.origin.requests] == ["/a.jpg"]


def test_names_under_one_wildcard_share_the_places_of_one_host(bench: Bench) -> None:
    bench.origin.scripts["/slow.jpg"] = at.silent
    names = 20
    resolve = [f"{number}.wild.test:{bench.origin.port}:127.0.0.1" for number in range(names)]
    resolve.append(f"good.test:{bench.origin.port}:127.0.0.1")
    settings: dict[str, Any] = {"resolve": tuple(resolve), **PATIENT}
    patterns = [f"http://*.wild.test:{bench.origin.port}/**", f"http://good.test:{bench.origin.port}/**"]
    routes = Routes([], map(parse_pattern, patterns))

    class Judged(HttpFetcher):
        def __init__(self, settings: OriginSettings, **given: Any) -> None:
            super().__init__(settings, **{**given, "judge": routes.judge})

    async def scenario() -> None:
        async with bench.catalog(http_fetcher=Judged, **settings) as catalog:
            sources = [Source("remote", bench.origin.url("/slow.jpg", f"{n}.wild.test")) for n in range(names)]
            hanging = [asyncio.create_task(catalog.refresh(source, None)) for source in sources]
            most = OriginSettings().fetches_per_host
            await until(lambda: len(bench.origin.requests) == most, "the names have taken the places of one host")
            assert {catalog.group(source) for source in sources} == {"*.wild.test"}
            assert catalog.host(sources[3]) == "3.wild.test"
            good = Source("remote", bench.origin.url("/a.jpg", "good.test"))
            await asyncio.wait_for(catalog.refresh(good, None), SOON_S)
            assert len(bench.origin.requests) == most + 1
            catalog.close()
            await asyncio.gather(*hanging, return_exceptions=True)

    asyncio.run(scenario())
