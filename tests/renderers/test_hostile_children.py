"""A child that an original has taken over costs its request, and nothing else: the broker and the worker go on."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from imgcdn.errors import ImgcdnError, InternalError, Overloaded, RenderFailed
from imgcdn.renderers.jobs import Job
from tests.support.brokers import broker, kill, probe_job, render_job, settings, until, works
from tests.support.brokers import processes as processes_of
from tests.support.hostile import HostileClient, hostile_picture
from tests.support.services import Bench, get

_SEND = """
import time
def send(text, file_bytes=0, rest=b""):
    connection.sendall(len(text).to_bytes(4) + file_bytes.to_bytes(8) + text + rest)
    time.sleep(60)
"""

_HASHED = 'b"\\x80\\x04}" + b")" + b"2\\x86" * 60 + b"Ns."'

_OUTCOMES = [
    pytest.param(probe_job, f"send({_HASHED})", id="a pickle whose key is never hashed"),
    pytest.param(probe_job, 'send(b"\\x80\\x04Nr\\x00\\xc2\\xeb\\x0b.")', id="a pickle that takes all memory"),
    pytest.param(probe_job, 'send(b"[" * 60_000)', id="lists in lists"),
    pytest.param(
        probe_job, 'send(b\'["Failed",["corrupt-image",\' + b"[" * 500 + b"]" * 500 + b\',""]]\')', id="a nested detail"
    ),
    pytest.param(probe_job, "send(b'[\"Probed\",[[]],null,null,null]')", id="a version that is no text"),
    pytest.param(render_job, "send(b'[\"Rendered\",536870912,0,0]', 536870912, bytes(2**20))", id="a file of 512 MiB"),
    pytest.param(probe_job, 'connection.sendall(b"\\xff" * 12); time.sleep(60)', id="endless lengths"),
]


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    HostileClient.prepare(tmp_path / "modules", monkeypatch)


@asynccontextmanager
async def _rendering(folder: Path) -> AsyncIterator[HostileClient]:
    renderers = HostileClient(settings(), folder=folder)
    await renderers.connect()
    try:
        yield renderers
    finally:
        renderers.disconnect()
        await until(lambda: not processes_of(folder), "the broker and its children have ended")


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(("make_job", "code"), _OUTCOMES)
def test_a_hostile_outcome_costs_its_request_alone(
    folder: Path, small: Path, tmp_path: Path, make_job: Callable[[Path], Job], code: str
) -> None:
    path = tmp_path / "hostile.png"
    path.write_bytes(hostile_picture(_SEND + code))

    async def scenario() -> None:
        async with _rendering(folder) as renderers:
            pid, began = broker(folder), time.monotonic()
            with pytest.raises(RenderFailed):
                await renderers.run(make_job(path))
            assert time.monotonic() - began < 5
            assert works(await renderers.run(probe_job(small)))
            assert broker(folder) == pid

    asyncio.run(scenario())


#: A whole variant, with a right digest, whose body has 64 MiB.
_LARGE = """
import hashlib, time, zlib
from imgcdn.renderers.jobs import Probed, Rendered
from imgcdn.renderers.messages import pack
from imgcdn.store import files
outcome = perform(job)
body = bytes(2**26)
fields = list(files._FIELDS.unpack_from(open(job.then.temp, "rb").read()))
fields[4], fields[7] = len(body), hashlib.sha256(body).digest()
head = files._FIELDS.pack(*fields)
with open(job.then.temp, "wb") as file:
    file.write(head + files._CHECKSUM.pack(zlib.crc32(head)) + body)
connection.sendall(pack(Probed(outcome.version, outcome.facts, None, Rendered(None, file_bytes=10))))
time.sleep(60)
"""


@pytest.mark.usefixtures("prepared")
def test_a_worker_does_not_read_a_file_larger_than_a_variant(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    bench = Bench(tmp_path / "root", tmp_path / "cache", folder)
    bench.put(hostile_picture(_LARGE))

    async def scenario() -> None:
        renderers = HostileClient(settings(writable=str(tmp_path / "cache" / "tmp")), folder=folder)
        async with bench.service(renderers=renderers) as service:
            with pytest.raises(InternalError):
                await get(service)
        await until(lambda: not processes_of(folder), "the broker and its children have ended")

    asyncio.run(scenario())
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


@pytest.mark.usefixtures("prepared")
def test_the_code_of_an_original_runs_in_its_child(folder: Path, tmp_path: Path) -> None:
    """The stand-in works: without this, the tests above might pass because nothing hostile happens."""
    path = tmp_path / "hostile.png"
    path.write_bytes(hostile_picture("import os; os._exit(7)"))

    async def scenario() -> None:
        async with _rendering(folder) as renderers:
            with pytest.raises(ImgcdnError, match="crashed"):
                await renderers.run(probe_job(path))

    asyncio.run(scenario())


_WAITS = """
import time
with open({began!r}, "a") as file:
    file.write("x")
time.sleep(60)
"""


def _has(path: Path, text: str) -> bool:
    return path.read_text() == text


@pytest.mark.usefixtures("prepared")
def test_a_job_under_which_two_brokers_ended_is_not_sent_again(folder: Path, small: Path, tmp_path: Path) -> None:
    path, began = tmp_path / "hostile.png", tmp_path / "began"
    path.write_bytes(hostile_picture(_WAITS.format(began=str(began))))
    began.write_text("")

    async def scenario() -> None:
        async with _rendering(folder) as renderers:
            work = asyncio.create_task(renderers.run(probe_job(path)))
            for text in ("x", "xx"):
                await until(functools.partial(_has, began, text), "a child has the job")
                kill(broker(folder))
            for again in (work, renderers.run(probe_job(path))):
                with pytest.raises(Overloaded) as refused:
                    await again
                assert (refused.value.retry_after_s or 0) > 50
            assert began.read_text() == "xx"
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())
