import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcdn.core.request.params import Params
from imgcdn.core.request.save_data import lower_quality, vary, wants_less


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("on", True, id="on"),
        pytest.param("On", True, id="on with a capital"),
        pytest.param(" on ", True, id="on between spaces"),
        pytest.param("on; mode=strict", True, id="on with a parameter"),
        pytest.param("on, on", True, id="on from two proxies"),
        pytest.param(None, False, id="absent"),
        pytest.param("", False, id="empty"),
        pytest.param("off", False, id="off"),
        pytest.param("on".ljust(101), False, id="above the greatest length"),
        pytest.param("only", False, id="a longer word"),
        pytest.param("1", False, id="a number"),
        pytest.param("?1", False, id="a structured boolean"),
    ],
)
def test_only_the_value_on_requests_fewer_bytes(header: str | None, expected: bool) -> None:
    assert wants_less(header) is expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        pytest.param(100, 65, id="most"),
        pytest.param(90, 59, id="full chroma"),
        pytest.param(75, 49, id="default"),
        pytest.param(40, 30, id="down to the minimum"),
        pytest.param(30, 30, id="least"),
        pytest.param(1, 1, id="below the minimum"),
    ],
)
def test_a_q_is_lowered(q: int, expected: int) -> None:
    assert lower_quality(Params(q=q)).q == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(90, 75, id="most"),
        pytest.param(75, 60, id="default"),
        pytest.param(50, 40, id="down to the minimum"),
        pytest.param(40, 40, id="least"),
    ],
)
def test_the_target_of_q_auto_is_lowered(target: int, expected: int) -> None:
    assert lower_quality(Params(q=None, target=target)) == Params(q=None, target=expected)


@given(one=st.integers(1, 100), other=st.integers(1, 100))
def test_lowering_keeps_the_order_of_two_q(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert (lower_quality(Params(q=low)).q or 0) <= (lower_quality(Params(q=high)).q or 0)


@pytest.mark.parametrize(
    ("fmt", "off", "on"),
    [
        pytest.param(None, "Accept", "Accept, Save-Data", id="negotiated"),
        pytest.param("avif", "", "Save-Data", id="avif"),
        pytest.param("webp", "", "Save-Data", id="webp"),
        pytest.param("jpeg", "", "Save-Data", id="jpeg"),
        pytest.param("png", "", "", id="png, which has no quality"),
        pytest.param("gif", "", "", id="gif, which has no quality"),
        pytest.param("lqip", "", "", id="a placeholder"),
        pytest.param("json", "", "", id="json"),
    ],
)
def test_vary_names_the_headers_that_change_the_response(fmt: str | None, off: str, on: str) -> None:
    assert (vary(Params(format=fmt), save_data=False), vary(Params(format=fmt), save_data=True)) == (off, on)
