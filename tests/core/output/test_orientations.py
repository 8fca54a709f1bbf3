from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.output.geometry import compose, swaps_axes, turned_size

orientations = st.integers(1, 8)


# The definition in EXIF 2.32: an orientation says where a viewer sees the first row and column of the stored picture.
def _show(rows: list[str], orientation: int) -> list[str]:
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
def test_a_composed_orientation_moves_pixels_as_the_two_in_turn(first: int, then: int) -> None:
    picture = ["ab", "cd", "ef"]

    assert _show(_show(picture, first), then) == _show(picture, compose(first, then))


@given(orientation=orientations)
def test_an_orientation_swaps_width_and_height_when_the_shown_picture_does(orientation: int) -> None:
    seen = _show(["ab", "cd", "ef"], orientation)

    assert turned_size((2, 3), orientation) == (len(seen[0]), len(seen))
    assert swaps_axes(orientation) is (len(seen) == 2)


@given(orientation=orientations)
def test_every_orientation_can_be_undone(orientation: int) -> None:
    assert 1 in {compose(orientation, other) for other in range(1, 9)}
    assert compose(orientation, 1) == compose(1, orientation) == orientation
