"""A Starlette site that serves its pictures itself."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from imgcdn import ImageCDN
from imgcdn.web.asgi import create_asgi_app

cdn = ImageCDN("/images")


def index(request: Request) -> HTMLResponse:
    """Show a picture."""
    return HTMLResponse(cdn.img("/rocket.jpg", alt="A rocket", width=400, source_size=(640, 427)))


app = Starlette(routes=[Route("/", index), Mount("/images", create_asgi_app())])
