"""What an endpoint is handed."""

from collections.abc import Callable
from dataclasses import dataclass

from imgcdn.service.assembly import Parts
from imgcdn.web.request import Request
from imgcdn.web.responses import Response


@dataclass(frozen=True, slots=True)
class Context:
    """
    What endpoints may use.

    Args:
        parts: The service and what it is made of.
        draining: Tells whether the process is about to stop.
    """

    parts: Parts
    draining: Callable[[], bool]


Endpoint = Callable[[Context, Request], Response]
