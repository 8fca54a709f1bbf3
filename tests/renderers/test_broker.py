"""The broker: how it starts and ends, who can reach it, and what happens when a process dies."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from imgcdn.errors import ConfigError, Overloaded
from imgcdn.renderers.channel import Channel
from imgcdn.renderers.client import RenderClient, private_folder
from imgcdn.renderers.jobs import Probed
from tests.support.brokers import (
    alive,
    broker,
    children,
    fork_server,
    kill,
    probe_job,
    processes,
    rendering,
    settings,
    until,
    works,
)
from tests.support.paths import ROOT


def test_a_job_starts_the_broker_and_the_last_client_ends_it(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        renderers = RenderClient(settings(), folder=folder)
        assert processes(folder) == []
        assert works(await renderers.run(probe_job(small)))
        assert len(children(folder)) == 2, "one more takes short jobs alone"
        renderers.disconnect()
        await until(lambda: not processes(folder), "the broker has ended")
        assert list(folder.glob("*.sock")) == []

    asyncio.run(scenario())


def test_a_broker_that_has_ended_is_started_again(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        for _ in range(2):
            async with rendering(folder) as renderers:
                assert works(await renderers.run(probe_job(small)))

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
        brokers = [pid for pid in processes(folder) if b'"scope"' in Path(f"/proc/{pid}/cmdline").read_bytes()]
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


@pytest.mark.parametrize("victim", [broker, fork_server], ids=["the broker", "the fork server"])
def test_a_process_that_dies_is_started_again(folder: Path, small: Path, victim: object) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            assert callable(victim)
            before = processes(folder)
            kill(victim(folder))
            await until(lambda: not any(map(alive, before[2:])), "the children have ended with it")
            assert works(await renderers.run(probe_job(small)))
            if victim is broker:
                await until(lambda: not any(map(alive, before)), "the processes of the dead broker have ended")

    asyncio.run(scenario())


def test_a_job_that_was_running_when_the_broker_died_is_done_again(folder: Path, huge: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            before = children(folder)
            work = asyncio.create_task(renderers.run(probe_job(huge)))
            await asyncio.sleep(0)
            kill(broker(folder))
            outcome = await work
            assert isinstance(outcome, Probed)
            await until(lambda: not any(map(alive, before)), "the children of the dead broker have ended")

    asyncio.run(scenario())


def test_a_broker_that_hangs_is_replaced(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers, rendering(folder) as other:
            hanging = broker(folder)
            os.kill(hanging, signal.SIGSTOP)
            try:
                outcomes = await asyncio.gather(*(each.run(probe_job(small)) for each in (renderers, other)))
                assert all(map(works, outcomes))
                assert not alive(hanging)
                renderers.disconnect()
            finally:
                if alive(hanging):
                    kill(hanging)

    asyncio.run(scenario())


class _Lost(RenderClient):
    """A client whose broker is killed again and again."""

    async def connect(self) -> Channel:
        raise ConnectionResetError("the broker has gone")


def test_a_broker_that_is_killed_again_and_again_is_503_with_retry_after(folder: Path, small: Path) -> None:
    with pytest.raises(Overloaded) as refused:
        asyncio.run(_Lost(settings(), folder=folder).run(probe_job(small)))
    assert refused.value.status == 503
    assert refused.value.retry_after_s == 2


def test_modules_in_the_current_folder_are_not_imported(
    folder: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "visited"
    for name in ("asyncio", "pickle", "logging", "argparse"):
        (tmp_path / f"{name}.py").write_text(f"open({str(trap)!r}, 'w')")
    monkeypatch.chdir(tmp_path)

    async def scenario() -> None:
        async with rendering(folder) as renderers:
            assert works(await renderers.run(probe_job(small)))

    asyncio.run(scenario())
    assert not trap.exists()


def test_the_settings_are_not_in_the_environment_of_codecs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGCDN_SIGNING_KEYS", "k1:secret")
    monkeypatch.setenv("A_KEY_OF_A_MOUNT", "s3cret")

    async def scenario() -> None:
        async with rendering(folder):
            environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in processes(folder)]
            assert all(environments)
            assert not any(b"IMGCDN_" in each or b"s3cret" in each for each in environments)

    asyncio.run(scenario())


def test_a_fork_server_that_hangs_is_replaced_with_its_broker(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        async with rendering(folder) as renderers:
            hanging = fork_server(folder)
            os.kill(hanging, signal.SIGSTOP)
            try:
                for child in children(folder):
                    kill(child)
                assert works(await renderers.run(probe_job(small)))
            finally:
                kill(hanging)

    asyncio.run(scenario())


def test_a_broker_whose_fork_server_dies_at_its_start_starts_nevertheless(folder: Path, small: Path) -> None:
    async def scenario() -> None:
        renderers = RenderClient(settings(), folder=folder)
        running = asyncio.create_task(renderers.run(probe_job(small)))
        await until(lambda: len(processes(folder)) > 1, "there is a fork server")
        for pid in processes(folder)[1:]:
            kill(pid)
        assert works(await running)
        renderers.disconnect()
        await until(lambda: not processes(folder), "the broker has ended")

    asyncio.run(scenario())
