"""Choose the tests that can run on this machine, and prepare every run before its first test."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from imgcdn.renderers.priority import drop_realtime_capability
from tests.support import pictures
from tests.support.brokers import processes, until


@dataclass(frozen=True, slots=True)
class Tool:
    """
    A program that the tests with a certain marker need.

    Args:
        commands: Names of the program; one of them is enough.
        package: Package that installs it on Debian and Ubuntu.
        root_with: A second program that the tests need and only root can run.
    """

    commands: tuple[str, ...]
    package: str
    root_with: str | None = None

    def lack(self) -> str:
        """Say why its tests cannot run here; empty when they can."""
        # Debian keeps servers in sbin, which an ordinary user's PATH leaves out.
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
        if not any(shutil.which(command, path=path) for command in self.commands):
            return f"{self.commands[0]}, which is not installed"
        if self.root_with and not shutil.which(self.root_with, path=path):
            return f"{self.root_with}, which is not installed"
        return f"root, for {self.root_with}" if self.root_with and os.geteuid() else ""


# Property tests have no deadline: an example that takes long shows a busy machine, not a wrong rule. The same holds for
# inputs that are drawn slowly.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

TOOLS = {
    "browser": Tool(("chromium", "chromium-browser", "google-chrome"), "chromium"),
    "nginx": Tool(("nginx",), "nginx-light"),
    "node": Tool(("node",), "nodejs"),
    "wrk": Tool(("wrk",), "wrk"),
    "buildah": Tool(("buildah",), "buildah debootstrap", root_with="debootstrap"),
}

# Folders of tests that start services and render brokers, and the file that builds an image.
_WAITING = {"web", "renderers", "test_container.py"}

_left_out = pytest.StashKey[dict[str, int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Give up the right to real-time priority, before any thread starts: no encoder may take it."""
    drop_realtime_capability()
    config.stash[_left_out] = {}


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are CPUs: a third of the time goes by while a test waits for a service."""
    return 1 + (len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Leave out the tests whose tool is not installed; with IMGCDN_TEST_ALL=1, refuse to start instead.

    They are deselected, not skipped: a skip marks a test that was switched off, and this suite has none.

    Files whose tests wait for processes come first. The others take little time each, so that no process of the run is
    left alone with a long one at the end.
    """
    # Stable: the rest of the order is random.
    items.sort(key=lambda item: not _WAITING & {item.path.parent.name, item.path.name})
    missing = {name for name, tool in TOOLS.items() if tool.lack()}
    lacking = [(item, sorted(missing.intersection(mark.name for mark in item.iter_markers()))) for item in items]
    dropped = [item for item, tools in lacking if tools]
    if not dropped:
        return
    counts: dict[str, int] = {}
    for _, tools in lacking:
        for name in tools:
            counts[name] = counts.get(name, 0) + 1
    if os.environ.get("IMGCDN_TEST_ALL") == "1":
        packages = " ".join(sorted(TOOLS[name].package for name in counts))
        raise pytest.UsageError(f"IMGCDN_TEST_ALL=1, but {_describe(counts)}. Install: apt install {packages}")
    config.stash[_left_out] = counts
    items[:] = [item for item, tools in lacking if not tools]
    config.hook.pytest_deselected(items=dropped)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say in one line which tests were left out and what to install for them."""
    counts = config.stash[_left_out]
    if not counts:
        return []
    packages = " ".join(sorted(TOOLS[name].package for name in counts))
    return [f"left out: {_describe(counts)} (apt install {packages})"]


def _describe(counts: dict[str, int]) -> str:
    return ", ".join(
        f"{count} {'test needs' if count == 1 else 'tests need'} {TOOLS[name].lack()}"
        for name, count in sorted(counts.items())
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that only the current user can enter."""
    made = tempfile.mkdtemp(prefix="imgcdn-test-", dir="/tmp")  # mkdtemp makes it private
    yield Path(made)
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """Use one folder for the whole module, so that the next test can use the broker that still runs."""
    with tempfile.TemporaryDirectory(prefix="imgcdn-test-", dir="/tmp") as folder:  # mkdtemp makes it private
        yield Path(folder)
        asyncio.run(until(lambda: not processes(Path(folder)), "the broker has ended"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """An original that renders quickly."""
    path = tmp_path / "small.png"
    path.write_bytes(pictures.png())
    return path


@pytest.fixture(scope="session")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An original of 64 million pixels. Decoded, it has 192 MB."""
    path = tmp_path_factory.mktemp("huge") / "huge.png"
    path.write_bytes(pictures.png(pictures.chart((8000, 8000))))
    return path
