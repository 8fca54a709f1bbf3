"""A FastAPI site that serves its pictures itself."""

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from imgcdn import ImageCDN
from imgcdn.web.asgi import create_asgi_app

app = FastAPI()
app.mount("/images", create_asgi_app())
cdn = ImageCDN("/images")


@app.get("/", response_class=HTMLResponse)
def index() -> str:
    """Show a picture."""
    return str(cdn.img("/rocket.jpg", alt="A rocket", width=400, source_size=(640, 427)))
