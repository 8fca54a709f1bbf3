"""The type of an endpoint, and the context it is given."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from imgcdn.core.setting import Secret
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
        admin_token: The token of the operator; empty if there is none.
    """

    parts: Parts
    draining: Callable[[], bool]
    admin_token: Secret


#: Answers at once. One that waits is a coroutine function.
Endpoint = Callable[[Context, Request], Response]
WaitingEndpoint = Callable[[Context, Request], Coroutine[Any, Any, Response]]
