from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imgcdn.core.output.geometry import Fit, Size, plan_resize
from imgcdn.markup.layout import LADDER, Candidates, Layout, candidates_for, slot_for

STEPS = (100, 200, 400, 800, 1600)


def make(width: int | None = None, height: int | None = None, source: Size | None = None, **more: Any) -> Candidates:
    fit = more.pop("fit", None)
    slot = slot_for(width, height, source_size=source, fit=fit, max_dimension=8192)
    return candidates_for(slot, **{"layout": "constrained", "ladder": STEPS, **more})


@pytest.mark.parametrize(
    ("found", "widths", "sizes"),
    [
        pytest.param(
            make(300),
            (100, 200, 300, 400, 600),
            "(min-width: 300px) 300px, 100vw",
            id="constrained: up to twice the width",
        ),
        pytest.param(
            make(300, source=(450, 300)),
            (100, 200, 300, 400, 450),
            "(min-width: 300px) 300px, 100vw",
            id="constrained: no wider than the source",
        ),
        pytest.param(
            make(300, source=(150, 100)),
            (100, 150),
            "(min-width: 300px) 300px, 100vw",
            id="constrained: a source narrower than the slot",
        ),
        pytest.param(
            make(source=(250, 100)),
            (100, 200, 250),
            "(min-width: 250px) 250px, 100vw",
            id="constrained: the source's",
        ),
        pytest.param(
            make(height=100, source=(900, 300)),
            (100, 200, 300, 400, 600),
            "(min-width: 300px) 300px, 100vw",
            id="constrained: the height gives the width",
        ),
        pytest.param(make(layout="full-width"), STEPS, "100vw", id="full-width: the ladder"),
        pytest.param(
            make(layout="full-width", source=(500, 300)),
            (100, 200, 400, 500),
            "100vw",
            id="full-width: the source's",
        ),
        pytest.param(make(layout="full-width", source=(50, 30)), (50,), "100vw", id="full-width: a small source"),
        pytest.param(make(300, layout="fixed"), (300, 600), "300px", id="fixed: once and twice the width"),
        pytest.param(make(300, source=(500, 9), layout="fixed"), (300, 500), "300px", id="fixed: the source's"),
        pytest.param(make(300, source=(200, 9), layout="fixed"), (200,), "300px", id="fixed: a small source"),
        pytest.param(make(300, layout="none"), (), "", id="none: no srcset"),
        pytest.param(
            make(300, densities=(1, 1.5, 3)),
            (300, 450, 900),
            "(min-width: 300px) 300px, 100vw",
            id="densities instead of the layout's",
        ),
        pytest.param(make(300, densities=(2, 1), layout="none"), (300, 600), "300px", id="none with densities"),
        pytest.param(make(widths=(9, 5, 9), layout="none"), (5, 9), "100vw", id="none with widths"),
        pytest.param(make(widths=(5, 9), sizes="10vw"), (5, 9), "10vw", id="widths and sizes need no width"),
        pytest.param(make(8000, layout="fixed"), (8000, 8192), "8000px", id="no wider than the service allows"),
        pytest.param(
            make(300, 300, source=(900, 400), layout="fixed", fit="cover"),
            (300, 400),
            "300px",
            id="cover: height of the box",
        ),
    ],
)
def test_a_layout_offers_candidates(found: Candidates, widths: tuple[int, ...], sizes: str) -> None:
    assert (found.widths, found.sizes) == (widths, sizes)


@pytest.mark.parametrize(
    ("found", "fallback"),
    [
        pytest.param(make(300), 300, id="the width requested"),
        pytest.param(make(300, widths=(200, 400, 800)), 400, id="no such candidate: the next wider one"),
        pytest.param(make(300, widths=(100, 200)), 200, id="no wider candidate: the widest"),
        pytest.param(
            make(source=(1600, 900), widths=(400, 800, 1600), sizes="50vw"), 800, id="no width: the middle one"
        ),
        pytest.param(make(300, layout="none", source=(200, 100)), 200, id="no srcset: at most the width of the source"),
        pytest.param(make(layout="none"), None, id="layout none has no fallback width"),
    ],
)
def test_a_client_that_does_not_read_srcset_gets_one_candidate(found: Candidates, fallback: int | None) -> None:
    assert found.fallback == fallback


