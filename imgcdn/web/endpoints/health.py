"""Health: whether the process is alive, and whether it should get requests."""

from imgcdn.web.endpoints.base import Context
from imgcdn.web.request import Request
from imgcdn.web.responses import Response, document


def alive(context: Context, request: Request) -> Response:
    """Answer 200: a process that answers is alive."""
    return document(200, {"status": "alive"})


def ready(context: Context, request: Request) -> Response:
    """Answer 503 only while the process drains. Failing storage is reported, but the process still serves requests."""
    if context.draining():
        return document(503, {"status": "draining", "degraded": []})
    degraded = ["storage"] if context.parts.service.store.probe_writing() else []
    return document(200, {"status": "ready", "degraded": degraded})
