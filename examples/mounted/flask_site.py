"""A Flask site that serves its pictures itself."""

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from imgcdn import ImageCDN
from imgcdn.web.wsgi import create_app

app = Flask(__name__)
app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/images": create_app()})  # type: ignore[method-assign]  # Flask's documented way
cdn = ImageCDN("/images")


@app.get("/")
def index() -> str:
    """Show a picture."""
    return str(cdn.img("/rocket.jpg", alt="A rocket", width=400, source_size=(640, 427)))
