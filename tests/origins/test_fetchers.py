"""The behaviour that all fetchers share. Add a new `Fetcher` to `KINDS`; it must pass this suite."""

import contextlib
import hashlib
import inspect
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from imgcdn.core.values import Source
from imgcdn.errors import ImageTooLarge, OriginTimeout, SourceNotFound
from imgcdn.origins.base import Answer, Fetcher, Stop, Validators
from imgcdn.origins.http import HttpFetcher
from imgcdn.origins.local import LocalFetcher
from tests.support import origin as at
from tests.support.fetching import BODY, LOOP_ID, ORIGIN, SLACK_S, Names, admit_everything, validators_of
from tests.support.origin import NAME
from tests.support.paths import PACKAGE

LIMIT = 20_000


class Kind:
    """A kind of source with one original, `a.jpg`, that the test can change."""

    fetcher: Fetcher
    source: Source
    missing: Source

    def put(self, body: bytes) -> None:
        """Replace the bytes of the original."""
        raise NotImplementedError

    def stall(self) -> None:
        """Make the origin silent, where there is one."""

    def fetch(
        self, known: Validators | None = None, *, source: Source | None = None, stop: Stop | None = None
    ) -> tuple[Answer, bytes]:
        """Fetch as the catalogue does, and return the bytes."""
        into = io.BytesIO() if self.fetcher.copies else None
        answer = self.fetcher.fetch(source or self.source, known, into=into, stop=stop or Stop())
        if into is not None:
            return answer, into.getvalue()
        return answer, b"" if answer.file is None else Path(str(answer.file.path)).read_bytes()


class Folder(Kind):
    source, missing = Source("local", "a.jpg"), Source("local", "b.jpg")

    def __init__(self, root: Path) -> None:
        self.fetcher = LocalFetcher(replace(ORIGIN, root=root, max_source_bytes=LIMIT))
        self._path = root / "a.jpg"
        self.put(BODY)

    def put(self, body: bytes) -> None:
        self._path.write_bytes(body)


class Web(Kind):
    def __init__(self, origin: at.Origin) -> None:
        self.fetcher = HttpFetcher(
            replace(ORIGIN, max_source_bytes=LIMIT),
            judge=admit_everything,
            loop_id=LOOP_ID,
            resolver=Names({NAME: [["127.0.0.1"]]}),
        )
        self.source, self.missing = (Source("remote", origin.url(path)) for path in ("/a.jpg", "/b.jpg"))
        self._origin = origin
        self.put(BODY)

    def put(self, body: bytes) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
        self._origin.scripts["/a.jpg"] = at.validated(body, etag=tag)

    def stall(self) -> None:
        self._origin.scripts["/a.jpg"] = at.silent


@contextlib.contextmanager
def a_folder(tmp_path: Path) -> Iterator[Kind]:
    yield Folder(tmp_path)


@contextlib.contextmanager
def a_web_server(tmp_path: Path) -> Iterator[Kind]:
    with at.running({"/b.jpg": at.respond(status=404)}) as origin:
        yield Web(origin)


KINDS: list[Callable[[Path], contextlib.AbstractContextManager[Kind]]] = [a_folder, a_web_server]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    with request.param(tmp_path) as kind:
        yield kind
        kind.fetcher.close()


def test_every_fetcher_passes_this_suite_and_is_assembled(tmp_path: Path) -> None:
    members = {name for name in vars(Fetcher) if not name.startswith("_")}
    modules = [import_module(f"imgcdn.origins.{path.stem}") for path in (PACKAGE / "origins").glob("[a-z]*.py")]
    written = {
        each
        for module in modules
        for _, each in inspect.getmembers(module, inspect.isclass)
        if each is not Fetcher and all(hasattr(each, name) for name in members)
    }
    tried = set()
    for number, kind in enumerate(KINDS):
        (folder := tmp_path / str(number)).mkdir()
        with kind(folder) as tried_kind:
            tried.add(type(tried_kind.fetcher))
            tried_kind.fetcher.close()

    assert written == tried
    assembly = (PACKAGE / "service" / "assembly.py").read_text(encoding="utf-8")
    assert [each.__name__ for each in written if f"{each.__name__}(" not in assembly] == []


def test_the_bytes_are_those_of_the_original(kind: Kind) -> None:
    answer, body = kind.fetch()

    assert answer.modified
    assert body == BODY
    assert answer.version in (None, hashlib.sha256(BODY).hexdigest())


def test_the_fetcher_gives_a_version_exactly_when_it_copies_the_bytes(kind: Kind) -> None:
    answer, _ = kind.fetch()

    assert (answer.version is not None) is kind.fetcher.copies
    assert (answer.file is None) is kind.fetcher.copies


def test_a_missing_original_is_not_found(kind: Kind) -> None:
    with pytest.raises(SourceNotFound):
        kind.fetch(source=kind.missing)


def test_an_original_above_the_limit_is_too_large(kind: Kind) -> None:
    kind.put(bytes(LIMIT + 1))

    with pytest.raises(ImageTooLarge) as caught:
        kind.fetch()
    assert caught.value.members == {"limit": LIMIT, "unit": "bytes"}


def test_a_change_of_the_original_is_noticed(kind: Kind) -> None:
    before, _ = kind.fetch()
    stamp = kind.fetcher.stamp(kind.source)

    kind.put(b"another")
    after, body = kind.fetch(validators_of(before))

    assert after.modified
    assert body == b"another"
    assert stamp is None or stamp != kind.fetcher.stamp(kind.source)


def test_an_unchanged_original_keeps_its_stamp_or_is_not_sent_again(kind: Kind) -> None:
    before, _ = kind.fetch()
    stamp = kind.fetcher.stamp(kind.source)

    after, body = kind.fetch(validators_of(before))

    if stamp is None:
        assert (after.modified, body) == (False, b"")
    else:
        assert kind.fetcher.stamp(kind.source) == stamp


def test_originals_in_one_place_have_the_same_host(kind: Kind) -> None:
    assert kind.fetcher.host(kind.source) == kind.fetcher.host(kind.missing)


@pytest.mark.parametrize("early", [True, False], ids=["requested before it begins", "requested while it waits"])
def test_a_stop_ends_a_fetch(kind: Kind, early: bool) -> None:
    kind.stall()
    stop = Stop()
    timer = threading.Timer(0.0 if early else 0.3, stop.request)
    began = time.monotonic()
    timer.start()
    if early:
        timer.join()
    with contextlib.suppress(OriginTimeout):  # a folder has nothing to wait for
        kind.fetch(stop=stop)

    assert time.monotonic() - began < 0.3 + SLACK_S


def test_a_fetcher_that_is_closed_keeps_nothing_open(kind: Kind) -> None:
    before = _open_files()
    kind.fetch()
    kind.fetch()

    kind.fetcher.close()
    kind.fetcher.close()

    ends = time.monotonic() + SLACK_S
    while _open_files() > before and time.monotonic() < ends:  # the origin closes its side after ours
        time.sleep(0.01)
    assert _open_files() <= before


def _open_files() -> int:
    return len(os.listdir("/dev/fd"))
