import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from imgcdn.core.output.file_size import MOST_BYTES
from imgcdn.errors import ConfigError
from imgcdn.store.disk import DiskStore
from imgcdn.store.files import HEADER_BYTES, LARGE_BYTES
from imgcdn.store.purging import remove_source
from imgcdn.store.usage import TOUCH_AFTER_S
from tests.support.stored import (
    NAME,
    OTHER_SOURCE,
    RECORD,
    SOURCE,
    key,
    open_store,
    publish,
    record_path,
    variant_file,
    variant_path,
)


def _reopen(store: DiskStore) -> DiskStore:
    """Open the store again, as another process or the same one after a restart would."""
    return open_store(store.folder, max_bytes=store.max_bytes)


def test_a_published_variant_can_be_read(store: DiskStore) -> None:
    assert publish(store, body=b"a picture")
    variant = store.read(SOURCE, key(1), "webp")

    assert variant
    assert variant.body == b"a picture"
    assert store.degraded == ""


class TestALargeBody:
    BODY = os.urandom(LARGE_BYTES) + b"the end"

    def test_it_stays_on_disk_and_is_read_in_slices(self, store: DiskStore) -> None:
        publish(store, body=self.BODY)
        for variant in (store.read(SOURCE, key(1), "webp"), _reopen(store).read(SOURCE, key(1), "webp")):
            assert variant
            assert not isinstance(variant.body, bytes)
            assert (len(variant.body), variant.length) == (len(self.BODY), len(self.BODY))
            for span in (slice(None), slice(0, 10), slice(-7, None), slice(1000, 99_000), slice(9, 10**9), slice(5, 5)):
                assert variant.body[span] == self.BODY[span]

    @pytest.mark.parametrize(
        ("more", "large"), [pytest.param(0, False, id="at the limit"), pytest.param(1, True, id="a byte more")]
    )
    def test_it_begins_above_a_limit_for_the_whole_file(self, store: DiskStore, more: int, *, large: bool) -> None:
        publish(store, body=self.BODY[: LARGE_BYTES - HEADER_BYTES + more])
        impatient = store.read(SOURCE, key(1), "webp", patient=False)
        variant = store.read(SOURCE, key(1), "webp")

        assert (impatient is None) is large
        assert variant
        assert isinstance(variant.body, bytes) is not large

    def test_it_is_not_hashed_for_an_impatient_reader(self, store: DiskStore) -> None:
        publish(store, body=self.BODY)
        assert store.read(SOURCE, key(1), "webp", patient=False) is None
        assert store.read(SOURCE, key(1), "webp")
        assert store.read(SOURCE, key(1), "webp", patient=False)

    def test_it_can_be_read_after_its_file_is_gone_and_closes_its_descriptor(self, store: DiskStore) -> None:
        publish(store, body=self.BODY)
        before = sorted(os.listdir("/proc/self/fd"))
        variant = store.read(SOURCE, key(1), "webp")
        remove_source(store, SOURCE)
        assert variant
        assert variant.body[:] == self.BODY
        del variant
        assert sorted(os.listdir("/proc/self/fd")) == before

    def test_a_file_that_is_truncated_later_is_an_error(self, store: DiskStore) -> None:
        publish(store, body=self.BODY)
        variant = store.read(SOURCE, key(1), "webp")
        os.truncate(variant_path(store), 1000)
        assert variant
        with pytest.raises(OSError, match="too early"):
            variant.body[:]


def test_a_variant_and_a_record_survive_a_restart(store: DiskStore) -> None:
    publish(store, body=b"a picture")
    with store.open_folder(SOURCE) as folder:
        store.save_record(folder, RECORD)
    later = _reopen(store)
    variant = later.read(SOURCE, key(1), "webp")

    assert variant
    assert variant.body == b"a picture"
    assert later.record(SOURCE) == RECORD


def test_only_the_header_is_checked_when_no_body_is_requested(store: DiskStore) -> None:
    publish(store, body=b"a picture")
    store.read(SOURCE, key(1), "webp")
    header = store.read(SOURCE, key(1), "webp", body=False)

    assert header
    assert (header.body, header.length) == (b"", 9)


