"""A site of one page. Its pictures are written by imgcdn's helper and come from a running imgcdn."""

import os
from dataclasses import dataclass

from flask import Flask, render_template

from imgcdn import ImageCDN


@dataclass(frozen=True, slots=True)
class Photo:
    """
    A picture as a site's database might know it.

    Args:
        src: Its path in the folder that imgcdn serves.
        alt: What it shows.
        size: (width, height) of the original.
    """

    src: str
    alt: str
    size: tuple[int, int]


HERO = Photo("/upright.jpg", "A test card that says which way is up", (1600, 900))
COFFEE = Photo("/coffee.png", "A cup of coffee on a wooden table", (600, 400))
ASTRONAUT = Photo("/astronaut.png", "An astronaut in an orange suit", (512, 512))
STARS = Photo("/hubble_deep_field.jpg", "Galaxies of many colours", (1000, 872))

app = Flask(__name__)
app.jinja_env.globals["cdn"] = ImageCDN(os.environ.get("CDN_URL", "http://127.0.0.1:8000"))


@app.get("/")
def home() -> str:
    """Show one picture in each layout."""
    return render_template("home.html", hero=HERO, coffee=COFFEE, astronaut=ASTRONAUT, stars=STARS)
