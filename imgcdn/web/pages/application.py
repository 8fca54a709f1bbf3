"""The Flask application of the pages. It raises errors; `web.front` turns them into responses."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from flask import Flask, render_template
from flask import Response as FlaskResponse
from flask import request as flask_request

from imgcdn.core.request.settings import RequestSettings
from imgcdn.errors import SourceNotFound, public_errors
from imgcdn.service.assembly import Parts
from imgcdn.web.pages.welcome import samples
from imgcdn.web.responses import PROBLEMS_PATH, STATIC_PATH

T = TypeVar("T")

#: Runs a coroutine on the service's event loop, and waits for it.
Run = Callable[[Coroutine[Any, Any, T]], T]

_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'"
    ),
}


def create_pages(parts: Parts, settings: RequestSettings, run: Run[Any]) -> Flask:
    """
    Build the application. It raises `ImgcdnError` for what it cannot show.

    Args:
        parts: The service and its components.
        settings: What a request may ask for.
        run: Runs a coroutine of the service from a thread.
    """
    app = Flask(__name__, static_url_path=STATIC_PATH.rstrip("/"))
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.get("/")
    def welcome() -> str:
        shown = run(samples(parts.files, parts.service, settings, flask_request.script_root))
        return render_template("welcome.html", samples=shown, settings=settings)

    @app.get(f"{PROBLEMS_PATH}<slug>")
    def problem(slug: str) -> str:
        kinds = {kind.slug: kind for kind in public_errors()}
        if slug not in kinds:
            raise SourceNotFound("There is no such problem.")
        return render_template("problem.html", kind=kinds[slug], all=public_errors())

    app.after_request(_add_page_headers)
    return app


def _add_page_headers(response: FlaskResponse) -> FlaskResponse:
    for name, value in _PAGE_HEADERS.items():
        response.headers.setdefault(name, value)
    return response
