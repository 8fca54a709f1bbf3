import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgcdn.core.values import FileStamp
from imgcdn.errors import SourceNotFound
from imgcdn.origins.local import LocalFiles
from imgcdn.store.files import file_stamp


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with everything in it that somebody could ask for, and things beside it that nobody may."""
    root = tmp_path / "assets"
    (root / "sub").mkdir(parents=True)
    (root / "cache" / "ab").mkdir(parents=True)
    (root / ".git").mkdir()
    private = tmp_path / "assets-private"
    private.mkdir()
    names = ("a.jpg", "sub/b.jpg", "ümläut 図.jpg", "%2e%2e", "a b+c&d.jpg", ".env", ".git/config", "cache/ab/x.webp")
    for path in (*(root / name for name in names), private / "secret.jpg"):
        path.write_bytes(b"bytes")
    links: dict[str, str | Path] = {
        "inside.jpg": "sub/b.jpg",
        "outside.jpg": private / "secret.jpg",
        "folder-outside": private,
        "folder-inside": "sub",
        "to-dot.jpg": ".env",
        "to-dot-folder.jpg": ".git/config",
        "to-cache.jpg": "cache/ab/x.webp",
        "null.jpg": "/dev/null",
        "dangling.jpg": "nowhere",
        "loop.jpg": "loop.jpg",
        "up.jpg": "../assets/a.jpg",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo.jpg")
    return root


@pytest.fixture
def files(root: Path) -> LocalFiles:
    return LocalFiles(root, hidden=[root / "cache"])


def _find(files: LocalFiles, location: str) -> tuple[FileStamp, Path]:
    """What a request does: both steps."""
    return files.stamp(location), files.resolve(location)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        pytest.param("a.jpg", "a.jpg", id="a file"),
        pytest.param("sub/b.jpg", "sub/b.jpg", id="in a folder"),
        pytest.param("ümläut 図.jpg", "ümläut 図.jpg", id="unicode"),
        pytest.param("a b+c&d.jpg", "a b+c&d.jpg", id="characters that URLs escape"),
        pytest.param("%2e%2e", "%2e%2e", id="nothing is decoded a second time"),
        pytest.param("inside.jpg", "sub/b.jpg", id="a link within the root"),
        pytest.param("folder-inside/b.jpg", "sub/b.jpg", id="through a linked folder within the root"),
        pytest.param("up.jpg", "a.jpg", id="a link that leaves the root and comes back"),
    ],
)
def test_a_file_beneath_the_root_is_found(files: LocalFiles, root: Path, location: str, target: str) -> None:
    stamp, path = _find(files, location)

    assert path == root / target
    assert stamp.size == 5


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("nothing.jpg", id="not there"),
        pytest.param("", id="empty"),
        pytest.param("..", id="the parent"),
        pytest.param(".", id="the root itself"),
        pytest.param("../assets-private/secret.jpg", id="up and down"),
        pytest.param("a/../b", id="up in the middle"),
        pytest.param("sub/../a.jpg", id="up in the middle, to a file that may be had"),
        pytest.param("./a.jpg", id="a dot segment"),
        pytest.param("sub/./b.jpg", id="a dot segment in the middle"),
        pytest.param("...", id="three dots"),
        pytest.param("/a.jpg", id="a leading slash"),
        pytest.param("a.jpg/", id="a trailing slash"),
        pytest.param("sub//b.jpg", id="an empty segment"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("//etc/passwd", id="absolute, two slashes"),
        pytest.param(".env", id="a dot file"),
        pytest.param(".git/config", id="in a dot folder"),
        pytest.param("a.jpg\x00.png", id="NUL"),
        pytest.param("sub\\b.jpg", id="a backslash"),
        pytest.param("..\\..\\etc\\passwd", id="backslashes up"),
        pytest.param("sub", id="a folder"),
        pytest.param("a.jpg/x", id="beneath a file"),
        pytest.param("fifo.jpg", id="a FIFO, which must not hang"),
        pytest.param("null.jpg", id="a link to a device"),
        pytest.param("outside.jpg", id="a link out of the root"),
        pytest.param("folder-outside/secret.jpg", id="a folder whose name begins like the root's"),
        pytest.param("to-dot.jpg", id="a link to a dot file"),
        pytest.param("to-dot-folder.jpg", id="a link into a dot folder"),
        pytest.param("cache/ab/x.webp", id="in the cache folder"),
        pytest.param("to-cache.jpg", id="a link into the cache folder"),
        pytest.param("dangling.jpg", id="a link to nothing"),
        pytest.param("loop.jpg", id="a link to itself"),
        pytest.param("x" * 300, id="a name longer than any file's"),
        pytest.param("/".join(["x" * 200] * 30), id="a path longer than any"),
        pytest.param("\ud800.jpg", id="half a surrogate pair"),
    ],
)
def test_nothing_else_is(files: LocalFiles, location: str) -> None:
    with pytest.raises(SourceNotFound) as caught:
        _find(files, location)
    assert "/" not in caught.value.detail, "no path is told"
    with pytest.raises(SourceNotFound):
        # Also without the stat before it.
        files.resolve(location) if location not in ("sub", "fifo.jpg") else _find(files, location)


@pytest.fixture
def socket_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(root)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
        yield "socket.jpg"


def test_a_socket_is_no_original(files: LocalFiles, socket_file: str) -> None:
    with pytest.raises(SourceNotFound):
        files.stamp(socket_file)


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert _find(LocalFiles(tmp_path / "link"), "a.jpg")[1] == root / "a.jpg"


def test_a_root_that_is_a_slash_works() -> None:
    location = os.path.realpath(os.__file__).lstrip("/")
    if any(part.startswith(".") for part in location.split("/")):
        location = "etc/passwd"
    assert LocalFiles(Path("/")).resolve(location).is_file()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_bytes(b"other"), id="written again with as many bytes"),
        pytest.param(lambda path: path.touch(), id="touched"),
        pytest.param(lambda path: os.chmod(path, 0o600), id="its mode changed"),
        pytest.param(lambda path: os.replace(path.parent / "sub" / "b.jpg", path), id="replaced by another file"),
    ],
)
def test_a_stamp_tells_a_file_from_a_changed_one_whose_size_and_time_are_put_back(
    files: LocalFiles, root: Path, change: object
) -> None:
    path = root / "a.jpg"
    os.utime(path, ns=(0, 0))
    before = files.stamp("a.jpg")
    _tick(path)
    assert callable(change)
    change(path)
    os.utime(path, ns=(0, 0))
    after = files.stamp("a.jpg")

    assert (before.size, before.mtime_ns) == (after.size, after.mtime_ns)
    assert before != after


def _tick(path: Path) -> None:
    """Wait until the file system's clock has moved on from a file's change."""
    probe = path.parent / "clock"
    while True:
        probe.write_bytes(b"")
        if probe.stat().st_ctime_ns > path.stat().st_ctime_ns:
            return


def test_an_open_file_has_the_stamp_of_its_name(files: LocalFiles, root: Path) -> None:
    with open(root / "a.jpg", "rb") as file:
        assert file_stamp(file.fileno()) == files.stamp("a.jpg")
