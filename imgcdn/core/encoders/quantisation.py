"""Quantisation tables for JPEG. They save a sixth of the bytes at the same look, and cost no time."""

from imgcdn.core.encoders.quality import on_curve

# Steps at full scale: a fine one for the DC coefficient (the mean of a block), and coarser ones for higher frequencies.
# They were chosen by SSIMULACRA2 (docs/quality.md). libjpeg's standard tables are the examples of T.81, annex K, which
# is older than any such measure.
_DC, _LOWEST, _SLOPE = 8, 12, 8

# Factor for the steps of chroma at full resolution, where chroma has four times as many blocks.
_FULL_CHROMA = 1.5

_LARGEST_STEP = 255

# For each q of FITTED_Q: the quality of these tables, at 4:2:0 and at 4:4:4, that looks like libjpeg's standard tables
# at 4:2:0 and that q.
_HALVED_CURVE = (1, 20.9, 37.4, 50.1, 61.4, 68.4, 74.2, 79.2, 83.2, 87.2, 91.2, 95.3, 100)
_FULL_CURVE = (1, 24.2, 44.7, 56, 62.8, 67.8, 72.8, 77.1, 81, 85, 89.4, 93.6, 100)


def table_quality(quality: int, *, full_chroma: bool) -> float:
    """Return the quality to ask of these tables for the look of libjpeg's standard tables at `quality` and 4:2:0."""
    return on_curve(_FULL_CURVE if full_chroma else _HALVED_CURVE, quality)


def tables(quality: float, *, full_chroma: bool) -> list[list[int]]:
    """
    Return the luma and the chroma table, of 64 steps each.

    Args:
        quality: Quality of these tables, 1 to 100; a result of `table_quality`.
        full_chroma: Whether chroma is coded as 4:4:4.
    """
    # libjpeg's formula (jpeg_quality_scaling).
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    return [_table(scale), _table(scale * (_FULL_CHROMA if full_chroma else 1))]


def _table(scale: float) -> list[int]:
    steps = [_LOWEST + _SLOPE * (row + column) for row in range(8) for column in range(8)]
    steps[0] = _DC
    return [max(1, min(_LARGEST_STEP, round(step * scale))) for step in steps]
