"""A store, and a separate disk that can be full or read-only."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imgcdn.store.disk import DiskStore
from tests.support.stored import open_store

_DISK_BYTES = 2**20


class SmallDisk:
    """A file system of one megabyte."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read_only(self, *, yes: bool) -> None:
        """Remount it."""
        _mount("-o", f"remount,{'ro' if yes else 'rw'}", str(self.folder))

    @contextmanager
    def unreadable(self, file: Path) -> Iterator[None]:
        """Let each attempt to read a file fail with EIO, as the first page of a process's memory does."""
        _mount("--bind", f"/proc/{os.getpid()}/mem", str(file))
        try:
            yield
        finally:
            subprocess.run(["umount", str(file)], check=True)

    def fill(self) -> None:
        """Fill the disk completely."""
        with open(self.folder / "ballast", "wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    return

    def free(self) -> None:
        """Remove the file that fills the disk."""
        (self.folder / "ballast").unlink()


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def can_mount() -> bool:
    """Tell whether this process may mount; root in a container may not."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=False, capture_output=True)
        if tried.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return tried.returncode == 0


# test_disk_trouble.py tests the same properties without privileges.
collect_ignore = [] if can_mount() else ["test_mounted_disk.py"]


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return open_store(tmp_path / "cache", max_bytes=10**6)


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    with tempfile.TemporaryDirectory() as folder:
        _mount("-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "none", folder)
        try:
            yield SmallDisk(Path(folder))
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
