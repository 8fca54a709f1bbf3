"""Requests as WSGI servers hand them over."""

from typing import Any

import pytest

from imgcdn.web.request import from_environ


@pytest.mark.parametrize(
    ("environ", "target"),
    [
        pytest.param({"PATH_INFO": "/img/a b.jpg"}, "/img/a%20b.jpg", id="no query"),
        pytest.param({"PATH_INFO": "/img/a.jpg", "QUERY_STRING": "w=9"}, "/img/a.jpg?w=9", id="a query"),
        pytest.param({"PATH_INFO": "", "QUERY_STRING": "w=9"}, "/?w=9", id="no path"),
        pytest.param(
            {"PATH_INFO": "/img/a.jpg", "QUERY_STRING": "w=9&s=x??"},
            "/img/a.jpg?w=9&s=x??",
            id="a query that ends with question marks, which are a part of it",
        ),
        pytest.param(
            {"PATH_INFO": "/img/a/b.jpg", "RAW_URI": "/img/a%2Fb.jpg?w=9"}, "/img/a%2Fb.jpg?w=9", id="a raw target"
        ),
    ],
)
def test_the_target_is_the_one_that_was_sent(environ: dict[str, Any], target: str) -> None:
    assert from_environ({"REQUEST_METHOD": "GET", **environ}).target == target
