"""
One table of what the service answers at once beside images: path -> endpoint.

An image belongs to a dialect (`imgcdn.dialects.DIALECTS`); every other path is a page's (`imgcdn.web.pages`).
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
    One path and what answers it.

    Args:
        path: Raw and exact.
        endpoint: Returns the response, without waiting for anything.
        methods: What it answers; everything else is 405.
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
    """Return the route of a raw path; None where the path is an image's or a page's."""
    return _BY_PATH.get(path)
