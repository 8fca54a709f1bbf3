"""The Flask application, which serves the pages. Images and endpoints are answered before its routes are tried."""

from http import HTTPStatus

from flask import Flask, render_template
from flask import Response as FlaskResponse
from flask import request as flask_request
from werkzeug.exceptions import HTTPException

from imgcdn.errors import ImgcdnError, InternalError, MethodNotAllowed, SourceNotFound, public_errors
from imgcdn.service.assembly import Parts
from imgcdn.web.loop import ServiceLoop
from imgcdn.web.pages.welcome import samples
from imgcdn.web.request import from_environ
from imgcdn.web.responses import PROBLEMS_PATH, Response, refuse, slices

_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'"
    ),
}


def create_pages(parts: Parts, loop: ServiceLoop) -> Flask:
    """Build the application for the pages alone. The caller answers images and endpoints."""
    app = Flask(__name__, static_url_path="/-/static")

    @app.get("/")
    def welcome() -> str:
        shown = loop.run(lambda: samples(parts.files, parts.service))
        return render_template("welcome.html", samples=shown)

    @app.get(f"{PROBLEMS_PATH}<slug>")
    def problem(slug: str) -> str:
        kinds = {kind.slug: kind for kind in public_errors()}
        if slug not in kinds:
            raise SourceNotFound("There is no such problem.")
        return render_template("problem.html", kind=kinds[slug], all=public_errors())

    app.after_request(_add_page_headers)
    app.register_error_handler(
        ImgcdnError, lambda error: flask_response_from(refuse(error, from_environ(flask_request.environ)))
    )
    app.register_error_handler(HTTPException, _http_error)
    return app


def _add_page_headers(response: FlaskResponse) -> FlaskResponse:
    for name, value in _PAGE_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _http_error(error: HTTPException) -> FlaskResponse:
    """Give an error that Flask itself raises the same form as all our errors."""
    request = from_environ(flask_request.environ)
    if error.code == HTTPStatus.METHOD_NOT_ALLOWED:
        return flask_response_from(refuse(MethodNotAllowed("Use GET or HEAD."), request))
    if error.code == HTTPStatus.NOT_FOUND:
        return flask_response_from(
            refuse(SourceNotFound("There is nothing here. Pictures are at /img?url=/photo.jpg"), request)
        )
    return flask_response_from(refuse(InternalError("The request failed. The log has the reason."), request))


def flask_response_from(response: Response) -> FlaskResponse:
    """Convert a response to Flask's class."""
    flask_response = FlaskResponse(slices(response.body), status=response.status)
    flask_response.headers.clear()
    for name, value in response.headers:
        flask_response.headers.add(name.decode().title(), value.decode("latin-1"))
    return flask_response
