import asyncio
import errno
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from imgcdn.errors import ConfigError, CorruptImage, ImgcdnError, Overloaded, RenderTimeout, SourceNotFound
from imgcdn.renderers.client import RenderClient, private_folder
from imgcdn.renderers.jobs import Changed, Outcome, Probed, Rendered
from imgcdn.renderers.priority import BACKGROUND_NICE
from imgcdn.store.files import unpack_header
from tests.support.brokers import (
    alive,
    broker,
    children,
    fork_server,
    kill,
    probe_job,
    processes,
    render_job,
    rendering,
    settings,
    until,
    until_busy,
)
from tests.support.paths import ROOT

_HUGE = (8000, 8000)


def _works(outcome: Outcome) -> bool:
    return isinstance(outcome, Probed) and outcome.facts is not None and outcome.facts.size == (90, 60)


def test_a_job_starts_the_broker_and_the_last_client_ends_it(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        renderers = RenderClient(settings(), folder=folder)
        assert processes(folder) == []
        assert _works(await renderers.run(probe_job(small)))
        assert len(children(folder)) == 1
        renderers.disconnect()
        await until(lambda: not processes(folder), "the broker has ended")
        assert list(folder.glob("*.sock")) == []

    asyncio.run(scenario())


def test_a_broker_that_has_ended_is_started_again(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        for _ in range(2):
            async with rendering(folder) as renderers:
                assert _works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


_CLIENT = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from tests.support.brokers import probe_job, settings
from imgcdn.renderers.client import RenderClient
async def main():
    renderers = RenderClient(settings(), folder=Path(sys.argv[1]))
    await renderers.run(probe_job(Path(sys.argv[2])))
    print("done", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    renderers.disconnect()
asyncio.run(main())
"""


def test_processes_that_start_at_the_same_time_share_one_broker(folder: Path, small: Path) -> None:
    command = [sys.executable, "-c", _CLIENT, str(folder), str(small)]
    clients = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)
    ]
    try:
        for client in clients:
            assert client.stdout
            assert client.stdout.readline() == "done\n"
        brokers = [pid for pid in processes(folder) if b"--queue" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        clients[0].kill()
        clients[0].wait()

        assert len(brokers) == 1
        assert alive(brokers[0]), "the broker stays for the other client"
    finally:
        for client in clients:
            client.communicate()
    asyncio.run(until(lambda: not processes(folder), "the broker has ended"))


def test_only_the_user_can_use_the_socket(folder: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder):
            [path] = folder.glob("*.sock")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    asyncio.run(scenario())


class TestPrivateFolder:
    def test_only_the_user_can_enter_it(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        made = private_folder()

        assert made == folder / f"imgcdn-{os.getuid()}"
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        assert private_folder() == made

    @pytest.mark.parametrize("mode", [0o777, 0o750, 0o701], ids=oct)
    def test_a_folder_that_others_may_enter_is_refused(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: int
    ) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        private_folder().chmod(mode)
        with pytest.raises(ConfigError, match="only this user"):
            private_folder()

    def test_a_link_is_refused(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        (folder / "elsewhere").mkdir(mode=0o700)
        (folder / f"imgcdn-{os.getuid()}").symlink_to(folder / "elsewhere")
        with pytest.raises(ConfigError, match="only this user"):
            private_folder()

    def test_a_file_in_its_place_is_refused(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        (folder / f"imgcdn-{os.getuid()}").write_text("in the way")
        with pytest.raises(ConfigError):
            private_folder()

    @pytest.mark.parametrize("place", ["/nowhere/at/all", "/proc/" + "x" * 120], ids=["missing", "too long"])
    def test_an_unsuitable_runtime_folder_is_not_used(self, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", place)
        assert not str(private_folder()).startswith(place)


def test_a_socket_path_that_is_too_long_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="long"):
        RenderClient(settings(), folder=tmp_path / ("x" * 100))


def test_a_variant_is_written_to_the_path_in_the_job(folder: Path, small: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            outcome = await renderers.run(render_job(small, temp=tmp_path / "temp"))
            assert outcome == Rendered(None)
            data = (tmp_path / "temp").read_bytes()
            header = unpack_header(data, len(data))
            assert header
            assert (header.format, header.size) == ("webp", (45, 30))

    asyncio.run(scenario())


@pytest.mark.parametrize("place", ["missing/temp", "taken"], ids=["no such folder", "a file is there"])
def test_a_variant_that_cannot_be_written_is_returned(folder: Path, small: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "taken").write_text("somebody's")

    async def scenario() -> None:
        async with rendering(folder) as renderers:
            outcome = await renderers.run(render_job(small, temp=tmp_path / place))
            assert isinstance(outcome, Rendered)
            assert outcome.file
            assert outcome.errno

    asyncio.run(scenario())
    assert (tmp_path / "taken").read_text() == "somebody's"


def test_a_child_can_write_beneath_one_folder_only(folder: Path, small: Path, tmp_path: Path) -> None:
    inside, outside = tmp_path / "tmp", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()

    async def scenario() -> None:
        async with rendering(folder, settings(writable=str(inside))) as renderers:
            assert await renderers.run(render_job(small, temp=inside / "temp")) == Rendered(None)
            refused = await renderers.run(render_job(small, temp=outside / "temp"))
            assert isinstance(refused, Rendered)
            assert (refused.errno, refused.file is not None) == (errno.EACCES, True)
            shutil.rmtree(inside)
            inside.mkdir()
            outcomes = [await renderers.run(render_job(small, temp=inside / f"temp{count}")) for count in range(2)]
            assert outcomes[-1] == Rendered(None), "the next child can write to a folder that was made again"

    asyncio.run(scenario())
    assert list(outside.iterdir()) == []


def test_a_result_of_many_megabytes_is_returned_complete(folder: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise.png"
    size = (1600, 1200)
    Image.frombytes("RGB", size, os.urandom(3 * size[0] * size[1])).save(noise, compress_level=1)

    async def scenario() -> None:
        async with rendering(folder) as renderers:
            outcome = await renderers.run(render_job(noise, size=size, encoder="png"))
            assert isinstance(outcome, Rendered)
            assert outcome.file
            assert len(outcome.file) > 5 * 2**20
            assert unpack_header(outcome.file, len(outcome.file))

    asyncio.run(scenario())


def test_a_job_past_its_deadline_is_killed_and_the_next_one_works(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            [child] = children(folder)
            with pytest.raises(RenderTimeout):
                await renderers.run(render_job(huge, size=_HUGE, encoder="aom", timeout_s=2))
            assert not alive(child)
            assert _works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_a_child_that_hangs_before_it_reads_its_job_is_killed_at_the_deadline(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            [child] = children(folder)
            os.kill(child, signal.SIGSTOP)
            with pytest.raises(RenderTimeout):
                await renderers.run(probe_job(small, timeout_s=2))
            assert not alive(child)
            assert _works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_a_child_that_dies_during_a_job_fails_only_that_job(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(renderers=2)) as renderers:
            before = children(folder)
            work = asyncio.create_task(renderers.run(render_job(huge, size=_HUGE, encoder="aom")))
            await until(lambda: any(_is_busy(pid) for pid in before), "a child is at work")
            kill(next(pid for pid in before if _is_busy(pid)))
            meanwhile = await asyncio.gather(*(renderers.run(probe_job(small)) for _ in range(6)))
            with pytest.raises(CorruptImage, match="crash"):
                await work
            assert all(map(_works, meanwhile))

    asyncio.run(scenario())


def _is_busy(pid: int) -> bool:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) > 10


def test_a_child_that_dies_idle_fails_no_job(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            for _ in range(3):
                assert _works(await renderers.run(probe_job(small)))
                [child] = children(folder)
                kill(child)
                assert _works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_killing_idle_children_never_makes_a_good_picture_corrupt(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(renderers=2)) as renderers:
            for _ in range(5):
                for child in children(folder):
                    kill(child)
                outcomes = await asyncio.gather(*(renderers.run(probe_job(small)) for _ in range(2)))
                assert all(map(_works, outcomes))

    asyncio.run(scenario())


@pytest.mark.parametrize("victim", [broker, fork_server], ids=["the broker", "the fork server"])
def test_a_process_that_dies_is_started_again(folder: Path, small: Path, victim: object) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            assert callable(victim)
            before = processes(folder)
            [child] = children(folder)
            kill(victim(folder))
            await until(lambda: not alive(child), "the child has ended with it")
            assert _works(await renderers.run(probe_job(small)))
            if victim is broker:
                await until(lambda: not any(map(alive, before)), "the processes of the dead broker have ended")

    asyncio.run(scenario())


def test_a_job_that_was_running_when_the_broker_died_is_done_again(folder: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            [child] = children(folder)
            work = asyncio.create_task(renderers.run(probe_job(huge)))
            await asyncio.sleep(0)
            kill(broker(folder))
            outcome = await work
            assert isinstance(outcome, Probed)
            await until(lambda: not alive(child), "the child of the dead broker has ended")

    asyncio.run(scenario())


def test_jobs_beyond_the_queue_are_refused(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(queue=2)) as renderers:
            [child] = children(folder)
            os.kill(child, signal.SIGSTOP)
            jobs = [asyncio.create_task(renderers.run(probe_job(small))) for _ in range(5)]
            await until(lambda: sum(job.done() for job in jobs) == 2, "two are refused")
            os.kill(child, signal.SIGCONT)
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
            assert len(refused) == 2
            assert refused[0].retry_after_s
            assert _works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_hundreds_of_jobs_at_once_are_each_done_or_refused(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            jobs = [renderers.run(probe_job(small)) for _ in range(400)]
            outcomes = await asyncio.gather(*jobs, return_exceptions=True)
            done = [outcome for outcome in outcomes if isinstance(outcome, Probed)]
            assert done
            assert all(isinstance(outcome, Probed | Overloaded) for outcome in outcomes)

    asyncio.run(scenario())


def test_cancelling_a_job_kills_its_child(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            [child] = children(folder)
            work = asyncio.create_task(renderers.run(render_job(huge, size=_HUGE, encoder="aom")))
            await until_busy(child)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            await until(lambda: not alive(child), "the child has ended")
            assert _works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_cancelling_a_waiting_job_removes_it_from_the_queue(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(queue=1)) as renderers:
            [child] = children(folder)
            os.kill(child, signal.SIGSTOP)
            first = asyncio.create_task(renderers.run(probe_job(small)))
            second = asyncio.create_task(renderers.run(probe_job(small)))
            third = asyncio.create_task(renderers.run(probe_job(small)))
            jobs = (first, second, third)
            await until(lambda: sum(job.done() for job in jobs) == 1, "one is refused")
            waiting = [job for job in jobs if not job.done()]
            for job in waiting:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            assert _works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())


def test_more_memory_than_allowed_is_an_error_and_not_a_crash(folder: Path, small: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder, settings(memory_bytes=256 * 2**20)) as renderers:
            [child] = children(folder)
            with pytest.raises(CorruptImage):
                await renderers.run(render_job(huge, size=(400, 400)))
            assert _works(await renderers.run(probe_job(small)))
            assert children(folder) == [child]

    asyncio.run(scenario())


def test_a_child_has_low_priority_and_never_becomes_real_time(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            [child] = children(folder)
            await renderers.run(render_job(small, size=(90, 60), encoder="svt"))
            threads = [int(name) for name in os.listdir(f"/proc/{child}/task")]
            assert children(folder) == [child]
            assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_OTHER}
            assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {os.nice(0) + BACKGROUND_NICE}

    asyncio.run(scenario())


def test_modules_in_the_current_folder_are_not_imported(
    folder: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "visited"
    for name in ("asyncio", "pickle", "logging", "argparse"):
        (tmp_path / f"{name}.py").write_text(f"open({str(trap)!r}, 'w')")
    monkeypatch.chdir(tmp_path)

    async def scenario() -> None:
        async with rendering(folder) as renderers:
            assert _works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())
    assert not trap.exists()


class TestOriginals:
    def test_an_original_that_was_replaced_is_changed(self, folder: Path, small: Path) -> None:
        async def scenario() -> None:
            async with rendering(folder) as renderers:
                job = probe_job(small)
                small.write_bytes(small.read_bytes() + b"x")
                assert await renderers.run(job) == Changed()
                small.unlink()
                assert await renderers.run(job) == Changed()

        asyncio.run(scenario())

    @pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
    def test_an_original_that_is_no_longer_a_file_is_changed_and_nothing_hangs(
        self, folder: Path, small: Path, tmp_path: Path, kind: str
    ) -> None:
        job = probe_job(small)
        moved = small.rename(tmp_path / "moved.png")
        {"fifo": os.mkfifo, "link": lambda path: path.symlink_to(moved), "folder": os.mkdir}[kind](small)

        async def scenario() -> None:
            async with rendering(folder) as renderers:
                assert await renderers.run(job) == Changed()

        asyncio.run(scenario())

    def test_the_error_about_an_original_comes_with_its_version(self, folder: Path, tmp_path: Path) -> None:
        text = tmp_path / "text.jpg"
        text.write_text("not a picture")

        async def scenario() -> None:
            async with rendering(folder) as renderers:
                outcome = await renderers.run(probe_job(text))
                assert isinstance(outcome, Probed)
                assert isinstance(outcome.error, ImgcdnError)
                assert len(outcome.version) == 64

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


def test_an_unreadable_original_is_not_found_and_the_log_names_its_path(small: Path) -> None:
    command = [sys.executable, "-c", _UNREADABLE, str(small)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    name, detail, log = output.strip().split("|")

    assert name == SourceNotFound.__name__
    assert str(small) not in detail
    assert str(small) in log


def test_a_version_in_the_job_is_used_without_hashing_again(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            hashed = await renderers.run(probe_job(small))
            unhashed = await renderers.run(probe_job(small, version="12" * 32))
            assert isinstance(hashed, Probed)
            assert isinstance(unhashed, Probed)
            assert hashed.version == hashlib.sha256(small.read_bytes()).hexdigest()
            assert unhashed == replace(hashed, version="12" * 32)

    asyncio.run(scenario())
