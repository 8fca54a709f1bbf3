"""Files in the cache folder that are not what the store put there: links, FIFOs, and variants of other keys."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcdn.core.output.file_size import MOST_BYTES
from imgcdn.errors import ConfigError
from imgcdn.store.disk import DiskStore
from imgcdn.store.eviction import run_eviction
from imgcdn.store.files import path_stamp
from imgcdn.store.folder import Kept
from imgcdn.store.purging import remove_source
from tests.support.stored import RECORD, SOURCE, keep_original, key, open_store, publish, record_path, variant_path


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    """Replace a file by a link to itself, in another place: what it leads to would be accepted."""
    elsewhere = path.rename(path.parents[4] / f"elsewhere-{path.name}")
    path.symlink_to(elsewhere)


KINDS = pytest.mark.parametrize(
    "replace", [pytest.param(_fifo, id="a FIFO, which must not hang"), pytest.param(_link, id="a link")]
)


@KINDS
def test_a_variant_that_is_no_regular_file_is_missing_and_is_replaced(
    store: DiskStore, replace: Callable[[Path], None]
) -> None:
    publish(store)
    replace(variant_path(store))

    assert store.read(SOURCE, key(1), "webp") is None
    assert store.read(SOURCE, key(1), "webp", body=False) is None
    assert publish(store)
    assert store.read(SOURCE, key(1), "webp")
    assert not variant_path(store).is_symlink()


@KINDS
def test_a_record_that_is_no_regular_file_is_missing_and_is_replaced(
    store: DiskStore, replace: Callable[[Path], None]
) -> None:
    keep_original(store)
    replace(record_path(store))

    assert store.record(SOURCE) is None
    with store.open_folder(SOURCE) as folder:
        store.save_record(folder, RECORD)
    assert store.record(SOURCE) == RECORD


@KINDS
def test_a_copy_that_is_no_regular_file_is_missing(store: DiskStore, replace: Callable[[Path], None]) -> None:
    path = keep_original(store)
    replace(path)

    assert store.original(SOURCE) is None
    assert path_stamp(path) is None


@KINDS
def test_a_tag_that_is_no_regular_file_stops_the_start(store: DiskStore, replace: Callable[[Path], None]) -> None:
    tag = store.folder / "CACHEDIR.TAG"
    data = tag.read_bytes()
    tag.unlink()
    if replace is _fifo:
        os.mkfifo(tag)
        with pytest.raises(ConfigError, match="not imgcdn's"):
            open_store(store.folder)
    else:
        (store.folder.parent / "tag").write_bytes(data)
        tag.symlink_to(store.folder.parent / "tag")
        assert open_store(store.folder).degraded


def test_a_tag_that_was_not_finished_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("years of work")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "CACHEDIR.TAG.new").symlink_to(tmp_path / "precious")

    assert publish(open_store(tmp_path / "cache"))
    assert (tmp_path / "precious").read_text() == "years of work"


def test_variants_that_were_exchanged_are_misses_and_are_removed(store: DiskStore) -> None:
    for number in (1, 2):
        publish(store, number, b"picture %d" % number)
        assert store.read(SOURCE, key(number), "webp")
    one, two, aside = variant_path(store, 1), variant_path(store, 2), store.folder / "aside"
    for old, new in ((one, aside), (two, one), (aside, two)):
        old.rename(new)

    for number in (1, 2):
        assert store.read(SOURCE, key(number), "webp") is None
        assert not variant_path(store, number).exists()


def test_a_render_child_cannot_pass_one_variant_off_as_another(store: DiskStore) -> None:
    publish(store, 2)
    with store.open_folder(SOURCE) as folder:
        kept = store.keep(folder, str(variant_path(store, 2)), variant_path(store, 1).name, most_bytes=MOST_BYTES)

    assert kept == Kept(None, is_stored=False)
    assert store.read(SOURCE, key(1), "webp") is None


def _remove(path: Path) -> None:
    path.rmdir()


def _file(path: Path) -> None:
    path.rmdir()
    path.write_text("in the way")


def _folder_link(path: Path) -> None:
    path.rmdir()
    (path.parent.parent / "elsewhere").mkdir(exist_ok=True)
    path.symlink_to(path.parent.parent / "elsewhere")


@pytest.mark.parametrize("name", ["tmp", "trash"])
@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(_remove, id="removed"),
        pytest.param(_file, id="a file has its name"),
        pytest.param(_folder_link, id="a link has its name"),
    ],
)
def test_a_folder_that_is_lost_is_made_again(store: DiskStore, name: str, lose: Callable[[Path], None]) -> None:
    publish(store)
    lose(store.folder / name)

    assert run_eviction(store) if name == "trash" else True
    publish(store, 2)
    assert publish(store, 3)
    remove_source(store, SOURCE)
    assert store.read(SOURCE, key(3), "webp") is None
    assert not variant_path(store).parent.exists()
    assert store.degraded == ""
    assert run_eviction(store)
    assert store.degraded == ""


@pytest.mark.parametrize("lose", [_remove, _file, _folder_link], ids=["removed", "a file", "a link"])
def test_a_purge_works_without_a_trash_folder(store: DiskStore, lose: Callable[[Path], None]) -> None:
    publish(store)
    lose(store.folder / "trash")
    remove_source(store, SOURCE)

    assert not variant_path(store).parent.exists()
    assert store.degraded == ""


def test_what_is_in_the_way_of_a_folder_is_kept(store: DiskStore) -> None:
    _file(store.folder / "trash")
    run_eviction(store)

    [aside] = store.folder.glob("trash-*")
    assert aside.read_text() == "in the way"


def test_the_trash_is_emptied_of_whatever_is_in_it(store: DiskStore) -> None:
    trash = store.folder / "trash"
    (trash / "a file").write_text("purged")
    (trash / "a link").symlink_to(store.folder.parent)
    os.mkfifo(trash / "a FIFO")
    run_eviction(store)

    assert list(trash.iterdir()) == []
    assert store.folder.exists()
    assert store.degraded == ""
