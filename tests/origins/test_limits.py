"""Records that were made under other limits, judged by the present ones."""

from dataclasses import replace

import pytest

from imgcdn.core.values import Facts, FileStamp, OriginState, SourceRecord, Visit
from imgcdn.errors import ImageTooLarge
from imgcdn.origins.limits import OriginalLimits
from imgcdn.origins.settings import OriginSettings

RECORD = SourceRecord("ab", FileStamp(1000, 1, 2, 3), Facts("gif", (30, 20), 4, alpha=False))
REMOTE = replace(
    RECORD, origin=OriginState((Visit("https://a.test/", "192.0.2.1"),), (), 100.0, fresh_until=700.0, storable=True)
)
LIMITS = OriginalLimits(max_pixels=2_400, max_source_bytes=1_000, max_ttl_s=600)


def test_a_record_within_the_limits_stays_as_it_is() -> None:
    for record in (RECORD, REMOTE, SourceRecord("", FileStamp(0, 0, 0, 0), None)):
        assert LIMITS.check(LIMITS.applied_to(record)) is record


@pytest.mark.parametrize(
    ("limits", "limit", "unit"),
    [
        pytest.param(replace(LIMITS, max_pixels=599), 599, "pixels", id="a pixel more"),
        pytest.param(replace(LIMITS, max_source_bytes=999), 999, "bytes", id="a byte more"),
    ],
)
def test_an_original_above_a_limit_is_refused(limits: OriginalLimits, limit: int, unit: str) -> None:
    with pytest.raises(ImageTooLarge) as caught:
        limits.check(RECORD)
    assert (caught.value.limit, caught.value.unit) == (limit, unit)


@pytest.mark.parametrize(("max_pixels", "frames"), [(2_400, 4), (2_399, 1), (600, 1)])
def test_an_animation_with_more_pixels_becomes_a_still(max_pixels: int, frames: int) -> None:
    limits = replace(LIMITS, max_pixels=max_pixels)
    facts = limits.check(limits.applied_to(RECORD)).facts
    all_frames = 4 if frames == 1 else 0
    assert facts == replace(RECORD.facts, frames=frames, all_frames=all_frames)  # type: ignore[type-var]  # it has facts


def test_a_still_becomes_an_animation_again_when_the_limit_is_raised() -> None:
    facts = RECORD.facts
    assert facts is not None
    assert facts.within(600).within(2_400) == facts
    assert facts.within(600).within(2_399) == facts.within(600)


@pytest.mark.parametrize(("max_ttl_s", "fresh_until"), [(601, 700.0), (600, 700.0), (599, 699.0), (0, 100.0)])
def test_freshness_ends_with_max_ttl(max_ttl_s: float, fresh_until: float) -> None:
    origin = replace(LIMITS, max_ttl_s=max_ttl_s).applied_to(REMOTE).origin
    assert origin is not None
    assert origin.fresh_until == fresh_until


def test_the_limits_are_those_of_the_settings() -> None:
    settings = OriginSettings(max_pixels=1, max_source_bytes=2, max_ttl=3, default_ttl=3, min_ttl=3)
    assert OriginalLimits.of(settings) == OriginalLimits(1, 2, 3)
