"""A Django site, in one file, that serves its pictures itself."""

import secrets

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from imgcdn import ImageCDN
from imgcdn.web.wsgi import create_app

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY=secrets.token_hex())
cdn = ImageCDN("/images")


def index(request: HttpRequest) -> HttpResponse:
    """Show a picture."""
    return HttpResponse(cdn.img("/rocket.jpg", alt="A rocket", width=400, source_size=(640, 427)))


urlpatterns = [path("", index)]
app = DispatcherMiddleware(get_wsgi_application(), {"/images": create_app()})
