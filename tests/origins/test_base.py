import gc
from pathlib import Path

import pytest

from imgcdn.origins.base import OriginalFile
from tests.support.brokers import beneath


@pytest.mark.parametrize("temporary", [False, True])
def test_only_a_temporary_file_is_removed_when_it_is_discarded(tmp_path: Path, temporary: bool) -> None:
    path = tmp_path / "original"
    path.write_bytes(b"an original")
    file = OriginalFile(beneath(path), temporary=temporary)
    for _ in range(2):
        file.discard()
        assert path.exists() is not temporary


@pytest.mark.parametrize("temporary", [False, True])
def test_only_a_temporary_file_is_removed_when_nothing_refers_to_it(tmp_path: Path, temporary: bool) -> None:
    path = tmp_path / "original"
    path.write_bytes(b"an original")
    file = OriginalFile(beneath(path), temporary=temporary)
    assert path.exists()
    del file
    gc.collect()

    assert path.exists() is not temporary
