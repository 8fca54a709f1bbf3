"""How a request that the service sent to itself is recognised."""

import pytest

from imgcdn.core.request.loops import MAX_CDN_LOOP_LENGTH, is_loop


@pytest.mark.parametrize(
    ("header", "loop"),
    [
        pytest.param(None, False, id="no header"),
        pytest.param("", False, id="an empty header"),
        pytest.param("imgcdn-1", True, id="ours"),
        pytest.param("a.example, imgcdn-1;v=2 , b", True, id="among others, with a parameter"),
        pytest.param("imgcdn-12", False, id="id of another imgcdn"),
        pytest.param('a; x="imgcdn-1"', False, id="in a parameter"),
        pytest.param('a; x=", imgcdn-1, "', False, id="in a quoted list"),
        pytest.param('a; x="\\", imgcdn-1, "', False, id="after an escaped quote"),
        pytest.param('a; x=", imgcdn-1', True, id="after a quote that is not closed"),
        pytest.param("a".ljust(MAX_CDN_LOOP_LENGTH), False, id="of the greatest length"),
        pytest.param("a".ljust(MAX_CDN_LOOP_LENGTH + 1), True, id="longer, so that it may hide our id"),
    ],
)
def test_a_request_with_our_id_is_a_loop(header: str | None, loop: bool) -> None:
    assert is_loop(header, "imgcdn-1") is loop