@pytest.mark.parametrize(
    ("source", "number", "name"),
    [(SOURCE, 2, "webp"), (SOURCE, 1, "avif"), (OTHER_SOURCE, 1, "webp")],
    ids=["a different variant", "a different format", "a different source"],
)
def test_a_missing_variant_is_a_miss(store: DiskStore, source: str, number: int, name: str) -> None:
    publish(store)
    assert store.read(source, key(number), name) is None


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="0 bytes"),
        pytest.param(lambda data: data[:1], id="1 byte"),
        pytest.param(lambda data: data[: HEADER_BYTES - 1], id="most of a header"),
        pytest.param(lambda data: data[:HEADER_BYTES], id="a header alone"),
        pytest.param(lambda data: data[:-1], id="all but the last byte"),
        pytest.param(lambda data: data + b"\0", id="a byte too many"),
        pytest.param(lambda data: b"\0" * len(data), id="zeros, as after a power cut"),
        pytest.param(lambda data: data[:20] + b"\xff" + data[21:], id="a header with a flipped byte"),
        pytest.param(lambda data: data[:-1] + b"\xff", id="a body with a flipped byte"),
    ],
)
@pytest.mark.parametrize("length", [7, LARGE_BYTES], ids=["small", "large"])
@pytest.mark.parametrize("body", [True, False], ids=["for its body", "for its header"])
def test_a_damaged_variant_is_a_miss_and_is_removed(
    store: DiskStore, damage: Callable[[bytes], bytes], length: int, *, body: bool
) -> None:
    publish(store, body=bytes(length))
    path = variant_path(store)
    path.write_bytes(damage(path.read_bytes()))

    assert store.read(SOURCE, key(1), "webp", body=body) is None
    assert not path.exists()


@pytest.mark.parametrize("data", [b"", b"garbage", b"imgcdn-record 9 00000000\n{}"], ids=["empty", "garbage", "layout"])
def test_a_damaged_record_is_ignored_and_removed(store: DiskStore, data: bytes) -> None:
    publish(store)
    record_path(store).write_bytes(data)

    assert store.record(SOURCE) is None
    assert not record_path(store).exists()


def test_a_good_file_that_is_published_while_a_damaged_one_is_read_stays(store: DiskStore) -> None:
    publish(store)
    path = variant_path(store)
    path.write_bytes(variant_file(b"damaged")[:-1])
    fd = os.open(path, os.O_RDONLY)
    try:
        publish(store, body=b"good")
        assert store._read_open(fd, str(path), key(1), body=True, patient=True) is None
    finally:
        os.close(fd)
    found = store.read(SOURCE, key(1), "webp")
    assert found
    assert found.body == b"good"


def test_a_body_is_hashed_once_and_again_when_its_file_changes(store: DiskStore) -> None:
    publish(store, body=b"picture")
    path = variant_path(store)
    store.read(SOURCE, key(1), "webp")
    stat, data = path.stat(), path.read_bytes()
    path.write_bytes(data[:-1] + b"!")

    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    unhashed = store.read(SOURCE, key(1), "webp")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))

    assert unhashed, "with the same inode and time, the hash is not computed again"
    assert store.read(SOURCE, key(1), "webp") is None


def test_a_record_that_was_replaced_is_read_again(store: DiskStore) -> None:
    other = _reopen(store)
    for count in range(20):
        record = replace(RECORD, version=f"{count:064x}")
        with store.open_folder(SOURCE) as folder:
            store.save_record(folder, record)
        assert store.record(SOURCE) == record
    assert other.record(SOURCE) == record


class TestLastUse:
    @pytest.mark.parametrize("body", [True, False], ids=["the body", "the header"])
    def test_it_is_updated_at_most_once_an_hour(self, tmp_path: Path, *, body: bool) -> None:
        now = [0.0]
        store = open_store(tmp_path / "cache", max_bytes=10**6, clock=lambda: now[0])
        publish(store)
        published = variant_path(store).stat().st_mtime
        seen = []
        for later in (0, TOUCH_AFTER_S - 1, TOUCH_AFTER_S + 1, 2 * TOUCH_AFTER_S, 2 * TOUCH_AFTER_S + 2):
            now[0] = published + later
            assert store.read(SOURCE, key(1), "webp", body=body)
            store.usage.write()
            seen.append(round(variant_path(store).stat().st_mtime - published))

        hour = TOUCH_AFTER_S
        assert seen == [0, 0, hour + 1, hour + 1, 2 * hour + 2]


