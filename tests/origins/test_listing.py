"""The pictures that the welcome page and the command line show."""

import os
import time
from pathlib import Path

from imgcdn.origins.listing import first_pictures


def _put(root: Path, *names: str | bytes) -> None:
    for name in names:
        path = os.path.join(os.fsencode(root), name if isinstance(name, bytes) else name.encode())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass


def test_pictures_are_files_with_the_extension_of_a_format(tmp_path: Path) -> None:
    _put(tmp_path, "b.png", "a.jpg", "Z.JPEG", ".hidden.jpg", "notes.txt", "jpg", "album.jpg/c.webp")
    assert first_pictures(tmp_path, 9) == ["Z.JPEG", "a.jpg", "b.png", "album.jpg/c.webp"]
    assert first_pictures(tmp_path / "nowhere", 9) == []


def test_each_folder_has_its_turn(tmp_path: Path) -> None:
    _put(tmp_path, *(f"{number}.jpg" for number in range(9)), "y/1.jpg", "y/2.jpg", "x/deep/1.jpg", ".git/1.jpg")
    assert first_pictures(tmp_path, 4) == ["0.jpg", "1.jpg", "y/1.jpg", "x/deep/1.jpg"]


def test_names_that_no_url_has_are_left_out(tmp_path: Path) -> None:
    _put(tmp_path, "ü b.jpg", b"\xff.jpg", b"\xff/a.jpg", "new\nline.jpg", "back\\slash.jpg", "a?b.jpg", '"<b>&.jpg')
    _put(tmp_path, "9.41.00\u202fAM.png", "\x85.jpg", "http:/a.jpg")
    assert first_pictures(tmp_path, 9) == ['"<b>&.jpg', "9.41.00\u202fAM.png", "a?b.jpg", "ü b.jpg"]


def test_links_out_of_the_folder_and_caches_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    _put(tmp_path, "secret/a.jpg")
    _put(root, "a.jpg", "cache/CACHEDIR.TAG", "cache/b.webp", "cache/x/c.webp")
    (root / "inside.jpg").symlink_to("a.jpg")
    (root / "outside.jpg").symlink_to(tmp_path / "secret" / "a.jpg")
    (root / "nowhere.jpg").symlink_to("gone.jpg")
    (root / "folder").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root)
    assert first_pictures(root, 9) == ["a.jpg", "inside.jpg"]


def test_a_large_tree_takes_no_long_time(tmp_path: Path) -> None:
    _put(tmp_path, *(f"{number % 300}/{number}/a.jpg" for number in range(3_000)))
    _put(tmp_path, *(f"flat/{number}.jpg" for number in range(10_000)))
    began = time.monotonic()
    assert len(first_pictures(tmp_path, 12)) == 12
    assert time.monotonic() - began < 2
