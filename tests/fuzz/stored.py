"""Fuzz targets in the cache folder: records and variants, as a failing disk may leave them."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from imgcdn.core.output.formats import OUTPUTS
from imgcdn.core.values import OriginState, SourceRecord, Visit
from imgcdn.store.files import HEADER_BYTES, pack_record, read_variant, unpack_record, unpack_variant
from tests.fuzz.target import Check, Target, ready, spliced
from tests.support.stored import RECORD, key, variant_file

_KEY = key(1)
_VARIANTS = [variant_file(), variant_file(b""), variant_file(bytes(300_000))]
_ORIGIN = OriginState(
    (Visit("https://a.example/b.jpg", "192.0.2.1"),), (("etag", '"1"'),), 1.0, 2.0, storable=True, seen=("1",)
)
_RECORDS = [pack_record(RECORD), pack_record(SourceRecord("", RECORD.stamp, None, RECORD.negative, _ORIGIN))]


def _damaged(files: list[bytes]) -> SearchStrategy[bytes]:
    return spliced(st.sampled_from(files), st.binary(max_size=8))


def _check_record(data: bytes) -> None:
    record = unpack_record(data)
    assert record is None or unpack_record(pack_record(record)) == record


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


RECORDS = Target("records", _damaged(_RECORDS), ready(_check_record))
VARIANTS = Target("variants", _damaged(_VARIANTS), _open_variants)
