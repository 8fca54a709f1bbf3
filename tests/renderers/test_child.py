"""What a render child does with its jobs, and what it may do to the rest of the machine."""

import asyncio
import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from imgcdn.core.values import PathBeneath
from imgcdn.errors import ImgcdnError, OriginError, RenderFailed
from imgcdn.renderers.jobs import Changed, Probed, Rendered
from imgcdn.renderers.priority import BACKGROUND_NICE
from imgcdn.store.files import unpack_header
from tests.support.brokers import (
    KEY,
    children,
    connected,
    probe_job,
    render_job,
    rendering,
    settings,
    works,
)
from tests.support.paths import ROOT
from tests.support.queueing import LONG


def test_a_variant_is_written_to_the_path_in_the_job(sockets: Path, small: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with connected(sockets) as renderers:
            outcome = await renderers.run(render_job(small, temp=tmp_path / "temp"))
            data = (tmp_path / "temp").read_bytes()
            assert outcome == Rendered(None, file_bytes=len(data))
            header = unpack_header(data, len(data), key=KEY)
            assert header
            assert (header.format, header.size) == ("webp", (45, 30))

    asyncio.run(scenario())


@pytest.mark.parametrize("place", ["missing/temp", "taken"], ids=["no such folder", "a folder is there"])
def test_a_variant_that_cannot_be_written_is_returned(sockets: Path, small: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "taken").mkdir()

    async def scenario() -> None:
        async with connected(sockets) as renderers:
            outcome = await renderers.run(render_job(small, temp=tmp_path / place))
            assert isinstance(outcome, Rendered)
            assert outcome.file
            assert outcome.errno

    asyncio.run(scenario())
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["taken"]


def test_what_a_killed_child_left_is_replaced(sockets: Path, small: Path, tmp_path: Path) -> None:
    (tmp_path / "temp").write_bytes(b"half a variant")

    async def scenario() -> None:
        async with connected(sockets) as renderers:
            outcome = await renderers.run(render_job(small, temp=tmp_path / "temp"))
            assert outcome == Rendered(None, file_bytes=(tmp_path / "temp").stat().st_size)

    asyncio.run(scenario())
    assert len(list(tmp_path.glob("temp*"))) == 1


def test_a_child_can_write_beneath_one_folder_only(folder: Path, small: Path, tmp_path: Path) -> None:
    inside, outside = tmp_path / "tmp", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()

    async def scenario() -> None:
        async with rendering(folder, settings(writable=str(inside))) as renderers:
            written = await renderers.run(render_job(small, temp=inside / "temp"))
            assert isinstance(written, Rendered)
            assert written.file is None
            refused = await renderers.run(render_job(small, temp=outside / "temp"))
            assert isinstance(refused, Rendered)
            assert (refused.errno, refused.file is not None) == (errno.EACCES, True)
            shutil.rmtree(inside)
            inside.mkdir()
            outcomes = [await renderers.run(render_job(small, temp=inside / f"temp{count}")) for count in range(2)]
            assert outcomes[-1] == written, "the next child can write to a folder that was made again"

    asyncio.run(scenario())
    assert list(outside.iterdir()) == []


def test_a_result_of_many_megabytes_is_returned_complete(sockets: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise.png"
    size = (1600, 1200)
    Image.frombytes("RGB", size, os.urandom(3 * size[0] * size[1])).save(noise, compress_level=1)

    async def scenario() -> None:
        async with connected(sockets) as renderers:
            outcome = await renderers.run(render_job(noise, size=size, encoder="png"))
            assert isinstance(outcome, Rendered)
            assert outcome.file
            assert len(outcome.file) > 5 * 2**20
            assert unpack_header(outcome.file, len(outcome.file), key=KEY)

    asyncio.run(scenario())


def test_more_memory_than_allowed_is_an_error_and_not_a_crash(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(memory_bytes=256 * 2**20)) as renderers:
            before = children(folder)
            with pytest.raises(RenderFailed, match="memory"):
                await renderers.run(render_job(huge, size=(400, 400)), LONG)
            assert works(await renderers.run(probe_job(small)))
            assert children(folder) == before

    asyncio.run(scenario())


def test_a_child_has_low_priority_and_never_becomes_real_time(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            before = children(folder)
            await renderers.run(render_job(small, size=(90, 60), encoder="svt"), LONG)
            threads = [int(name) for child in before for name in os.listdir(f"/proc/{child}/task")]
            assert children(folder) == before
            assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_OTHER}
            assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {os.nice(0) + BACKGROUND_NICE}

    asyncio.run(scenario())


class TestOriginals:
    def test_an_original_that_was_replaced_is_changed(self, sockets: Path, small: Path) -> None:
        async def scenario() -> None:
            async with connected(sockets) as renderers:
                job = probe_job(small)
                small.write_bytes(small.read_bytes() + b"x")
                assert await renderers.run(job) == Changed()
                small.unlink()
                assert await renderers.run(job) == Changed()

        asyncio.run(scenario())

    @pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
    def test_an_original_that_is_no_longer_a_file_is_changed_and_nothing_hangs(
        self, sockets: Path, small: Path, tmp_path: Path, kind: str
    ) -> None:
        job = probe_job(small)
        moved = small.rename(tmp_path / "moved.png")
        {"fifo": os.mkfifo, "link": lambda path: path.symlink_to(moved), "folder": os.mkdir}[kind](small)

        async def scenario() -> None:
            async with connected(sockets) as renderers:
                assert await renderers.run(job) == Changed()

        asyncio.run(scenario())

    def test_a_folder_that_became_a_link_is_not_followed(self, sockets: Path, small: Path, tmp_path: Path) -> None:
        (tmp_path / "root" / "sub").mkdir(parents=True)
        moved = small.rename(tmp_path / "root" / "sub" / "a.png")
        job = replace(probe_job(moved), path=PathBeneath(str(tmp_path / "root"), "sub/a.png"))

        async def scenario() -> None:
            async with connected(sockets) as renderers:
                assert works(await renderers.run(job))
                (tmp_path / "root" / "sub").rename(tmp_path / "outside")
                (tmp_path / "root" / "sub").symlink_to(tmp_path / "outside")
                assert await renderers.run(job) == Changed(), "also if it leads to the same file"

        asyncio.run(scenario())

    def test_the_error_about_an_original_comes_with_its_version(self, sockets: Path, tmp_path: Path) -> None:
        text = tmp_path / "text.jpg"
        text.write_text("not a picture")

        async def scenario() -> None:
            async with connected(sockets) as renderers:
                outcome = await renderers.run(probe_job(text))
                assert isinstance(outcome, Probed)
                assert isinstance(outcome.error, ImgcdnError)
                assert len(outcome.version) == 64

        asyncio.run(scenario())


def test_an_original_that_is_cut_off_while_it_is_read_is_changed_and_not_damaged(sockets: Path, tmp_path: Path) -> None:
    """An error about the half that is left would be remembered, and other errors would be our fault."""
    path, size = tmp_path / "noise.png", (300, 300)
    noise = Image.frombytes("RGB", size, os.urandom(3 * size[0] * size[1]))

    async def scenario() -> None:
        outcomes = []
        async with connected(sockets) as renderers:
            for number in range(40):
                noise.save(path, compress_level=1)
                job = render_job(path, size=size) if number % 2 else probe_job(path)
                cut = threading.Timer(number / 4000, os.truncate, (path, 1000))
                cut.start()
                outcomes.append(await renderers.run(job))
                cut.join()
        assert {type(outcome) for outcome in outcomes} <= {Changed, Rendered, Probed}
        assert all(outcome.error is None for outcome in outcomes if isinstance(outcome, Probed))
        assert Changed() in outcomes

    asyncio.run(scenario())


_UNREADABLE = """
import ctypes, sys
from dataclasses import replace
from pathlib import Path
from tests.support.brokers import probe_job
from imgcdn.renderers.child import perform
from imgcdn.renderers.priority import _Header, _Sets, _CAPABILITY_VERSION_3
path = Path(sys.argv[1])
path.chmod(0)
# Root can read everything until it drops its capabilities.
ctypes.CDLL(None).capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), (_Sets * 2)())
outcome = perform(probe_job(path))
print(type(outcome.error).__name__, outcome.error.detail, outcome.error.log, sep="|")
"""


def test_an_unreadable_original_is_a_failure_of_its_folder_and_the_log_names_its_path(small: Path) -> None:
    command = [sys.executable, "-c", _UNREADABLE, str(small)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    name, detail, log = output.strip().split("|")

    assert name == OriginError.__name__
    assert str(small) not in detail
    assert str(small) in log


def test_a_version_in_the_job_is_used_without_hashing_again(sockets: Path, small: Path) -> None:
    async def scenario() -> None:
        async with connected(sockets) as renderers:
            hashed = await renderers.run(probe_job(small))
            unhashed = await renderers.run(probe_job(small, version="12" * 32))
            assert isinstance(hashed, Probed)
            assert isinstance(unhashed, Probed)
            assert hashed.version == hashlib.sha256(small.read_bytes()).hexdigest()
            assert unhashed == replace(hashed, version="12" * 32)

    asyncio.run(scenario())


def test_the_cpu_time_of_a_job_is_limited_a_little_above_its_deadline(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            await asyncio.gather(*(renderers.run(probe_job(small, timeout_s=20), LONG) for _ in range(20)))
            limits = [Path(f"/proc/{child}/limits").read_text() for child in children(folder)]
            soft = [re.findall(r"Max cpu time +(\d+)", text) for text in limits]
            assert all(25 <= int(seconds) <= 27 for found in soft for seconds in found)
            assert any(soft)

    asyncio.run(scenario())


def test_a_child_is_replaced_after_many_jobs(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            before = set(children(folder))
            for _ in range(11):
                outcomes = await asyncio.gather(*(renderers.run(probe_job(small)) for _ in range(100)))
                assert all(map(works, outcomes))
            assert set(children(folder)) - before

    asyncio.run(scenario())


def test_glibc_keeps_few_arenas_for_the_threads_of_a_child(folder: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder):
            assert all(
                b"MALLOC_ARENA_MAX=2" in Path(f"/proc/{child}/environ").read_bytes() for child in children(folder)
            )

    asyncio.run(scenario())