@pytest.mark.parametrize(
    ("size", "source", "fit", "expected"),
    [
        pytest.param((300, None), None, None, (300, None), id="size of the source unknown"),
        pytest.param((300, None), (600, 401), None, (300, 201), id="height computed from the width"),
        pytest.param((None, 200), (600, 401), None, (299, 200), id="width computed from the height"),
        pytest.param((None, None), (600, 401), None, (600, 401), id="size of the source"),
        pytest.param((300, 300), (600, 400), None, (300, 300), id="a box"),
        pytest.param((300, 300), (600, 400), "contain", (300, 200), id="contain box"),
        pytest.param((900, 900), (600, 400), "contain", (900, 600), id="contain box larger than the source"),
    ],
)
def test_the_tag_reserves_space_for_the_picture(
    size: tuple[int | None, int | None], source: Size | None, fit: str | None, expected: tuple[int, int | None]
) -> None:
    slot = slot_for(*size, source_size=source, fit=fit, max_dimension=8192)
    assert (slot.width, slot.height) == expected


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param({"width": 0}, "width must be a whole number", id="width 0"),
        pytest.param({"width": 8193}, "width must be a whole number", id="a width above max_dimension"),
        pytest.param({"widths": (1_000_001,)}, "each of widths must be", id="a width above a million"),
        pytest.param({"layout": "responsive", "width": 9}, "layout must be one of constrained", id="unknown layout"),
        pytest.param({}, "layout 'constrained' needs width", id="constrained without width"),
        pytest.param({"layout": "fixed"}, "layout 'fixed' needs width", id="fixed without width"),
        pytest.param({"widths": (1, 2)}, "layout 'constrained' without sizes needs width", id="widths without sizes"),
        pytest.param({"densities": (1, 2), "layout": "none"}, "densities needs width", id="densities without width"),
        pytest.param({"widths": ()}, "widths is empty", id="no widths"),
        pytest.param({"widths": (0,)}, "each of widths must be", id="a width of 0"),
        pytest.param({"width": 9, "densities": ()}, "densities must be", id="no densities"),
        pytest.param({"width": 9, "densities": (1, -1)}, "densities must be", id="a negative density"),
        pytest.param({"width": 9, "densities": (0,)}, "densities must be", id="a density of 0"),
        pytest.param({"width": 9, "densities": (10.5,)}, "densities must be", id="a density above 10"),
        pytest.param({"width": 9, "densities": (float("nan"),)}, "densities must be", id="not a number"),
        pytest.param({"width": 9, "widths": (1,), "densities": (1,)}, "not both", id="widths and densities"),
        pytest.param({"width": 9, "height": 9, "fit": "contain"}, "needs source_size", id="contain, ratio unknown"),
        pytest.param({"height": 9, "layout": "full-width"}, "height needs width", id="a height alone"),
        pytest.param({"width": 9, "source": (0, 5)}, "each edge of source_size", id="an empty source"),
        pytest.param({"width": 9, "source": (1, 2, 3)}, "source_size must be", id="a source of three edges"),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make(**arguments)


_EDGES = st.integers(1, 9000)
_LAYOUTS: st.SearchStrategy[Layout] = st.sampled_from(["constrained", "full-width", "fixed"])


@given(
    box=st.tuples(st.integers(1, 8192), st.none() | st.integers(1, 8192)),
    source=st.tuples(_EDGES, _EDGES),
    layout=_LAYOUTS,
    fit=st.sampled_from(["contain", "cover", "fill", None]),
    widths=st.none() | st.lists(_EDGES, min_size=1, max_size=5),
)
def test_candidates_ascend_and_are_as_wide_as_the_srcset_says(
    box: tuple[int, int | None], source: Size, layout: Layout, fit: str | None, widths: list[int] | None
) -> None:
    found = make(*box, source=source, layout=layout, ladder=LADDER, fit=fit, widths=widths)

    assert found.widths
    assert list(found.widths) == sorted(set(found.widths))
    assert found.widths[-1] <= min(source[0], 8192)
    assert found.fallback in found.widths

    # If the strip is thinner than one pixel, rounding gives it a width other than its own.
    assume(found.widths[0] > 1)
    for width in found.widths:
        height = found.slot.height_at(width)
        assert (height is None) is (fit == "contain" or box[1] is None)
        assert plan_resize(source, (width, height), fit=Fit(fit or "cover")).size[0] == width


@pytest.mark.parametrize(
    ("arguments", "candidates"),
    [
        pytest.param({"width": 1, "layout": "fixed"}, (1, 2), id="the smallest width"),
        pytest.param({"width": 8192, "layout": "fixed"}, (8192,), id="the largest width"),
        pytest.param({"width": 9, "source": (1_000_000, 1), "layout": "fixed"}, (9, 18), id="the largest source"),
        pytest.param({"width": 9, "densities": (10, 0.1)}, (1, 90), id="the largest density"),
    ],
)
def test_the_ends_of_each_range_are_accepted(arguments: dict[str, Any], candidates: tuple[int, ...]) -> None:
    assert make(**arguments).widths == candidates


def test_the_ladder_of_the_helper_begins_at_320() -> None:
    assert LADDER[0] == 320
    assert list(LADDER) == sorted(set(LADDER))
