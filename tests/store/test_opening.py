"""Opening files: regular ones alone, and beneath a root without following links."""

import os
import socket
from pathlib import Path

import pytest

from imgcdn.store.opening import open_beneath, open_regular, read_file
from tests.support.swapping import exchanging

_TRIES = 20_000

#: Both ways to open beneath a root accept the same names.
WAYS = pytest.mark.parametrize(
    "openat2", [pytest.param(True, id="by openat2"), pytest.param(False, id="segment by segment")]
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with files of every kind, and files beside it."""
    root = tmp_path / "root"
    (root / "sub" / "inner").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    for path in (root / "a.jpg", root / "sub" / "b.jpg", root / "sub" / "inner" / "c.jpg", outside / "secret.jpg"):
        path.write_bytes(path.name.encode())
    links = (
        ("link.jpg", root / "a.jpg"),
        ("out.jpg", outside / "secret.jpg"),
        ("folder", root / "sub"),
        ("away", outside),
    )
    for name, target in links:
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo.jpg")
    monkeypatch.chdir(root)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
    return root


def _read(root: Path, name: str, *, openat2: bool) -> bytes:
    fd, stat = open_beneath(str(root), name, openat2=openat2)
    with os.fdopen(fd, "rb") as file:
        assert os.fstat(fd) == stat
        return file.read()


@WAYS
@pytest.mark.parametrize("name", ["a.jpg", "sub/b.jpg", "sub/inner/c.jpg"])
def test_a_file_beneath_the_root_is_opened(root: Path, name: str, *, openat2: bool) -> None:
    assert _read(root, name, openat2=openat2) == name.rpartition("/")[2].encode()


@WAYS
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nothing.jpg", id="not there"),
        pytest.param("", id="empty"),
        pytest.param(".", id="the root"),
        pytest.param("..", id="the parent"),
        pytest.param("sub/../a.jpg", id="the parent in the middle"),
        pytest.param("../outside/secret.jpg", id="outside"),
        pytest.param("./a.jpg", id="a dot segment"),
        pytest.param("sub//b.jpg", id="an empty segment"),
        pytest.param("a.jpg/", id="a slash at the end"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("a.jpg\x00.png", id="NUL"),
        pytest.param("link.jpg", id="a link to a file within"),
        pytest.param("out.jpg", id="a link to a file outside"),
        pytest.param("folder/b.jpg", id="through a link to a folder within"),
        pytest.param("link-to-outside/secret.jpg", id="through a link to a folder outside"),
        pytest.param("sub", id="a folder"),
        pytest.param("a.jpg/x", id="beneath a file"),
        pytest.param("fifo.jpg", id="a FIFO, which must not hang"),
        pytest.param("socket.jpg", id="a socket"),
        pytest.param("x" * 300, id="a name that is too long"),
    ],
)
def test_no_other_name_is_opened(root: Path, name: str, *, openat2: bool) -> None:
    with pytest.raises(OSError, match=r"Errno"):
        open_beneath(str(root), name, openat2=openat2)


@WAYS
def test_a_root_that_is_a_link_is_refused(root: Path, tmp_path: Path, *, openat2: bool) -> None:
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(OSError, match="directory"):
        open_beneath(str(tmp_path / "link"), "a.jpg", openat2=openat2)


@WAYS
def test_a_folder_that_is_exchanged_for_a_link_leads_nowhere(tmp_path: Path, *, openat2: bool) -> None:
    """With a plain open of the whole path, 4,883 of 20,000 tries read the file outside."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder, body in ((root / "sub", b"inside"), (outside, b"secret")):
        folder.mkdir(parents=True)
        (folder / "a.jpg").write_bytes(body)

    with exchanging(root, outside):
        found = {_read_or_nothing(root, "sub/a.jpg", openat2=openat2) for _ in range(_TRIES)}

    assert found <= {b"", b"inside"}


def _read_or_nothing(root: Path, name: str, *, openat2: bool) -> bytes:
    try:
        return _read(root, name, openat2=openat2)
    except OSError:
        return b""


@pytest.mark.parametrize("name", ["link.jpg", "fifo.jpg", "socket.jpg", "sub", "nothing.jpg"])
def test_only_a_regular_file_is_read(root: Path, name: str) -> None:
    for read in (open_regular, read_file):
        with pytest.raises(OSError, match=r"Errno"):
            read(str(root / name))
    assert read_file(str(root / "a.jpg")) == b"a.jpg"


@WAYS
def test_no_descriptor_is_left_open(root: Path, *, openat2: bool) -> None:
    before = os.listdir("/proc/self/fd")
    for name in ("a.jpg", "sub/inner/c.jpg", "fifo.jpg", "sub", "folder/b.jpg", "nothing.jpg", "sub/nothing/c.jpg"):
        _read_or_nothing(root, name, openat2=openat2)

    assert len(os.listdir("/proc/self/fd")) == len(before)
