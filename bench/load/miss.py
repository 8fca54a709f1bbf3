"""
What a first request costs beyond its pixels.

    python -m bench.load.miss [--requests 100] [--rounds 5]

A picture of 100 pixels is asked for over one connection: again (a hit), in a new size (its source is known), and a copy
that nothing has seen. Prints the medians of each round and the best differences to the hit. Then each part of a miss is
timed alone, in this process and with one render child.
"""

import argparse
import asyncio
import socket
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from PIL import Image

from bench.load.running import HERE, service
from imgcdn.core.output.file_size import MOST_BYTES
from imgcdn.core.output.keys import variant_key
from imgcdn.core.output.plan import plan_for
from imgcdn.core.output.settings import OutputSettings
from imgcdn.core.request.params import Params
from imgcdn.core.values import Facts, PathBeneath
from imgcdn.renderers import child
from imgcdn.renderers.client import RenderClient
from imgcdn.renderers.jobs import ProbeJob, RenderJob
from imgcdn.renderers.settings import BrokerSettings
from imgcdn.service.key_locks import KeyLocks
from imgcdn.service.single_flight import SingleFlight
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import path_stamp, variant_name
from imgcdn.store.settings import StoreSettings
from imgcdn.web.http1 import RequestReader
from imgcdn.web.proxies import RequestIds
from imgcdn.web.request import UNKNOWN_PEER

_KEY = "0" * 64
_LIMITS = OutputSettings().limits(max_dimension=8192)
_BUDGET = OutputSettings().budget(render_timeout_s=10.0)
_HEAD = b"GET /img/known.jpg?w=50 HTTP/1.1\r\nHost: a\r\nAccept: image/avif,image/webp,*/*\r\n\r\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        _draw(root, arguments.requests * arguments.rounds)
        with service(root, Path(name) / "cache", workers=1) as (base, _):
            _over_http(base, arguments.requests, arguments.rounds)
        asyncio.run(_parts(root / "known.jpg", Path(name)))


def _draw(root: Path, count: int) -> None:
    picture = Image.open(HERE / "sample_images" / "rocket.jpg").resize((100, 67))
    picture.save(root / "known.jpg")
    for number in range(count):
        picture.save(root / f"{number}.jpg", comment=str(number).encode())


def _over_http(base: str, requests: int, rounds: int) -> None:
    host, port = base.removeprefix("http://").split(":")
    differences: dict[str, list[float]] = {"known": [], "new": []}
    with socket.create_connection((host, int(port))) as connection:
        _get_ms(connection, "/img/known.jpg?w=50&fm=jpg")
        for number in range(rounds):
            hit = statistics.median(_get_ms(connection, "/img/known.jpg?w=50&fm=jpg") for _ in range(requests))
            known = statistics.median(
                _get_ms(connection, f"/img/known.jpg?w={20 + each % 70}&q={10 + 10 * number + each // 70}&fm=jpg")
                for each in range(requests)
            )
            new = statistics.median(
                _get_ms(connection, f"/img/{number * requests + each}.jpg?w=50&fm=jpg") for each in range(requests)
            )
            differences["known"].append(known - hit)
            differences["new"].append(new - hit)
            print(f"hit {hit:5.2f} ms, known source {known:5.2f} ms, new source {new:5.2f} ms", flush=True)
    print(", ".join(f"{kind}: best difference {min(values):.2f} ms" for kind, values in differences.items()))


def _get_ms(connection: socket.socket, target: str) -> float:
    began = time.perf_counter()
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    received = connection.recv(65_536)
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(head.decode())
    length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return (time.perf_counter() - began) * 1000


async def _parts(picture: Path, folder: Path) -> None:
    facts, params = Facts("jpeg", (100, 67), 1, False), Params(width=50, format="jpeg")
    stamp = path_stamp(picture)
    assert stamp is not None
    original = PathBeneath(str(picture.parent), picture.name)
    store = DiskStore(StoreSettings(cache_dir=folder / "store", min_free_bytes=0))
    plan = plan_for(facts, params, (), _LIMITS)
    numbers = iter(range(1_000_000))

    def render_job() -> RenderJob:
        return RenderJob(original, stamp, plan, _KEY, f"{store.temp_folder}/{next(numbers)}", 1, _BUDGET, 10.0)

    reader = RequestReader(UNKNOWN_PEER, RequestIds(), lambda request: False)
    _print("protocol: read a head", partial(_read, reader))
    _print("plan and key", lambda: variant_key("0" * 64, plan_for(facts, params, (), _LIMITS)))
    _print("child: decode, resize, encode, write", lambda: child.perform(render_job()))
    published = []
    for _ in range(300):
        job = render_job()
        child.perform(job)
        published.append(_timed(partial(_publish, store, job)))
    _report("publish: read back, rename", published)
    flights = SingleFlight(KeyLocks(folder / "lock"))
    await _print_async("lock: a flight of its own", lambda: flights.share("key", lambda _: asyncio.sleep(0)))
    settings = BrokerSettings("bench", renderers=1, memory_bytes=2**32, patience_s=25.0, writable=str(folder))
    renderers = RenderClient(settings, folder=folder)
    await renderers.connect()
    probe = ProbeJob(original, stamp, "0" * 64, 10**9, 10.0)
    await _print_async("hand-over: to a child and back, with a probe", lambda: renderers.run(probe))
    renderers.disconnect()


def _read(reader: RequestReader) -> None:
    reader.feed(_HEAD)
    reader.next()


def _publish(store: DiskStore, job: RenderJob) -> None:
    assert job.temp is not None
    with store.open_folder("0" * 64) as folder:
        store.keep(folder, job.temp, variant_name(job.key, job.plan.format), most_bytes=MOST_BYTES)


def _print(part: str, work: Callable[[], object]) -> None:
    _report(part, [_timed(work) for _ in range(300)])


async def _print_async(part: str, work: Callable[[], Awaitable[object]]) -> None:
    times = []
    for _ in range(300):
        began = time.perf_counter()
        await work()
        times.append(time.perf_counter() - began)
    _report(part, times)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _report(part: str, times: list[float]) -> None:
    print(f"{part:45} {statistics.median(times) * 1000:6.3f} ms", flush=True)


if __name__ == "__main__":
    main()
