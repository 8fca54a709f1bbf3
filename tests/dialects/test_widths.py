"""The policy of widths in every dialect: for w, for h and with dpr."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn import dialects
from imgcdn.core.output.geometry import Size
from imgcdn.core.request.widths import WidthPolicy, Widths
from imgcdn.dialects.base import Target
from imgcdn.errors import InvalidParam
from tests.support.planning import RULES

LADDER = (100, 200, 400)

#: The beginning of a URL of each dialect, and its status for a value that is not valid.
BEGINNINGS = {
    "/img/a.jpg?": 400,
    "/img?url=a.jpg&": 400,
    "/.netlify/images?url=a.jpg&": 404,
    "/_image?href=a.jpg&": 400,
}


def size_of(policy: WidthPolicy, target: str) -> tuple[int | None, int | None]:
    params = dialects.parse(Target.read(target), replace(RULES, widths=Widths(policy, LADDER))).params
    return params.width, params.height


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("w=101", (200, None), id="w"),
        pytest.param("h=101", (None, 200), id="h"),
        pytest.param("w=90&h=300&fit=cover", (100, 400), id="both, each by itself"),
        pytest.param("w=8000", (400, None), id="above the ladder"),
        pytest.param("w=200", (200, None), id="a step"),
        pytest.param("q=50", (None, None), id="none"),
    ],
)
def test_snap_rounds_up(beginning: str, query: str, expected: Size) -> None:
    assert size_of(WidthPolicy.SNAP, beginning + query) == expected
    assert size_of(WidthPolicy.ANY, beginning + "w=101&h=7") == (101, 7)


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize(
    ("query", "param", "nearest"),
    [
        pytest.param("w=101", "w", "100", id="w"),
        pytest.param("h=350", "h", "400", id="h"),
        pytest.param("w=100&h=8000", "h", "400", id="h beside a step"),
    ],
)
def test_strict_refuses_and_names_the_nearest(beginning: str, query: str, param: str, nearest: str) -> None:
    with pytest.raises(InvalidParam) as caught:
        size_of(WidthPolicy.STRICT, beginning + query)

    assert (caught.value.param, caught.value.nearest) == (param, nearest)
    assert caught.value.http_status == BEGINNINGS[beginning]
    assert size_of(WidthPolicy.STRICT, beginning + "w=100&h=400") == (100, 400)


@given(
    edge=st.sampled_from(["w", "h", "width", "height"]),
    pixels=st.integers(1, 2_000),
    percent=st.integers(50, 400),
)
def test_with_dpr_every_edge_is_a_step(edge: str, pixels: int, percent: int) -> None:
    target = f"/img/a.jpg?{edge}={pixels}&dpr={percent / 100:.2f}"
    [snapped] = filter(None, size_of(WidthPolicy.SNAP, target))
    product = max(1, (pixels * percent + 50) // 100)

    assert snapped == next((step for step in LADDER if step >= product), LADDER[-1])
    if product in LADDER:
        assert size_of(WidthPolicy.STRICT, target) == size_of(WidthPolicy.SNAP, target)
    else:
        with pytest.raises(InvalidParam):
            size_of(WidthPolicy.STRICT, target)


def test_every_dialect_has_a_row() -> None:
    found = [dialects.find(Target.read(beginning)) for beginning in BEGINNINGS]

    assert all(dialect in found for dialect in dialects.DIALECTS)
