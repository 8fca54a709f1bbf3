"""Fuzz targets in the cache folder: records and variants, as a failing disk may leave them."""

import contextlib
import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from imgcdn.core.output.formats import FORMATS, OUTPUTS
from imgcdn.core.values import Facts, OriginState, Previous, SourceRecord, Visit
from imgcdn.store.files import HEADER_BYTES, pack_record, read_variant, unpack_record, unpack_variant
from tests.fuzz.target import Check, Target, ready, spliced
from tests.support.stored import RECORD, key, variant_file

_KEY = key(1)
_VARIANTS = [variant_file(), variant_file(b""), variant_file(bytes(300_000))]
_ORIGIN = OriginState(
    (Visit("https://a.example/b.jpg", "192.0.2.1"),), (("etag", '"1"'),), 1.0, 2.0, storable=True, seen=("1",)
)
_PREVIOUS = Previous("34" * 32, Facts("gif", (3, 2), 5, alpha=True), 1.5)
_RECORDS = [
    pack_record(record)
    for record in (
        RECORD,
        SourceRecord("", RECORD.stamp, None, RECORD.negative, _ORIGIN),
        replace(RECORD, origin=_ORIGIN, previous=_PREVIOUS),
    )
]


def _damaged(files: list[bytes]) -> SearchStrategy[bytes]:
    return spliced(st.sampled_from(files), st.binary(max_size=8))


def _sealed(data: bytes) -> bytes:
    """Give a record a right checksum, as if its writer were at fault and not the disk."""
    head, _, text = data.partition(b"\n")
    return b"%s %08x\n%s" % (head.rpartition(b" ")[0], zlib.crc32(text), text)


def _check_record(data: bytes) -> None:
    record = unpack_record(data)
    if record is None:
        return
    assert unpack_record(pack_record(record)) == record
    for each in (record, record.previous):
        facts = None if each is None else each.facts
        assert facts is None or (facts.format in FORMATS and min(*facts.size, facts.frames) > 0)


@contextlib.contextmanager
def _open_variants() -> Iterator[Check[bytes]]:
    bodies = {file[HEADER_BYTES:] for file in _VARIANTS}
    with tempfile.TemporaryDirectory(prefix="imgcdn-fuzz-") as folder:
        path = Path(folder, "variant")

        def check(data: bytes) -> None:
            path.write_bytes(data)
            fd = os.open(path, os.O_RDONLY)
            try:
                for variant in (
                    unpack_variant(data, len(data), key=_KEY),
                    read_variant(fd, len(data), key=_KEY, known=None),
                ):
                    if variant is not None:
                        body = variant.body[:]
                        assert variant.format in OUTPUTS
                        assert hashlib.sha256(body).digest() == variant.digest
                        assert body in bodies, "a damaged body passed for whole"
            finally:
                os.close(fd)

        yield check


RECORDS = Target("records", _damaged(_RECORDS) | _damaged(_RECORDS).map(_sealed), ready(_check_record))
VARIANTS = Target("variants", _damaged(_VARIANTS), _open_variants)
