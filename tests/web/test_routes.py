"""Endpoints and pages of the real service."""

import pytest

from imgcdn.web.router import ROUTES, Route
from tests.support.serving import Service


def test_the_icon_is_one_that_a_browser_shows(service: Service) -> None:
    icon = service.get("/favicon.ico")

    assert (icon.headers["content-type"], icon.body[:4]) == ("image/svg+xml", b"<svg")
    assert icon.headers["cache-control"] == "public, max-age=86400"


# `test_purge.py` has the one that needs a token.
@pytest.mark.parametrize("route", [pytest.param(route, id=route.path) for route in ROUTES if "GET" in route.methods])
def test_a_route_allows_only_its_methods(service: Service, route: Route) -> None:
    path = {"/-/problems/*": "/-/problems/forbidden", "/-/static/*": "/-/static/icon.svg"}.get(route.path, route.path)
    got, head = service.get(path), service.get(path, method="HEAD")
    assert (got.status, head.status, head.body) == (200, 200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))
    refused = service.get(path, method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, ", ".join(route.methods))
