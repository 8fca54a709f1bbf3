"""Where the bytes of an original go."""

import asyncio
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from imgcdn.core.interest import ALWAYS
from imgcdn.core.values import Source
from imgcdn.errors import Overloaded
from imgcdn.origins.base import Answer, Stop, Validators
from imgcdn.origins.fetching import Fetching
from imgcdn.origins.http import HttpFetcher
from tests.support.fetching import LOOP_ID, ORIGIN, admit_everything
from tests.support.stored import open_store


class _Full(HttpFetcher):
    """Writes to disks that are all full."""

    def fetch(self, source: Source, known: Validators | None, *, into: BinaryIO | None, stop: Stop) -> Answer:
        raise OSError(28, "No space left on device")


def test_an_original_that_no_disk_takes_can_be_requested_again_later(tmp_path: Path) -> None:
    async def scenario() -> Any:
        fetching = Fetching(ORIGIN, open_store(tmp_path / "cache"))
        fetcher = _Full(ORIGIN, judge=admit_everything, loop_id=LOOP_ID)
        with pytest.raises(Overloaded) as caught:
            await fetching.fetch(fetcher, Source("remote", "http://a.test/b.jpg"), None, ALWAYS)
        fetching.close()
        return caught.value

    error = asyncio.run(scenario())
    assert (error.http_status, error.retry_after_s) == (503, 10)
