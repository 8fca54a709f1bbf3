"""The table of endpoints: the steps that CONTRIBUTING lists for a new endpoint."""

import inspect
from importlib import import_module

import pytest

from imgcdn import dialects
from imgcdn.dialects.base import Target
from imgcdn.web import router
from imgcdn.web.router import ROUTES, Route
from tests.support.paths import PACKAGE, ROOT
from tests.support.serving import Service


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

    assert found == {route.endpoint for route in ROUTES}


def test_paths_are_unique_and_belong_to_no_dialect() -> None:
    paths = [route.path for route in ROUTES]

    assert len(paths) == len(set(paths))
    assert not [path for path in paths if dialects.find(Target.read(path))]


@pytest.mark.parametrize("route", [pytest.param(route, id=route.path) for route in ROUTES])
def test_an_endpoint_is_described_in_the_readme(route: Route) -> None:
    assert route.path in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_icon_is_one_that_a_browser_shows(service: Service) -> None:
    icon = service.get("/favicon.ico")

    assert (icon.headers["content-type"], icon.body[:4]) == ("image/svg+xml", b"<svg")
    assert icon.headers["cache-control"] == "public, max-age=86400"


def test_a_path_is_found_exactly() -> None:
    assert router.find("/-/healthz") is ROUTES[0]
    assert router.find("/-/healthz/") is None
    assert router.find("/-/HEALTHZ") is None


@pytest.mark.parametrize("route", [pytest.param(route, id=route.path) for route in ROUTES])
def test_an_endpoint_allows_only_its_methods(service: Service, route: Route) -> None:
    assert service.get(route.path).status == 200
    assert service.get(route.path, method="HEAD").body == b""
    refused = service.get(route.path, method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, ", ".join(route.methods))
