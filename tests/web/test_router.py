"""The table of endpoints: the steps that CONTRIBUTING lists for a new endpoint."""

import inspect
import re
from importlib import import_module
from typing import cast

import pytest

from imgcdn import dialects
from imgcdn.core.request.settings import RequestSettings
from imgcdn.dialects.base import Target
from imgcdn.service.assembly import Parts
from imgcdn.web import router
from imgcdn.web.pages.application import create_pages
from imgcdn.web.router import ROUTES, Route
from tests.support.paths import PACKAGE, ROOT


def test_every_endpoint_of_the_folder_has_a_route() -> None:
    """An endpoint is a function of two arguments, the context and the request."""
    found = set()
    for path in (PACKAGE / "web" / "endpoints").glob("*.py"):
        module = import_module(f"imgcdn.web.endpoints.{path.stem}")
        for function in (each for _, each in inspect.getmembers(module, inspect.isfunction)):
            if function.__module__ == module.__name__ and list(inspect.signature(function).parameters) == [
                "context",
                "request",
            ]:
                found.add(function)

    assert found == {route.endpoint for route in ROUTES if route.endpoint is not None}


def test_every_page_has_a_route() -> None:
    # The parts are used only when a page is asked for.
    app = create_pages(cast(Parts, None), RequestSettings(), run=lambda work: None, lists_pictures=True)
    pages = {re.sub("<.*>", "*", rule.rule): set(rule.methods or ()) for rule in app.url_map.iter_rules()}

    # Flask answers OPTIONS by itself, but the router refuses it first.
    assert pages == {route.path: {*route.methods, "OPTIONS"} for route in ROUTES if route.endpoint is None}


def test_no_page_takes_a_body() -> None:
    """`web.pages` hands on neither the body nor the headers of a request."""
    assert [route.path for route in ROUTES if route.endpoint is None and "POST" in route.methods] == []


def test_paths_are_unique_and_belong_to_no_dialect() -> None:
    paths = [route.path for route in ROUTES]

    assert len(paths) == len(set(paths))
    assert not [path for path in paths if dialects.find(Target.read(path))]


@pytest.mark.parametrize("route", [pytest.param(route, id=route.path) for route in ROUTES if route.endpoint])
def test_an_endpoint_is_described_in_the_readme(route: Route) -> None:
    assert route.path in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_path_is_found_exactly() -> None:
    assert router.find("/-/healthz") is ROUTES[0]
    assert router.find("/-/healthz/") is None
    assert router.find("/-/HEALTHZ") is None


def test_a_prefix_is_found_beneath_its_path_alone() -> None:
    found = router.find("/-/problems/forbidden")

    assert found is not None
    assert found.path == "/-/problems/*"
    assert router.find("/-/problems") is None
