import pytest

from imgcdn.core.encoders.quantisation import table_quality, tables


@pytest.mark.parametrize(
    ("quality", "full_chroma", "expected"),
    [
        pytest.param(1, False, 1, id="lowest"),
        pytest.param(75, False, 79.2, id="a point of the curve for 4:2:0"),
        pytest.param(75, True, 77.1, id="the same q at 4:4:4"),
        pytest.param(25, False, 29.15, id="half-way between two points"),
        pytest.param(100, True, 100, id="highest"),
    ],
)
def test_the_quality_of_our_tables_follows_its_curve(quality: int, full_chroma: bool, expected: float) -> None:
    assert table_quality(quality, full_chroma=full_chroma) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("own", "luma"),
    [
        pytest.param(1, (255, 255, 255), id="no step is above 255"),
        pytest.param(25, (16, 40, 248), id="below 50: twice the steps"),
        pytest.param(50, (8, 20, 124), id="at 50: the steps at full scale"),
        pytest.param(75, (4, 10, 62), id="above 50: half the steps"),
        pytest.param(100, (1, 1, 1), id="no step is below 1"),
    ],
)
def test_the_steps_scale_with_the_quality(own: float, luma: tuple[int, int, int]) -> None:
    table = tables(own, full_chroma=False)[0]

    assert (table[0], table[1], table[63]) == luma
    assert table[1] == table[8]
    assert all(table[place] <= table[place + 1] for place in range(63) if place % 8 < 7)


def test_chroma_is_coarser_only_at_full_resolution() -> None:
    luma, halved = tables(50, full_chroma=False)
    full_luma, full = tables(50, full_chroma=True)

    assert halved == luma == full_luma
    assert (full[0], full[1], full[63]) == (12, 30, 186)
