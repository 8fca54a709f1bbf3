"""An attacker who can write into the served folder."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exchanging(root: Path, outside: Path) -> Iterator[None]:
    """Exchange the folder `sub` of a root for a link to a folder outside, and back, again and again."""
    sub, aside, link = root / "sub", root / ".aside", root / ".link"
    link.symlink_to(outside)
    over = threading.Event()

    def exchange() -> None:
        while not over.is_set():
            for old, new in ((sub, aside), (link, sub), (sub, link), (aside, sub)):
                old.rename(new)

    attacker = threading.Thread(target=exchange)
    attacker.start()
    try:
        yield
    finally:
        over.set()
        attacker.join()
