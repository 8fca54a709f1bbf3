"""
The table of endpoints, which answer at once: path -> endpoint.

Paths of images belong to dialects (`imgcdn.dialects.DIALECTS`). All other paths belong to pages (`imgcdn.web.pages`).
"""

from dataclasses import dataclass

from imgcdn.errors import MethodNotAllowed
from imgcdn.web.endpoints import health, icon
from imgcdn.web.endpoints.base import Context, Endpoint
from imgcdn.web.request import Request
from imgcdn.web.responses import Response


@dataclass(frozen=True, slots=True)
class Route:
    """
    One path and its endpoint.

    Args:
        path: The raw path, which has to match exactly.
        endpoint: Returns the response, without waiting for anything.
        methods: The methods that the endpoint answers; any other gets 405.
    """

    path: str
    endpoint: Endpoint
    methods: tuple[str, ...] = ("GET", "HEAD")

    def answer(self, context: Context, request: Request) -> Response:
        """
        Return the endpoint's response.

        Raises:
            MethodNotAllowed: The endpoint does not answer this method.
        """
        if request.method not in self.methods:
            raise MethodNotAllowed(f"Use {' or '.join(self.methods)}.", allowed=self.methods)
        return self.endpoint(context, request)


ROUTES = (
    Route("/-/healthz", health.alive),
    Route("/-/readyz", health.ready),
    Route("/favicon.ico", icon.icon),
)

_BY_PATH = {route.path: route for route in ROUTES}


def find(path: str) -> Route | None:
    """Return the route of a raw path; None when the path belongs to an image or a page."""
    return _BY_PATH.get(path)
