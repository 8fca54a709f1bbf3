"""
The table of paths: path -> what answers it.

Paths of images belong to dialects (`imgcdn.dialects.DIALECTS`). A path that neither knows is 404.
"""

from dataclasses import dataclass

from imgcdn.errors import MethodNotAllowed
from imgcdn.web.endpoints import health, purge, static
from imgcdn.web.endpoints.base import Endpoint, WaitingEndpoint
from imgcdn.web.request import Request
from imgcdn.web.responses import PROBLEMS_PATH, STATIC_PATH


@dataclass(frozen=True, slots=True)
class Route:
    """
    One path and what answers it.

    Args:
        path: The raw path, matched exactly. A final `*` matches any rest.
        endpoint: Returns the response: at once, or as a coroutine; None when the pages answer (`web/pages`).
        methods: The methods that the path answers; any other gets 405.
        is_admin: Whether the path exists only where there is an `admin_token`.
    """

    path: str
    endpoint: Endpoint | WaitingEndpoint | None
    methods: tuple[str, ...] = ("GET", "HEAD")
    is_admin: bool = False

    def check_method(self, request: Request) -> None:
        """
        Check that the path answers a request's method.

        Raises:
            MethodNotAllowed: It does not.
        """
        if request.method not in self.methods:
            raise MethodNotAllowed(f"Use {' or '.join(self.methods)}.", allowed=self.methods)


ROUTES = (
    Route("/-/healthz", health.alive),
    Route("/-/readyz", health.ready),
    Route("/favicon.ico", static.icon),
    Route("/", None),
    Route(f"{PROBLEMS_PATH}*", None),
    Route(purge.PATH, purge.purge, ("POST",), is_admin=True),
    Route(f"{STATIC_PATH}*", static.static),
)

_BY_PATH = {route.path: route for route in ROUTES if not route.path.endswith("*")}
_BY_PREFIX = [(route.path[:-1], route) for route in ROUTES if route.path.endswith("*")]


def find(path: str) -> Route | None:
    """Return the route of a raw path; None when there is none."""
    route = _BY_PATH.get(path)
    if route is None:
        route = next((route for prefix, route in _BY_PREFIX if path.startswith(prefix)), None)
    return route
