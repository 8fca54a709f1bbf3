from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.output.geometry import compose, swaps_axes, turned_size

orientations = st.integers(1, 8)


# A picture of 2 x 3 distinct pixels, and each orientation as EXIF 2.32 words it: where the stored picture's first row
# and first column are seen.
def _seen(rows: list[str], orientation: int) -> list[str]:
    columns = ["".join(row[x] for row in rows) for x in range(len(rows[0]))]
    return {
        1: rows,
        2: [row[::-1] for row in rows],
        3: [row[::-1] for row in rows[::-1]],
        4: rows[::-1],
        5: columns,
        6: [column[::-1] for column in columns],
        7: [column[::-1] for column in columns[::-1]],
        8: columns[::-1],
    }[orientation]


@given(first=orientations, then=orientations)
def test_composed_orientations_move_pixels_as_one_after_the_other(first: int, then: int) -> None:
    picture = ["ab", "cd", "ef"]

    assert _seen(_seen(picture, first), then) == _seen(picture, compose(first, then))


@given(orientation=orientations)
def test_an_orientation_swaps_the_edges_it_swaps(orientation: int) -> None:
    seen = _seen(["ab", "cd", "ef"], orientation)

    assert turned_size((2, 3), orientation) == (len(seen[0]), len(seen))
    assert swaps_axes(orientation) is (len(seen) == 2)


@given(orientation=orientations)
def test_every_orientation_can_be_undone(orientation: int) -> None:
    assert 1 in {compose(orientation, other) for other in range(1, 9)}
    assert compose(orientation, 1) == compose(1, orientation) == orientation
