"""
The whole service as a WSGI application, for any WSGI server.

Hits and endpoints are answered before Flask. A render goes through the same service as under ASGI, but here the
service's event loop runs in a thread of its own.
"""

import time
from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from flask import Response as FlaskResponse
from flask import request as flask_request

from imgcdn.config import Config, load
from imgcdn.errors import ImgcdnError
from imgcdn.service.assembly import Parts, assemble
from imgcdn.web.hits import Hits
from imgcdn.web.logs import access
from imgcdn.web.loop import ServiceLoop
from imgcdn.web.pages import create_pages, flask_response_from
from imgcdn.web.request import from_environ
from imgcdn.web.responses import refuse, slices


def create_app(config: Config | None = None) -> Flask:
    """
    Build the whole service as a WSGI application.

    Args:
        config: The settings; None to load them from the environment and imgcdn.toml.

    Raises:
        ConfigError: A setting is not valid, or two of them conflict.
    """
    config = config or load()
    parts = assemble(config)
    hits = Hits(config.web, config.request, parts)
    loop = ServiceLoop(parts)
    app = create_pages(parts, loop)
    _add_images(app, config, parts, hits, loop)
    app.wsgi_app = HitsMiddleware(app.wsgi_app, hits)  # type: ignore[method-assign]  # Flask's documented way
    return app


class HitsMiddleware:
    """Answers hits and endpoints before Flask sees the request."""

    def __init__(self, application: WSGIApplication, hits: Hits) -> None:
        self._application = application
        self._hits = hits

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = self._hits.answer(from_environ(environ))
        if response is None:
            return self._application(environ, start_response)
        headers = [(name.decode().title(), value.decode("latin-1")) for name, value in response.headers]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return slices(response.body)


def _add_images(app: Flask, config: Config, parts: Parts, hits: Hits, loop: ServiceLoop) -> None:
    # Not a Flask route: Flask matches decoded paths, but dialects match raw ones.
    @app.before_request
    def respond_to_image() -> FlaskResponse | None:
        request = from_environ(flask_request.environ)
        if not hits.is_image(request):
            return None
        began = time.perf_counter()
        try:
            image, client = hits.parse(request)
            response, note = hits.respond(loop.run(lambda: parts.service.get(image, client)), image, request), ""
        except ImgcdnError as error:
            response, note = refuse(error, request), error.log
        access(config.web, request, response, began, note=note)
        return flask_response_from(response)