class TestAdoption:
    def test_a_new_folder_is_tagged_for_backup_tools(self, store: DiskStore) -> None:
        tag = (store.folder / "CACHEDIR.TAG").read_bytes()
        assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")

    def test_an_empty_folder_becomes_a_cache(self, tmp_path: Path) -> None:
        (tmp_path / "cache").mkdir()
        assert publish(open_store(tmp_path / "cache", max_bytes=10**6))

    def test_a_folder_with_other_files_is_refused_and_not_changed(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(ConfigError, match="cache_dir"):
            open_store(tmp_path, max_bytes=10**6)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    def test_the_cache_of_another_program_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n# pip\n")
        with pytest.raises(ConfigError, match="another program"):
            open_store(tmp_path, max_bytes=10**6)

    def test_a_folder_whose_first_start_was_killed_can_still_become_a_cache(self, tmp_path: Path) -> None:
        (tmp_path / "CACHEDIR.TAG.new").write_bytes(b"Sig")
        assert publish(open_store(tmp_path, max_bytes=10**6))

    def test_many_processes_can_start_at_once(self, tmp_path: Path) -> None:
        def start(_: int) -> DiskStore:
            return open_store(tmp_path / "cache", max_bytes=10**6)

        with ThreadPoolExecutor(8) as pool:
            stores = list(pool.map(start, range(16)))
        publish(stores[0])

        assert all(store.read(SOURCE, key(1), "webp") for store in stores)
        assert len(list((tmp_path / "cache").glob("tree-*"))) == 1

    def test_a_limit_of_0_writes_nothing(self, tmp_path: Path) -> None:
        store = open_store(tmp_path / "cache", max_bytes=0)
        kept = publish(store)
        with store.open_folder(SOURCE) as folder:
            store.save_record(folder, RECORD)

        assert not kept
        assert store.record(SOURCE) == RECORD
        assert (store.degraded, list(tmp_path.iterdir())) == ("", [])

    def test_a_limit_of_0_ignores_existing_variants(self, store: DiskStore) -> None:
        publish(store)
        assert open_store(store.folder, max_bytes=0).read(SOURCE, key(1), "webp") is None


class TestPurgeRace:
    def test_a_purge_makes_a_missing_trash_folder(self, store: DiskStore) -> None:
        publish(store)
        (store.folder / "trash").rmdir()
        remove_source(store, SOURCE)
        assert not variant_path(store).exists()
        assert len(list((store.folder / "trash").iterdir())) == 1
        assert store.degraded == ""

    def test_a_flight_that_began_before_a_purge_publishes_into_the_purged_folder(self, store: DiskStore) -> None:
        temp = store.temp_path()
        assert temp
        with store.open_folder(SOURCE) as folder:
            variant_path(store).parent.rename(store.folder / "trash" / "purged")
            Path(temp).write_bytes(variant_file())
            kept = folder.publish(temp, "name")

        assert kept
        assert (store.folder / "trash" / "purged" / "name").exists()
        assert not variant_path(store).parent.exists()

    def test_publishing_into_a_removed_folder_stores_nothing_and_is_not_a_fault(self, store: DiskStore) -> None:
        temp = store.temp_path()
        assert temp
        Path(temp).write_bytes(variant_file())
        with store.open_folder(SOURCE) as folder:
            variant_path(store).parent.rmdir()
            variant, is_stored = store.keep(folder, temp, NAME, most_bytes=MOST_BYTES)

        assert not is_stored
        assert variant
        assert variant.body == b"picture"
        assert store.degraded == ""
        assert not Path(temp).exists()

    def test_a_record_for_a_removed_folder_leaves_nothing_in_memory_or_on_disk(self, store: DiskStore) -> None:
        with store.open_folder(SOURCE) as folder:
            shutil.rmtree(variant_path(store).parent)
            store.save_record(folder, RECORD)

        assert store.record(SOURCE) is None, "what is purged must not come back from memory"
        assert list((store.folder / "tmp").iterdir()) == []


def test_no_descriptor_is_left_open(store: DiskStore) -> None:
    before = len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))
    for number in range(20):
        publish(store, number)
        store.read(SOURCE, key(number), "webp")
        store.read(SOURCE, key(number + 100), "webp")
        with store.open_folder(SOURCE) as folder:
            store.save_record(folder, RECORD)
    after = len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))

    assert after == before
