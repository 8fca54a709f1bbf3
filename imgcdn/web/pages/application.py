"""The Flask application of the pages. It raises errors; `web.front` turns them into responses."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from flask import Flask, render_template
from flask import Response as FlaskResponse
from flask import request as flask_request

from imgcdn.core.request.settings import RequestSettings
from imgcdn.errors import SourceNotFound, public_errors
from imgcdn.origins.listing import first_pictures
from imgcdn.service.assembly import Parts
from imgcdn.web.pages.problems import MEANINGS
from imgcdn.web.pages.welcome import MAX_SAMPLES, samples
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


def create_pages(parts: Parts, settings: RequestSettings, run: Run[Any], *, lists_pictures: bool) -> Flask:
    """
    Build the application. It raises `ImgcdnError` for what it cannot show.

    Args:
        parts: The service and its components.
        settings: What a request may ask for.
        run: Runs a coroutine of the service from a thread.
        lists_pictures: Whether the welcome page lists pictures.
    """
    app = Flask(__name__, static_folder=None)  # web/endpoints/static.py has them
    app.config["PROPAGATE_EXCEPTIONS"] = True
    # By default a path with `//` is redirected to an absolute URL, whose host would be the constant one of `Pages`.
    app.url_map.merge_slashes = False
    app.jinja_env.globals["static"] = lambda name: f"{flask_request.script_root}{STATIC_PATH}{name}"

    @app.get("/")
    def welcome() -> str:
        if not settings.is_open:  # the page signs no URL: it would give signatures to anybody
            return render_template("welcome.html", samples=[], settings=settings)
        if not lists_pictures:
            return render_template("closed.html")
        # Here, in a thread of the pages: a large folder must not hold up the event loop.
        names = first_pictures(parts.files.root, MAX_SAMPLES)
        shown = run(samples(names, parts.service, settings, flask_request.script_root))
        return render_template("welcome.html", samples=shown, settings=settings)

    @app.get(f"{PROBLEMS_PATH}<slug>")
    def problem(slug: str) -> str:
        kinds = {kind.slug: kind for kind in public_errors()}
        if slug not in kinds:
            raise SourceNotFound("There is no such problem.")
        kind = kinds[slug]
        return render_template("problem.html", kind=kind, meaning=MEANINGS[kind], all=public_errors())

    app.after_request(_add_page_headers)
    return app


def _add_page_headers(response: FlaskResponse) -> FlaskResponse:
    for name, value in _PAGE_HEADERS.items():
        response.headers.setdefault(name, value)
    return response
