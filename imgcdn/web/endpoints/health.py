"""Health: whether the process is alive, and whether it should get requests."""

from imgcdn.web.endpoints.base import Context
from imgcdn.web.request import Request
from imgcdn.web.responses import Response, document


def alive(context: Context, request: Request) -> Response:
    """Answer 200: a process that answers is alive."""
    return document(200, {"status": "alive"})


def ready(context: Context, request: Request) -> Response:
    """
    Answer 503 only while the process drains.

    What fails is listed with its reason, but the process still serves what it can. Nothing is written to disk for a
    request: whether that works is tried in the background, every few seconds.
    """
    if context.draining():
        return document(503, {"status": "draining", "degraded": []})
    return document(200, {"status": "ready", "degraded": context.parts.problems()})
