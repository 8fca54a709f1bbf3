"""Tests of permissions, which mean nothing to root."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the privileges of root, who may read and remove everything, for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def open_to_others(folder: Path) -> None:
    """Let other users enter a test's folder, and the folders of pytest that it is in."""
    for path in (folder, *folder.parents):
        if path.stat().st_uid != os.getuid() or path.stat().st_mode & 0o005 == 0o005:
            return
        path.chmod(0o755)
