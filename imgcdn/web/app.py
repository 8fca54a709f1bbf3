"""
The Flask application: pages, and the whole service by itself under any WSGI server.

Behind the ASGI edge only its pages are asked for. Alone, it stands behind the same hits and renders through the same
service, whose event loop then runs in a thread of its own.
"""

import time
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, render_template
from flask import Response as FlaskResponse
from flask import request as flask_request
from werkzeug.exceptions import HTTPException

from imgcdn import dialects
from imgcdn.config import Config, load
from imgcdn.errors import ImgcdnError, InternalError, MethodNotAllowed, SourceNotFound, public_errors
from imgcdn.service.assembly import Parts, assemble
from imgcdn.web.hits import Hits
from imgcdn.web.logs import access
from imgcdn.web.loop import ServiceLoop
from imgcdn.web.responses import PROBLEMS_PATH, Request, Response, refuse, slices
from imgcdn.web.welcome import samples

_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'"
    ),
}
_READ_HEADERS = ("ACCEPT", "IF_NONE_MATCH", "IF_MODIFIED_SINCE", "CDN_LOOP", "SAVE_DATA")


def create_app(config: Config | None = None) -> Flask:
    """
    Build the whole service as a WSGI application.

    Args:
        config: The settings; default: from the environment and imgcdn.toml.

    Raises:
        ConfigError: The settings cannot work.
    """
    config = config or load()
    parts = assemble(config)
    hits = Hits(config.web, config.request, parts)
    loop = ServiceLoop(parts)
    app = create_pages(parts, loop)
    _add_images(app, config, parts, hits, loop)
    app.wsgi_app = HitsMiddleware(app.wsgi_app, hits)  # type: ignore[method-assign]  # Flask's documented way
    return app


def create_pages(parts: Parts, loop: ServiceLoop) -> Flask:
    """Build the pages alone, for an edge that answers the pictures."""
    app = Flask(__name__, static_url_path="/-/static")

    @app.get("/")
    def welcome() -> str:
        found = loop.run(lambda: samples(parts.files, parts.service))
        return render_template("welcome.html", samples=found)

    @app.get(f"{PROBLEMS_PATH}<slug>")
    def problem(slug: str) -> str:
        kinds = {kind.slug: kind for kind in public_errors()}
        if slug not in kinds:
            raise SourceNotFound("There is no such problem.")
        return render_template("problem.html", kind=kinds[slug], all=public_errors())

    app.after_request(_secured)
    app.register_error_handler(ImgcdnError, lambda error: _response(refuse(error, request_from(flask_request.environ))))
    app.register_error_handler(HTTPException, _http_error)
    return app


class HitsMiddleware:
    """Answers what is there before Flask is asked."""

    def __init__(self, application: WSGIApplication, hits: Hits) -> None:
        self._application = application
        self._hits = hits

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = self._hits.answer(request_from(environ))
        if response is None:
            return self._application(environ, start_response)
        headers = [(name.decode().title(), value.decode("latin-1")) for name, value in response.headers]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return slices(response.body)


def request_from(environ: WSGIEnvironment) -> Request:
    """
    Read a request from its WSGI environ.

    PATH_INFO is decoded and has lost %2F; most servers pass the raw target beside it.
    """
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if not target.startswith("/"):
        path = quote(
            (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"), safe="/:@!$&'()*+,;=~"
        )
        target = f"{path}?{environ.get('QUERY_STRING', '')}".rstrip("?")
    named = ((name.lower().replace("_", "-").encode(), environ.get(f"HTTP_{name}")) for name in _READ_HEADERS)
    headers = {name: value.encode("latin-1") for name, value in named if value is not None}
    return Request(environ["REQUEST_METHOD"], target, headers)


def _add_images(app: Flask, config: Config, parts: Parts, hits: Hits, loop: ServiceLoop) -> None:
    # Not by routes: Flask decodes a path before it looks, and a grammar is found by the raw one.
    @app.before_request
    def respond_to_image() -> FlaskResponse | None:
        request = request_from(flask_request.environ)
        if dialects.find(request.target.partition("?")[0]) is None:
            return None
        began = time.perf_counter()
        try:
            image, client = hits.parse(request)
            response, note = hits.respond(loop.run(lambda: parts.service.get(image, client)), image, request), ""
        except ImgcdnError as error:
            response, note = refuse(error, request), error.log
        access(config.web, request, response, began, note=note)
        return _response(response)


def _secured(response: FlaskResponse) -> FlaskResponse:
    for name, value in _PAGE_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _http_error(error: HTTPException) -> FlaskResponse:
    """Answer what Flask itself refuses the way we refuse everything."""
    request = request_from(flask_request.environ)
    if error.code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _response(refuse(MethodNotAllowed("Use GET or HEAD."), request))
    if error.code == HTTPStatus.NOT_FOUND:
        return _response(refuse(SourceNotFound("There is nothing here. Pictures are at /img?url=/photo.jpg"), request))
    return _response(refuse(InternalError("The request failed. The log has the reason."), request))


def _response(response: Response) -> FlaskResponse:
    flask_response = FlaskResponse(slices(response.body), status=response.status)
    flask_response.headers.clear()
    for name, value in response.headers:
        flask_response.headers.add(name.decode().title(), value.decode("latin-1"))
    return flask_response
