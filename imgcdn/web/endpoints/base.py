"""The type of an endpoint, and the context it is given."""

from collections.abc import Callable
from dataclasses import dataclass

from imgcdn.service.assembly import Parts
from imgcdn.web.request import Request
from imgcdn.web.responses import Response


@dataclass(frozen=True, slots=True)
class Context:
    """
    What an endpoint may use to answer.

    Args:
        parts: The service and its components.
        draining: Returns whether the process is about to stop.
    """

    parts: Parts
    draining: Callable[[], bool]


Endpoint = Callable[[Context, Request], Response]
